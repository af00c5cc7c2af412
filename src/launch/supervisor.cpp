#include "launch/supervisor.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/signals.h"
#include "launch/cpus.h"
#include "launch/process.h"
#include "launch/status_board.h"
#include "launch/world.h"

namespace primus::launch {

namespace {

using Clock = std::chrono::steady_clock;

/// How long the ranks have to end by themselves after one of them failed: they report the broken connection
/// in that time. Together with the kill it stays well below five seconds.
constexpr std::chrono::milliseconds grace{2000};
constexpr std::chrono::milliseconds tick{200};
/// How long to look for the rank at fault when one has ended that blames the others.
constexpr std::chrono::milliseconds search{1000};
constexpr std::size_t kept_lines = 12;
constexpr int bad_input = 2;
constexpr int killed_by_user = 128 + SIGKILL;

/// Splits a stream into lines.
struct LineReader {
  std::string rest;

  template <typename OnLine>
  void feed(std::string_view bytes, const OnLine& on_line) {
    rest += bytes;
    std::size_t begin = 0;
    for (std::size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
      on_line(std::string_view(rest).substr(begin, end - begin));
    }
    rest.erase(0, begin);
  }

  template <typename OnLine>
  void finish(const OnLine& on_line) {
    if (!rest.empty()) on_line(rest);
    rest.clear();
  }
};

struct Stream {
  FileDescriptor file;
  LineReader lines;
  bool is_error;
};

struct Rank {
  int rank;
  pid_t pid;
  std::array<Stream, 2> streams;
  std::deque<std::string> last_lines;
  std::optional<int> status;
  std::uint64_t progress = 0;
};

bool asks_to_stop(int number) {
  return std::find(stop_signals.begin(), stop_signals.end(), number) != stop_signals.end();
}

/// Signals arrive as bytes to read instead of interrupting; the ranks start with the mask of before. Under
/// nohup SIGHUP stays ignored.
class SignalQueue {
 public:
  SignalQueue() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    const auto add = [&](const auto& numbers) {
      for (const int number : numbers) sigaddset(&wanted, number);
    };
    add(stop_signals);
    add(save_signals);
    add(other_exit_signals);
    if (ignores_hangup()) sigdelset(&wanted, SIGHUP);
    ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    file_ = FileDescriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!file_.valid()) throw SystemError("cannot watch for signals", errno);
  }
  ~SignalQueue() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;

  int descriptor() const { return file_.get(); }
  const sigset_t& mask_before() const { return before_; }

  /// What has arrived since the last call, for the ranks.
  std::vector<int> take() {
    std::vector<int> numbers;
    signalfd_siginfo info{};
    while (::read(file_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) numbers.push_back(static_cast<int>(info.ssi_signo));
    }
    return numbers;
  }

 private:
  sigset_t before_{};
  FileDescriptor file_;
};

struct Listener {
  FileDescriptor file;
  int port = 0;
};

Listener listen_on_free_port() {
  Listener listener{FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener.file.valid() || ::bind(listener.file.get(), generic, size) != 0 ||
      ::listen(listener.file.get(), SOMAXCONN) != 0 ||
      ::getsockname(listener.file.get(), generic, &size) != 0) {
    throw SystemError("cannot open a port for the rendezvous", errno);
  }
  listener.port = ntohs(address.sin_port);
  return listener;
}

