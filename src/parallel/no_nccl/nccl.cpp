#include "parallel/nccl.h"

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "core/error.h"

namespace primus::parallel {

bool has_nccl() { return false; }

c10::intrusive_ptr<c10d::Backend> connect_nccl(const c10::intrusive_ptr<c10d::Store>&, int, int,
                                               std::chrono::milliseconds, c10::Device gpu) {
  throw UserError(
      fmt::format("tensors on {} need NCCL, with which this program was not built: build it with a libtorch "
                  "for that device",
                  gpu.str()));
}

}  // namespace primus::parallel
