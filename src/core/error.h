#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace primus {

/// A place in a file of the user's: `file:line`, or the file alone when `line` is 0.
struct Where {
  std::string file;
  int line = 0;

  bool operator==(const Where&) const = default;
};

std::string to_string(const Where& where);

/// Any failure that ends the program with one message and exit code 1 (failed while running).
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The user's input is at fault: exit code 2. The message says what is wrong, where, and what to do.
class UserError : public Error {
 public:
  using Error::Error;
  /// At a place, unless that is nowhere.
  UserError(const Where& where, const std::string& message)
      : Error(where.file.empty() ? message : to_string(where) + ": " + message) {}
};

/// A call to the operating system failed; the message ends with errno's text.
class SystemError : public Error {
 public:
  /// `what` says what was tried, e.g. "cannot write /a/b".
  SystemError(const std::string& what, int error_number);
  int error_number() const { return error_number_; }

 private:
  int error_number_;
};

/// Throws for a call that failed on a file. What is wrong with the path itself (there is no such file, no
/// permission, a directory in its place) is the user's to correct: UserError. The rest (a full or failing
/// disk, too many open files) is SystemError.
[[noreturn]] void throw_file_error(const std::string& what, int error_number);

/// Runs `step`; what it finds wrong with the user's input is said to be at `where`.
template <typename Step>
auto blame(const Where& where, const Step& step) {
  try {
    return step();
  } catch (const UserError& error) {
    throw UserError(where, error.what());
  }
}

/// Throws `UserError` with a message in fmt's format.
template <typename... Args>
[[noreturn]] void throw_user_error(fmt::format_string<Args...> format, Args&&... args) {
  throw UserError(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace primus
