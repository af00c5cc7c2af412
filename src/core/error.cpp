#include "core/error.h"

#include <cstring>

namespace primus {

std::string to_string(const Where& where) {
  return where.line > 0 ? fmt::format("{}:{}", where.file, where.line) : where.file;
}

SystemError::SystemError(const std::string& what, int error_number)
    : Error(fmt::format("{}: {}", what, std::strerror(error_number))), error_number_(error_number) {}

}  // namespace primus
