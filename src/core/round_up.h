#pragma once

#include <type_traits>

namespace primus {

/// The smallest multiple of `multiple` that is not below `value`; neither may be negative.
template <class T>
constexpr T round_up(T value, std::type_identity_t<T> multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace primus
