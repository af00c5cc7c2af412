#include "launch/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "core/signals.h"

extern char** environ;

namespace primus::launch {

namespace {

constexpr int cannot_execute = 127;

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw SystemError("cannot make a pipe", errno);
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (changes.contains(std::string(text.substr(0, text.find('='))))) continue;
    result.emplace_back(text);
  }
  for (const auto& [name, value] : changes) result.push_back(fmt::format("{}={}", name, value));
  return result;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// Everything the child needs, made before the fork: after it only plain system calls are allowed.
struct Prepared {
  std::vector<std::string> words, environment;
  std::vector<char*> word_pointers, environment_pointers;
  int out, err, inherited;
  const sigset_t* signals;
  cpu_set_t cpus;
  bool bind;
  pid_t parent;
};

[[noreturn]] void become(const Prepared& prepared) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  if (::getppid() != prepared.parent) ::_exit(cannot_execute);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(prepared.out, STDOUT_FILENO);
  ::dup2(prepared.err, STDERR_FILENO);
  if (prepared.inherited >= 0) ::fcntl(prepared.inherited, F_SETFD, 0);
  if (prepared.bind) ::sched_setaffinity(0, sizeof prepared.cpus, &prepared.cpus);
  restore_write_signals();
  ::sigprocmask(SIG_SETMASK, prepared.signals, nullptr);
  ::execvpe(prepared.word_pointers[0], prepared.word_pointers.data(), prepared.environment_pointers.data());
  const char* reason = std::strerror(errno);
  for (const char* text :
       {"cannot execute ", static_cast<const char*>(prepared.word_pointers[0]), ": ", reason, "\n"}) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  ::_exit(cannot_execute);
}

}  // namespace

Child start(const Command& command, const sigset_t& signals) {
  Pipe out = make_pipe(), err = make_pipe();
  Prepared prepared{.words = command.words,
                    .environment = merged_environment(command.environment),
                    .word_pointers = {},
                    .environment_pointers = {},
                    .out = out.write_end.get(),
                    .err = err.write_end.get(),
                    .inherited = command.inherited_descriptor,
                    .signals = &signals,
                    .cpus = {},
                    .bind = !command.cpus.empty(),
                    .parent = ::getpid()};
  prepared.word_pointers = pointers_to(prepared.words);
  prepared.environment_pointers = pointers_to(prepared.environment);
  CPU_ZERO(&prepared.cpus);
  for (const int cpu : command.cpus) CPU_SET(cpu, &prepared.cpus);
  const pid_t pid = ::fork();
  if (pid < 0) throw SystemError(fmt::format("cannot start {}", command.words.front()), errno);
  if (pid == 0) become(prepared);
  // Both sides set the group, so that it exists whoever runs first.
  ::setpgid(pid, pid);
  return {pid, std::move(out.read_end), std::move(err.read_end)};
}

Finished run_to_end(const Command& command) {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  Child child = start(command, mask);
  Finished finished;
  std::array<pollfd, 2> waiting = {pollfd{child.out.get(), POLLIN, 0}, pollfd{child.err.get(), POLLIN, 0}};
  while (waiting[0].fd >= 0 || waiting[1].fd >= 0) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
    for (pollfd& source : waiting) {
      if (source.fd < 0 || source.revents == 0) continue;
      std::array<char, 4096> buffer;
      const ssize_t count = ::read(source.fd, buffer.data(), buffer.size());
      if (count <= 0) {
        source.fd = -1;
      } else if (&source == waiting.data()) {
        finished.output.append(buffer.data(), static_cast<std::size_t>(count));
      } else if (::write(STDERR_FILENO, buffer.data(), static_cast<std::size_t>(count)) < 0) {
        break;
      }
    }
  }
  while (::waitpid(child.pid, &finished.status, 0) < 0 && errno == EINTR) {
  }
  return finished;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

int exit_code_of(int status) {
  constexpr int signal_base = 128;
  return WIFSIGNALED(status) ? signal_base + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string shell_line(const std::vector<std::string>& words) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

std::string this_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) throw Error("cannot find this program's own path: " + error.message());
  return path.string();
}

}  // namespace primus::launch
