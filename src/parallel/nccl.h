#pragma once

#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace primus::parallel {

/// Whether this program was built with NCCL (on AMD's GPUs: RCCL). The build chooses between the two files
/// that define what is declared here: nccl/nccl.cpp when libtorch has it, else no_nccl/nccl.cpp.
bool has_nccl();

/// Connects this process, as `rank`, to the `size` processes that call this with the same store; its tensors
/// are on `gpu`. Waiting for a collective blocks the calling thread, and throws when another rank fails or
/// the time-out passes, as with Gloo. Throws UserError without NCCL.
c10::intrusive_ptr<c10d::Backend> connect_nccl(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                               int size, std::chrono::milliseconds timeout, c10::Device gpu);

}  // namespace primus::parallel
