// The libFuzzer program: feeds the target that PRIMUS_FUZZ_TARGET names. See fuzz/README.md.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "fuzz/targets.h"

namespace {

const primus::fuzz::Target& chosen_target() {
  const char* name = std::getenv("PRIMUS_FUZZ_TARGET");
  if (name == nullptr) throw primus::Error("set PRIMUS_FUZZ_TARGET to the name of a target");
  return primus::fuzz::target_named(name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const primus::fuzz::Target& target = chosen_target();
  primus::fuzz::feed(target, {reinterpret_cast<const char*>(data), size});
  return 0;
}