/// The fields of /proc/PID/stat after the program's name: state ('R', 'S', 'T', ...), parent, ...; empty when
/// the process is gone.
std::vector<std::string> process_fields(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos) return {};
  std::istringstream rest(text.substr(close + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

bool is_stopped(pid_t pid) {
  const auto fields = process_fields(std::to_string(pid));
  return !fields.empty() && (fields[0] == "T" || fields[0] == "t");
}

std::vector<pid_t> children_of_this_process() {
  std::vector<pid_t> children;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::vector<std::string> fields = process_fields(name);
    if (fields.size() > 1 && fields[1] == std::to_string(::getpid())) children.push_back(std::stoi(name));
  }
  return children;
}

/// One start of all local ranks, until none is left.
class Attempt {
 public:
  Attempt(const SupervisorOptions& options, SignalQueue& signals, int restarts, std::int64_t run_began)
      : options_(options),
        signals_(signals),
        restarts_(restarts),
        run_began_(run_began),
        board_(StatusBoard::create(options.local_ranks)) {}
  ~Attempt() { kill_everything(); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  /// The exit code of the attempt.
  int run();
  bool stopped_by_user() const { return stop_requests_ > 0; }

 private:
  void start_all();
  Command command_of(int local_rank, const Listener& listener) const;
  void wait_for_news();
  void read_output(Rank& rank, Stream& stream);
  void reap();
  void ended(Rank& rank, int status);
  void handle_signals();
  void handle_stop_request(int number);
  void check_for_hang();
  void settle_on_victim();
  void fail_because_of(const Rank& rank);
  void fail(const std::string& reason, const Rank* culprit, int code);
  std::string states_of_others(const Rank* culprit) const;
  void signal_all(int number) const;
  void kill_everything();
  bool all_ended() const;

  const SupervisorOptions& options_;
  SignalQueue& signals_;
  int restarts_;
  std::int64_t run_began_;
  StatusBoard board_;
  std::vector<Rank> ranks_;
  int stop_requests_ = 0;
  /// Of them those that kill when there are two.
  int kill_requests_ = 0;
  int code_ = 0;
  std::optional<Clock::time_point> failed_at_;
  /// The first rank that ended because another did, as it says.
  const Rank* victim_ = nullptr;
  Clock::time_point victim_at_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point last_progress_ = Clock::now();
};

Command Attempt::command_of(int local_rank, const Listener& listener) const {
  const bool holds_port = listener.file.valid();
  Command command = command_of_rank(options_, local_rank, holds_port ? listener.port : options_.master_port);
  command.environment[restart_count_variable] = std::to_string(restarts_);
  command.environment[run_began_variable] = std::to_string(run_began_);
  command.environment[status_board_variable] = fmt::format("{}:{}", board_.descriptor(), local_rank);
  if (holds_port && command.environment["RANK"] == "0") {
    command.inherited_descriptor = listener.file.get();
    command.environment["PRIMUS_STORE_DESCRIPTOR"] = std::to_string(listener.file.get());
  }
  return command;
}

void Attempt::start_all() {
  Listener listener;
  if (options_.master_port == 0) listener = listen_on_free_port();
  for (int local = 0; local < options_.local_ranks; ++local) {
    Child child = start(command_of(local, listener), signals_.mask_before());
    ranks_.push_back(
        Rank{.rank = options_.node * options_.local_ranks + local,
             .pid = child.pid,
             .streams = {Stream{std::move(child.out), {}, false}, Stream{std::move(child.err), {}, true}},
             .last_lines = {},
             .status = {}});
  }
}

void Attempt::wait_for_news() {
  std::vector<pollfd> waiting = {{signals_.descriptor(), POLLIN, 0}};
  std::vector<std::pair<Rank*, Stream*>> sources;
  for (Rank& rank : ranks_) {
    for (Stream& stream : rank.streams) {
      if (!stream.file.valid()) continue;
      waiting.push_back({stream.file.get(), POLLIN, 0});
      sources.emplace_back(&rank, &stream);
    }
  }
  if (::poll(waiting.data(), waiting.size(), static_cast<int>(tick.count())) <= 0) return;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (waiting[i + 1].revents != 0) read_output(*sources[i].first, *sources[i].second);
  }
}

void Attempt::read_output(Rank& rank, Stream& stream) {
  std::array<char, 16384> buffer;
  const ssize_t count = ::read(stream.file.get(), buffer.data(), buffer.size());
  const auto on_line = [&](std::string_view line) {
    if (rank.last_lines.size() == kept_lines) rank.last_lines.pop_front();
    rank.last_lines.emplace_back(line);
    if (options_.on_line) options_.on_line(rank.rank, stream.is_error, line);
  };
  if (count > 0) {
    stream.lines.feed({buffer.data(), static_cast<std::size_t>(count)}, on_line);
  } else if (count == 0 || errno != EINTR) {
    stream.lines.finish(on_line);
    stream.file.close();
  }
}

void Attempt::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    // Others are orphans of the ranks, which this process adopts as their subreaper.
    for (Rank& rank : ranks_) {
      if (rank.pid == pid) ended(rank, status);
    }
  }
}

void Attempt::ended(Rank& rank, int status) {
  // What is still in its pipes belongs to the message; a process that it left behind may hold them open.
  for (Stream& stream : rank.streams) {
    pollfd readable = {stream.file.get(), POLLIN, 0};
    while (stream.file.valid() && ::poll(&readable, 1, 0) > 0) read_output(rank, stream);
  }
  rank.status = status;
  if (status == 0 || failed_at_) return;
  // The signal that asks for the end ends a rank that has not begun to train.
  if (stop_requests_ > 0 && WIFSIGNALED(status)) {
    code_ = exit_code_of(status);
    return;
  }
  if (board_.read(static_cast<int>(&rank - ranks_.data())).blames_others) {
    if (victim_ == nullptr) victim_at_ = Clock::now();
    if (victim_ == nullptr) victim_ = &rank;
    return;
  }
  fail_because_of(rank);
}

/// When nobody worse is found, the first that ended is named.
void Attempt::settle_on_victim() {
  if (failed_at_ || victim_ == nullptr) return;
  if (Clock::now() - victim_at_ > search || all_ended()) fail_because_of(*victim_);
}

void Attempt::fail_because_of(const Rank& rank) {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  fail(fmt::format("rank {} (pid {}) {} after {:.1f} s", rank.rank, rank.pid, describe_end(*rank.status),
                   seconds),
       &rank, exit_code_of(*rank.status));
}

void Attempt::fail(const std::string& reason, const Rank* culprit, int code) {
  std::string message = reason;
  if (culprit != nullptr && !culprit->last_lines.empty()) {
    message += fmt::format("\n  last lines of rank {}:", culprit->rank);
    for (const std::string& line : culprit->last_lines) message += "\n    " + line;
  }
  // Of bad input the reason is enough.
  if (code != bad_input) message += states_of_others(culprit);
  options_.on_message(message);
  code_ = code;
  failed_at_ = Clock::now();
}

