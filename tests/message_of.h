#pragma once

#include <string>

#include "core/error.h"

namespace primus::testing {

/// The message of the UserError with which `function` refuses its input; "accepted" when it does not.
template <typename Function>
std::string message_of(const Function& function) {
  try {
    function();
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace primus::testing
