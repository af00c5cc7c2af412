#include "core/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "core/file.h"

namespace primus {

namespace {

constexpr std::array all_levels = {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error};
constexpr std::size_t rotate_at_bytes = 10u << 20;
constexpr std::size_t minimum_location_width = 23;
/// A logger that never gets files does not collect for ever.
constexpr std::size_t max_early_lines = 1000;

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d %H:%M:%S", &parts);
  return text;
}

std::string host_address() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string_view level_color(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "\033[34m";
    case LogLevel::info: return "\033[1m";
    case LogLevel::warning: return "\033[33m";
    case LogLevel::error: return "\033[31m";
  }
  return "";
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warning: return "WARNING";
    case LogLevel::error: return "ERROR";
  }
  return "";
}

LogLevel parse_log_level(std::string_view text) {
  std::string upper;
  for (const char c : text) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (upper == "WARN") return LogLevel::warning;
  if (upper == "FATAL" || upper == "CRITICAL") return LogLevel::error;
  for (const LogLevel level : all_levels) {
    if (upper == to_string(level)) return level;
  }
  throw_user_error("unknown log level '{}': use DEBUG, INFO, WARNING or ERROR", text);
}

/// One severity's file. A write that fails is dropped: logging never ends a run.
struct LogFile {
  LogLevel level;
  std::filesystem::path path;
  FileDescriptor file;
  std::size_t size = 0;

  void open() {
    file = FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    std::error_code ignored;
    const auto existing = std::filesystem::file_size(path, ignored);
    size = ignored ? 0 : static_cast<std::size_t>(existing);
  }

  void write(const std::string& line) {
    if (!file.valid()) return;
    if (size + line.size() > rotate_at_bytes) rotate();
    const ssize_t written = ::write(file.get(), line.data(), line.size());
    if (written > 0) size += static_cast<std::size_t>(written);
  }

  void rotate() {
    std::error_code ignored;
    std::filesystem::rename(path, path.string() + fmt::format(".{}", std::time(nullptr)), ignored);
    open();
  }
};

struct Logger::Impl {
  explicit Impl(const LogOptions& given) : options(given), on_terminal(::isatty(STDERR_FILENO) == 1) {
    if (!options.directory.empty()) open_files(options.directory);
  }

  void open_files(const std::filesystem::path& directory) {
    make_directories(directory);
    for (const LogLevel level : all_levels) {
      if (level < options.file_level) continue;
      std::string name(to_string(level));
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      files.push_back({level, directory / (name + ".log"), FileDescriptor(), 0});
      files.back().open();
    }
    for (const auto& [level, line] : early_lines) write_to_files(level, line);
    early_lines.clear();
  }

  std::string location_text(const std::source_location& location) {
    std::string text = fmt::format("{}:{}", std::filesystem::path(location.file_name()).filename().string(),
                                   location.line());
    if (text.size() > location_width) location_width = text.size();
    return std::string(location_width - text.size(), '-') + text;
  }

  void to_console(LogLevel level, const std::string& time, const std::string& place,
                  std::string_view message) {
    const std::string tag = fmt::format("[{}]", to_string(level));
    std::string line;
    if (options.color) {
      line = fmt::format("\033[32m[{}]\033[0m\033[36m[rank-{}/{}]\033[0m{}{:<11}\033[0m[{}] : {}\n", time,
                         options.rank, options.world_size, level_color(level), tag, place, message);
    } else {
      line = fmt::format("[{}][rank-{}/{}]{:<11}[{}] : {}\n", time, options.rank, options.world_size, tag,
                         place, message);
    }
    if (!progress.empty()) line = "\r\033[K" + line + progress;
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }

  void to_files(LogLevel level, const std::string& time, const std::string& place, std::string_view message) {
    const std::string line =
        fmt::format("[{}][{}/{}][{:<11}][ip-{}][rank-{}/{}]{:<11}[{}] : {}\n", time, options.user,
                    options.team, options.module, address, options.rank, options.world_size,
                    fmt::format("[{}]", to_string(level)), place, message);
    if (files.empty()) {
      if (early_lines.size() < max_early_lines) early_lines.emplace_back(level, line);
    } else {
      write_to_files(level, line);
    }
  }

  void write_to_files(LogLevel level, const std::string& line) {
    for (LogFile& file : files) {
      if (level >= file.level) file.write(line);
    }
  }

  LogOptions options;
  bool on_terminal;
  std::string address = host_address();
  std::vector<LogFile> files;
  std::vector<std::pair<LogLevel, std::string>> early_lines;
  std::size_t location_width = minimum_location_width;
  std::string progress;
  std::mutex mutex;
};

Logger::Logger(const LogOptions& options) : impl_(std::make_unique<Impl>(options)) {}

Logger::~Logger() { set_progress_line(""); }

void Logger::log(LogLevel level, std::string_view message, const std::source_location& location) {
  const std::lock_guard lock(impl_->mutex);
  const std::string time = timestamp();
  const std::string place = impl_->location_text(location);
  if (level >= impl_->options.console_level) impl_->to_console(level, time, place, message);
  impl_->to_files(level, time, place, message);
}

void Logger::log_to_files(LogLevel level, std::string_view message, const std::source_location& location) {
  const std::lock_guard lock(impl_->mutex);
  impl_->to_files(level, timestamp(), impl_->location_text(location), message);
}

bool Logger::has_files() const {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->files.empty();
}

void Logger::open_files(const std::filesystem::path& directory) {
  const std::lock_guard lock(impl_->mutex);
  impl_->open_files(directory);
}

void Logger::set_progress_line(std::string text) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->on_terminal || (text.empty() && impl_->progress.empty())) return;
  impl_->progress = std::move(text);
  std::fputs(("\r\033[K" + impl_->progress).c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace primus
