// libFuzzer target: the overrides of a command line, one token a line. See fuzz/README.md.
#include <cstddef>
#include <cstdint>

#include "tests/config/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  primus::config::fuzz_tokens({reinterpret_cast<const char*>(data), size});
  return 0;
}
