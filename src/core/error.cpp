#include "core/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace primus {

std::string to_string(const Where& where) {
  return where.line > 0 ? fmt::format("{}:{}", where.file, where.line) : where.file;
}

SystemError::SystemError(const std::string& what, int error_number)
    : Error(fmt::format("{}: {}", what, std::strerror(error_number))), error_number_(error_number) {}

void throw_file_error(const std::string& what, int error_number) {
  constexpr std::array of_the_path = {ENOENT, ENOTDIR, EISDIR, EEXIST, EACCES, EPERM, ELOOP, ENAMETOOLONG};
  const SystemError error(what, error_number);
  if (std::find(of_the_path.begin(), of_the_path.end(), error_number) != of_the_path.end())
    throw UserError(error.what());
  throw error;
}

}  // namespace primus
