// libFuzzer target: a YAML file. See fuzz/README.md.
#include <cstddef>
#include <cstdint>

#include "tests/config/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  primus::config::fuzz_yaml({reinterpret_cast<const char*>(data), size});
  return 0;
}
