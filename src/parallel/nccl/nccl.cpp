#include "parallel/nccl.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include <cstdlib>

#include "core/error.h"

namespace primus::parallel {

bool has_nccl() { return true; }

c10::intrusive_ptr<c10d::Backend> connect_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                               int size, std::chrono::milliseconds timeout, c10::Device gpu) {
  const c10::impl::VirtualGuardImpl device(gpu.type());
  const int present = device.deviceCount();
  if (gpu.index() >= present) {
    throw UserError(fmt::format("this rank is to use {}, but this machine has {} GPUs", gpu.str(), present));
  }
  device.setDevice(gpu);
  // Without it waiting only orders streams, and a failure ends the process from a thread of NCCL's.
  ::setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, options);
  group->setBoundDeviceId(gpu);
  return group;
}

}  // namespace primus::parallel