std::string Attempt::states_of_others(const Rank* culprit) const {
  std::string text;
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    if (&ranks_[i] == culprit) continue;
    const RankStatus status = board_.read(static_cast<int>(i));
    std::string state;
    if (ranks_[i].status) state = describe_end(*ranks_[i].status);
    if (!ranks_[i].status && is_stopped(ranks_[i].pid)) state = "is stopped (SIGSTOP)";
    if (!status.text.empty()) {
      state += fmt::format("{}{} (for {:.1f} s)", state.empty() ? "" : ", ", status.text,
                           std::chrono::duration<double>(status.since).count());
    }
    if (state.empty()) state = "has not reported what it is doing";
    text += fmt::format("\n    rank {}: {}", ranks_[i].rank, state);
  }
  return text.empty() ? "" : (culprit == nullptr ? "\n  the ranks:" : "\n  the other ranks:") + text;
}

/// The ranks know what to do about the others: save, or end when `exit_signal` names it.
void Attempt::handle_signals() {
  for (const int number : signals_.take()) {
    if (asks_to_stop(number)) {
      handle_stop_request(number);
    } else {
      signal_all(number);
    }
  }
}

void Attempt::handle_stop_request(int number) {
  if (++stop_requests_ == 1) {
    options_.on_message("stopping: asking the ranks to save and end (a second signal kills them)");
    signal_all(SIGTERM);
  }
  // A closed terminal is no impatience, and sends its signal more than once.
  if (number != SIGHUP && ++kill_requests_ == 2) {
    code_ = killed_by_user;
    signal_all(SIGKILL);
  }
}

void Attempt::check_for_hang() {
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    const std::uint64_t progress = board_.read(static_cast<int>(i)).progress;
    if (std::exchange(ranks_[i].progress, progress) != progress) last_progress_ = Clock::now();
  }
  if (failed_at_ || options_.hang_timeout.count() == 0) return;
  if (Clock::now() - last_progress_ < options_.hang_timeout) return;
  fail(fmt::format("the run hangs: no rank has made progress for {:.0f} s",
                   std::chrono::duration<double>(options_.hang_timeout).count()),
       nullptr, 1);
}

/// A stopped process hears of SIGTERM only when it is continued.
void Attempt::signal_all(int number) const {
  for (const Rank& rank : ranks_) {
    if (rank.status) continue;
    ::kill(-rank.pid, number);
    if (number != SIGKILL) ::kill(-rank.pid, SIGCONT);
  }
}

bool Attempt::all_ended() const {
  return std::all_of(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return rank.status.has_value(); });
}

/// Kills the ranks that are left, and then what they have left behind: orphans become this process's
/// children, for it is their subreaper.
void Attempt::kill_everything() {
  for (const Rank& rank : ranks_) {
    if (!rank.status) ::kill(-rank.pid, SIGKILL);
  }
  do {
    for (const pid_t child : children_of_this_process()) ::kill(child, SIGKILL);
  } while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

int Attempt::run() {
  start_all();
  while (!all_ended()) {
    wait_for_news();
    reap();
    settle_on_victim();
    handle_signals();
    check_for_hang();
    if (failed_at_ && Clock::now() - *failed_at_ > grace) signal_all(SIGKILL);
  }
  return code_;
}

}  // namespace

Command command_of_rank(const SupervisorOptions& options, int local_rank, int port) {
  Command command{.words = options.command, .environment = options.environment};
  auto& environment = command.environment;
  environment["RANK"] = std::to_string(options.node * options.local_ranks + local_rank);
  environment["WORLD_SIZE"] = std::to_string(options.nodes * options.local_ranks);
  environment["LOCAL_RANK"] = std::to_string(local_rank);
  environment["LOCAL_WORLD_SIZE"] = std::to_string(options.local_ranks);
  environment["MASTER_ADDR"] = options.master_address;
  environment["MASTER_PORT"] = std::to_string(port);
  if (options.threads_per_rank > 0) {
    environment["OMP_NUM_THREADS"] = std::to_string(options.threads_per_rank);
  } else if (std::getenv("OMP_NUM_THREADS") == nullptr && !environment.contains("OMP_NUM_THREADS")) {
    environment["OMP_NUM_THREADS"] = std::to_string(std::max(1, available_cpus() / options.local_ranks));
  }
  if (options.bind_to_numa) command.cpus = numa_cpus_for(local_rank, options.local_ranks);
  return command;
}

int supervise(const SupervisorOptions& options) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  SignalQueue signals;
  const std::int64_t run_began = std::time(nullptr);
  for (int restarts = 0;; ++restarts) {
    Attempt attempt(options, signals, restarts, run_began);
    const int code = attempt.run();
    if (code == 0 || code == bad_input || attempt.stopped_by_user()) return code;
    if (restarts == options.max_restarts) return code;
    options.on_message(fmt::format("restart {} of {}", restarts + 1, options.max_restarts));
  }
}

}  // namespace primus::launch
