#include "launch/direct.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "core/error.h"
#include "core/file.h"
#include "core/signals.h"

namespace primus::cli {

namespace {

/// What `direct` is told on the command line.
struct Options {
  launch::DirectOptions direct;
  std::string file;
  std::string log_file;
  std::string show_ranks = "ends";
  bool dry_run = false;
  bool silent = false;
};

/// Makes a file in logs/ that no other launch has: two may begin within one second. Throws Error.
std::string make_default_log_file(int node, int nodes) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y%m%d_%H%M%S", &parts);
  const std::string name = fmt::format("logs/log_{}{}", stamp, nodes > 1 ? fmt::format("_node{}", node) : "");
  make_directories("logs");
  for (int number = 1;; ++number) {
    const std::string path = name + (number == 1 ? ".txt" : fmt::format("_{}.txt", number));
    const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.valid()) return path;
    if (errno != EEXIST) throw SystemError("cannot create " + path, errno);
  }
}

/// Copies the ranks' lines: all into the log file, each with its rank, and those of the shown ranks to this
/// process's own outputs.
class Output {
 public:
  Output(const Options& options, const launch::SupervisorOptions& plan, const std::string& log_file)
      : silent_(options.silent), path_(log_file) {
    const int world = plan.nodes * plan.local_ranks;
    all_ = options.show_ranks == "all";
    if (options.show_ranks == "ends") {
      shown_ = {0, world - 1};
    } else if (!all_) {
      std::string rest = options.show_ranks + ",";
      for (std::size_t comma; (comma = rest.find(',')) != std::string::npos; rest.erase(0, comma + 1)) {
        shown_.insert(launch::parse_number("--show_ranks", rest.substr(0, comma), 0, world - 1));
      }
    }
    if (path_.empty()) return;
    if (path_.has_parent_path()) make_directories(path_.parent_path());
    file_ = open_for_writing(path_);
  }

  void line(int rank, bool is_error, std::string_view text) {
    write_to_file(fmt::format("[{}] {}\n", rank, text));
    if (!all_ && !shown_.contains(rank)) return;
    if (silent_ && !is_error) return;
    if (is_error && was_said_by_another(rank, text)) return;
    write_to(is_error ? stderr : stdout, fmt::format("{}\n", text));
  }

  void message(const std::string& text) {
    const std::string whole = fmt::format("primus: {}\n", text);
    write_to_file(whole);
    write_to(stderr, whole);
  }

 private:
  /// What is wrong with the input every rank finds, and says, by itself: a reader needs it once.
  bool was_said_by_another(int rank, std::string_view text) {
    constexpr std::size_t kept = 100;
    const auto [found, is_new] = said_.emplace(text, rank);
    if (is_new) order_.push_back(found);
    if (order_.size() > kept) {
      said_.erase(order_.front());
      order_.pop_front();
    }
    return !is_new && found->second != rank;
  }

  static void write_to(std::FILE* stream, const std::string& text) {
    const bool failed = std::fputs(text.c_str(), stream) == EOF || std::fflush(stream) != 0;
    // The training goes on without a reader; a full disk is reported at its end.
    if (failed && errno == EPIPE) std::clearerr(stream);
  }

  /// A full disk must not end the training: the log file then just stops.
  void write_to_file(const std::string& text) {
    if (file_.valid() && ::write(file_.get(), text.data(), text.size()) < 0) file_.close();
  }

  bool silent_;
  bool all_ = false;
  std::set<int> shown_;
  /// The last lines of error output and who said each first.
  std::map<std::string, int> said_;
  std::deque<std::map<std::string, int>::iterator> order_;
  std::filesystem::path path_;
  FileDescriptor file_;
};

void print_plan(const launch::SupervisorOptions& plan) {
  for (int local = 0; local < plan.local_ranks; ++local) {
    const launch::Command command = launch::command_of_rank(plan, local, plan.master_port);
    std::vector<std::string> words = {"env"};
    for (const auto& [name, value] : command.environment) words.push_back(fmt::format("{}={}", name, value));
    words.insert(words.end(), command.words.begin(), command.words.end());
    std::fputs((launch::shell_line(words) + "\n").c_str(), stdout);
  }
  if (plan.master_port == 0)
    std::fputs("# MASTER_PORT=0 stands for a free port that is chosen at start\n", stdout);
}

