#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace primus {

enum class LogLevel { debug, info, warning, error };

/// "DEBUG", "INFO", "WARNING" or "ERROR"; parsing also takes the spellings WARN and FATAL, in any case.
std::string_view to_string(LogLevel level);
/// Throws UserError for any other text.
LogLevel parse_log_level(std::string_view text);

/// What a logger needs to know about where it runs.
struct LogOptions {
  LogLevel console_level = LogLevel::info;
  LogLevel file_level = LogLevel::debug;
  int rank = 0;
  int world_size = 1;
  std::string module = "pre_trainer";
  std::string user = "root";
  std::string team = "team";
  /// The folder that receives debug.log, info.log, warning.log and error.log; empty: none before
  /// `open_files`.
  std::filesystem::path directory;
  bool color = false;
};

/// Rank-aware logger in the original's formats (config-semantics 11.1): console on stderr, and one file per
/// severity that holds its level and above, rotated at 10 MB. Safe to use from several threads.
class Logger {
 public:
  explicit Logger(const LogOptions& options = {});
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void log(LogLevel level, std::string_view message, const std::source_location& location);

  /// Starts the files of `LogOptions::directory` later, in another folder: what was logged before is written
  /// first. So a run can check its input, and say what it finds, before it writes anything. Throws UserError.
  void open_files(const std::filesystem::path& directory);

  /// Says something in the files alone: what the console hears in another way. Before there are files it is
  /// kept for them.
  void log_to_files(LogLevel level, std::string_view message,
                    const std::source_location& at = std::source_location::current());
  bool has_files() const;

  /// Text above the progress line: while a progress line is shown, messages are printed over it and it is
  /// drawn anew below. An empty text takes it away. Does nothing when stderr is no terminal.
  void set_progress_line(std::string text);

  void debug(std::string_view message, const std::source_location& at = std::source_location::current()) {
    log(LogLevel::debug, message, at);
  }
  void info(std::string_view message, const std::source_location& at = std::source_location::current()) {
    log(LogLevel::info, message, at);
  }
  void warning(std::string_view message, const std::source_location& at = std::source_location::current()) {
    log(LogLevel::warning, message, at);
  }
  void error(std::string_view message, const std::source_location& at = std::source_location::current()) {
    log(LogLevel::error, message, at);
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace primus
