#include "parallel/communicator.h"

#include <c10/util/Logging.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "core/error.h"
#include "parallel/group.h"
#include "parallel/lifeline.h"

namespace primus::parallel {

namespace {

/// Keys of the store. A verdict starts with `accepted` or is the reason of the refusal.
constexpr const char* verdict_key = "verdict";
constexpr const char* heard_key = "heard";
constexpr std::string_view accepted = "ok ";

std::string hello_key(int rank) { return fmt::format("hello/{}", rank); }

std::int64_t seconds_of(std::chrono::milliseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

std::string host_name() {
  char name[256] = "?";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string environment_text(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// libtorch prints the stack of every lost connection as a warning. Whoever meets the failure says it in one
/// line, so those are shown only when asked for.
void quieten_libtorch() {
  if (environment_text("TORCH_CPP_LOG_LEVEL").empty()) {
    constexpr int errors_only = 2;
    FLAGS_caffe2_log_level = errors_only;
  } else {
    c10::initLogging();
  }
}

/// The descriptor of a socket that the launcher already listens on for rank 0, so that nobody else can take
/// the port in between.
std::optional<int> inherited_listener() {
  const std::string text = environment_text("PRIMUS_STORE_DESCRIPTOR");
  if (text.empty()) return std::nullopt;
  return launch::parse_number("PRIMUS_STORE_DESCRIPTOR", text, 0, 1 << 20);
}

/// Ranks that are started together have met in this time; one that waits longer says so.
constexpr std::chrono::milliseconds usual_wait{1000};

/// Says something, unless it ends its life within the usual time.
class NoticeOfWaiting {
 public:
  NoticeOfWaiting(const JoinOptions& options, std::string text) {
    if (!options.on_wait) return;
    thread_ = std::jthread([say = options.on_wait, text = std::move(text)](const std::stop_token& stop) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any().wait_for(lock, stop, usual_wait, [&] { return stop.stop_requested(); });
      if (!stop.stop_requested()) say(text);
    });
  }

 private:
  std::jthread thread_;
};

/// What a user can do who did not mean to start several processes.
std::string way_out(const launch::World& world) {
  return fmt::format("{} in the environment make this process one of {} ranks: unset them if it is not",
                     launch::origin_of(world), world.size);
}

c10::intrusive_ptr<c10d::Store> open_store(const launch::World& world, const JoinOptions& options) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(world.master_port);
  // torchrun's agent may serve the store itself; then rank 0 is a client like all others.
  const bool served = environment_text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  store.isServer = world.rank == 0 && !served;
  store.waitWorkers = false;
  store.timeout = options.rendezvous_timeout;
  if (store.isServer) store.masterListenFd = inherited_listener();
  try {
    return c10::make_intrusive<c10d::TCPStore>(world.master_address, store);
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    if (store.isServer && what.find("EADDRINUSE") != std::string_view::npos) {
      throw UserError(
          fmt::format("port {} is in use on this machine: choose another MASTER_PORT", world.master_port));
    }
    throw UserError(fmt::format("rank {} cannot {} {}:{} ({}): check MASTER_ADDR and MASTER_PORT", world.rank,
                                store.isServer ? "serve the rendezvous at" : "reach rank 0 at",
                                world.master_address, world.master_port,
                                what.substr(0, std::min<std::size_t>(what.find('\n'), 200))));
  }
}

}  // namespace

Communicator::Communicator(const launch::World& world, const JoinOptions& options)
    : world_(world), options_(options) {
  const std::string board = environment_text(launch::status_board_variable);
  const std::size_t colon = board.find(':');
  if (colon != std::string::npos) {
    board_.emplace(launch::StatusBoard::attach(
        launch::parse_number(launch::status_board_variable, board.substr(0, colon), 0, 1 << 20)));
    board_slot_ =
        launch::parse_number(launch::status_board_variable, board.substr(colon + 1), 0, board_->slots() - 1);
  }
}

Communicator::~Communicator() = default;

std::shared_ptr<Communicator> Communicator::join(const launch::World& world, const JoinOptions& options) {
  std::shared_ptr<Communicator> communicator(new Communicator(world, options));
  if (world.size > 1) {
    communicator->meet();
    communicator->agree();
    communicator->lifeline_ = std::make_unique<Lifeline>(communicator->store_, world.rank);
    communicator->transport_ = std::make_unique<Transport>(communicator->device(), world.master_address);
  }
  communicator->heartbeat("starting");
  return communicator;
}

c10::Device Communicator::device() const {
  if (options_.device == c10::DeviceType::CPU) return options_.device;
  return {options_.device, static_cast<c10::DeviceIndex>(world_.local_rank)};
}

void Communicator::meet() {
  quieten_libtorch();
  const Mark mark(*this,
                  fmt::format("connecting to rank 0 at {}:{}", world_.master_address, world_.master_port));
  // Each attempt of an elastic job meets in a place of its own, should the store outlive the attempt.
  const std::string attempt = fmt::format("primus/{}/{}", environment_text("TORCHELASTIC_RUN_ID"),
                                          environment_text("TORCHELASTIC_RESTART_COUNT"));
  const NoticeOfWaiting notice(
      options_, fmt::format("rank {} of {} tries to reach rank 0 at {}:{}, for at most {} s. {}", world_.rank,
                            world_.size, world_.master_address, world_.master_port,
                            seconds_of(options_.rendezvous_timeout), way_out(world_)));
  store_ = c10::make_intrusive<c10d::PrefixStore>(attempt, open_store(world_, options_));
}

/// Empty when a rank that said `hello` belongs to this run, else what is wrong with it.
std::string Communicator::problem_of(const std::string& hello) const {
  const auto other = nlohmann::json::parse(hello);
  const int rank = other.at("rank");
  if (other.at("size") != world_.size) {
    return fmt::format("rank {} on {} was started for {} ranks, rank 0 for {}", rank,
                       other.at("host").get<std::string>(), other.at("size").get<int>(), world_.size);
  }
  if (other.at("fingerprint") != options_.fingerprint) {
    return fmt::format(
        "rank {} on {} was started with a different configuration from rank 0: start all ranks with the same "
        "file, overrides and environment",
        rank, other.at("host").get<std::string>());
  }
  return "";
}

void Communicator::agree() {
  const Mark mark(*this, "waiting for all ranks to appear");
  const nlohmann::json hello = {{"rank", world_.rank},
                                {"size", world_.size},
                                {"host", host_name()},
                                {"fingerprint", options_.fingerprint}};
  if (store_->add(fmt::format("claim/{}", world_.rank), 1) > 1) {
    throw UserError(fmt::format("two processes were started as rank {}", world_.rank));
  }
  store_->set(hello_key(world_.rank), hello.dump());

  if (world_.rank == 0) store_->set(verdict_key, judge_all());
  std::string verdict;
  try {
    // Rank 0 gives its verdict after its own time-out, so the others wait a little longer.
    store_->wait({verdict_key}, options_.rendezvous_timeout + std::chrono::seconds(10));
    verdict = store_->get_to_str(verdict_key);
    store_->add(heard_key, 1);
  } catch (const std::exception&) {
    throw Error(fmt::format("rank {} lost rank 0 while waiting for the others to appear", world_.rank));
  }
  if (verdict == fmt::format("{}{}", accepted, world_.size)) return;
  if (world_.rank == 0) wait_until_heard();
  if (!verdict.starts_with(accepted)) throw UserError(verdict);
  throw UserError(fmt::format("rank {} was started for {} ranks, rank 0 for {}", world_.rank, world_.size,
                              verdict.substr(accepted.size())));
}

/// Rank 0 gives the others the usual time to come, and then says who is missing.
void Communicator::say_who_is_missing() const {
  const auto deadline = std::chrono::steady_clock::now() + usual_wait;
  std::vector<int> missing(static_cast<std::size_t>(world_.size - 1));
  std::iota(missing.begin(), missing.end(), 1);
  const auto has_come = [this](int rank) { return store_->check({hello_key(rank)}); };
  for (std::erase_if(missing, has_come); !missing.empty(); std::erase_if(missing, has_come)) {
    if (std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (missing.empty() || !options_.on_wait) return;
  options_.on_wait(fmt::format("rank 0 waits at {}:{}, for at most {} s, for {} of {} ranks: {}. {}",
                               world_.master_address, world_.master_port,
                               seconds_of(options_.rendezvous_timeout), missing.size(), world_.size,
                               fmt::join(missing, " "), way_out(world_)));
}

/// Rank 0's judgement of all the others: whether they came, and whether they belong to this run. After a
/// refusal it still waits a little for the rest: a rank that comes when rank 0 has ended would look for it
/// until its own time-out.
std::string Communicator::judge_all() const {
  using std::chrono::milliseconds;
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds grace{5};
  auto deadline = Clock::now() + options_.rendezvous_timeout;
  std::string problem;
  std::vector<int> missing;
  say_who_is_missing();
  for (int rank = 1; rank < world_.size; ++rank) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    try {
      store_->wait({hello_key(rank)}, std::max(left, milliseconds(1)));
    } catch (const std::exception&) {
      missing.push_back(rank);
      continue;
    }
    if (!problem.empty()) continue;
    problem = problem_of(store_->get_to_str(hello_key(rank)));
    if (!problem.empty()) deadline = std::min<Clock::time_point>(deadline, Clock::now() + grace);
  }
  if (!problem.empty()) return problem;
  if (missing.empty()) return fmt::format("{}{}", accepted, world_.size);
  return fmt::format("{} of {} ranks did not appear within {} s: ranks {}. {}", missing.size(), world_.size,
                     seconds_of(options_.rendezvous_timeout), fmt::join(missing, " "), way_out(world_));
}

/// Keeps rank 0's store open, after a refusal, until the ranks that are there have read it (at most 2 s).
void Communicator::wait_until_heard() const {
  constexpr int attempts = 100;
  const auto there = [this] {
    int count = 0;
    for (int rank = 0; rank < world_.size; ++rank) count += store_->check({hello_key(rank)}) ? 1 : 0;
    return count;
  };
  for (int i = 0; i < attempts && store_->add(heard_key, 0) < there(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Group Communicator::group(const std::string& name, const std::vector<int>& ranks) {
  return Group(shared_from_this(), name, ranks);
}

void Communicator::heartbeat(const std::string& text) {
  if (!board_) return;
  board_->add_progress(board_slot_);
  const std::lock_guard lock(mutex_);
  last_text_ = text;
  publish();
}

void Communicator::blame_others() {
  if (board_) board_->blame_others(board_slot_);
}

void Communicator::publish() {
  if (active_.empty()) {
    board_->say(board_slot_, last_text_);
    return;
  }
  std::vector<std::string_view> texts;
  for (const auto& [id, text] : active_) texts.push_back(text);
  board_->say(board_slot_, fmt::format("{}; {}", fmt::join(texts, " and "), last_text_));
}

Communicator::Mark::Mark(Communicator& communicator, std::string text) : communicator_(communicator), id_(0) {
  if (!communicator_.board_) return;
  const std::lock_guard lock(communicator_.mutex_);
  id_ = communicator_.next_mark_++;
  communicator_.active_.emplace(id_, std::move(text));
  communicator_.publish();
}

Communicator::Mark::~Mark() {
  // What failed stays on the board: it is what the supervisor wants to know.
  if (!communicator_.board_ || std::uncaught_exceptions() > 0) return;
  communicator_.board_->add_progress(communicator_.board_slot_);
  const std::lock_guard lock(communicator_.mutex_);
  communicator_.active_.erase(id_);
  communicator_.publish();
}

}  // namespace primus::parallel