void run_direct(Options options, const std::vector<std::string>& command) {
  const Environment environment = process_environment();
  const launch::LauncherFile file = launch::find_launcher_file(options.file, environment);
  options.direct.command = {launch::this_program()};
  options.direct.command.insert(options.direct.command.end(), command.begin(), command.end());
  launch::SupervisorOptions plan = launch::plan_direct(options.direct, file, environment);
  if (options.dry_run || file.flag("direct", "dry_run") || file.flag("main", "dry_run")) {
    print_plan(plan);
    return;
  }
  ignore_pipe_signal();
  launch::run_patches(options.direct, file);
  std::string log_file = options.log_file;
  if (log_file.empty()) log_file = file.value("direct", "log_file").value_or("");
  std::string problem;
  try {
    if (log_file.empty()) log_file = make_default_log_file(plan.node, plan.nodes);
  } catch (const Error& error) {
    // Not a reason to fail: the ranks have log files of their own in the run's directory.
    problem = fmt::format("this launch has no log file: {} (choose another with --log_file)", error.what());
  }
  Output output(options, plan, log_file);
  if (!problem.empty()) output.message(problem);
  plan.on_line = [&](int rank, bool is_error, std::string_view text) { output.line(rank, is_error, text); };
  plan.on_message = [&](const std::string& text) { output.message(text); };
  const int code = launch::supervise(plan);
  if (code != 0) throw ExitCode(code);
}

void add_options(CLI::App& command, Options& options) {
  launch::DirectOptions& direct = options.direct;
  command.add_option("--config", options.file, "The launcher's own file (default ~/.primus.yaml)");
  command.add_option("--nproc_per_node,--nproc-per-node", direct.local_ranks,
                     "Ranks on this machine (GPUS_PER_NODE, else 1)");
  command.add_option("--nnodes", direct.nodes, "Machines (NNODES, else 1)");
  command.add_option("--node_rank,--node-rank", direct.node, "This machine's number (NODE_RANK, else 0)");
  command.add_option("--master_addr,--master-addr", direct.master_address,
                     "Address of the first machine (MASTER_ADDR, else the first of the Slurm job; on one "
                     "machine localhost)");
  command.add_option("--master_port,--master-port", direct.master_port,
                     "Port of the rendezvous (MASTER_PORT, else a free one; on several machines 1234)");
  command.add_flag("--single", direct.single, "Run one process");
  command.add_option("--threads", direct.threads_per_rank, "CPU threads of each rank (else cores / ranks)")
      ->check(CLI::PositiveNumber);
  command.add_flag("--numa,!--no-numa", direct.numa, "Bind each rank to the cores of one NUMA node");
  command
      .add_option("--max_restarts,--max-restarts", direct.max_restarts,
                  "How many times to restart the ranks after a failure")
      ->check(CLI::NonNegativeNumber);
  command
      .add_option("--hang_timeout,--hang-timeout", direct.hang_timeout_seconds,
                  "End the run when no rank has made progress for this many seconds")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--env", direct.env, "KEY=VALUE for the ranks, or a shell file to take variables from")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command
      .add_option("--patch", direct.patches, "Shell script to run first; status 2 means it had nothing to do")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--log_file,--log-file", options.log_file,
                     "Receives the output of all ranks (default logs/log_DATE_TIME.txt)");
  command.add_option("--show_ranks,--show-ranks", options.show_ranks,
                     "Ranks whose output is shown: ends (first and last), all, or a list such as 0,3");
  command.add_flag("--silent", options.silent, "Show only errors; the log file has everything");
  command.add_flag("--debug", direct.debug, "Set PRIMUS_LOG_LEVEL=DEBUG");
  command.add_flag("--dry-run,--dry_run", options.dry_run, "Print what would be run and stop");
  command.add_option_function<std::string>(
      "--script",
      [](const std::string&) {
        throw UserError("--script is not supported: the ranks run this program itself");
      },
      "Refused: the ranks run this program");
}

}  // namespace

void add_direct(CLI::App& program, const std::vector<std::string>& words) {
  auto options = std::make_shared<Options>();
  CLI::App* command = program.add_subcommand("direct", "Start and supervise the ranks of this machine");
  command->footer(
      "What follows, best after --, is the command that every rank runs: train pretrain --config ...");
  command->prefix_command();
  add_options(*command, *options);
  command->callback([command, options, words] {
    // Without "--" the command begins at the first word that is no option.
    std::vector<std::string> ranks_command = command->remaining();
    if (!words.empty()) ranks_command.insert(ranks_command.end(), words.begin() + 1, words.end());
    run_direct(*options, ranks_command);
  });
}

}  // namespace primus::cli
