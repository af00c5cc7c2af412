#pragma once

#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <memory>
#include <string>

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace primus::parallel {

/// Makes c10d backends, which move the bytes: Gloo for CPU tensors, NCCL for those on a GPU. The only place
/// that knows which transports exist.
class Transport {
 public:
  /// For Gloo `master_address` tells over which network interface this process is reached by the others,
  /// unless GLOO_SOCKET_IFNAME names one. Throws UserError when there is no such interface or transport.
  Transport(c10::Device device, const std::string& master_address);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  /// Connects this process, as `rank`, to the `size` processes that call this with the same store. Blocks
  /// until all have come.
  c10::intrusive_ptr<c10d::Backend> connect(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size,
                                            std::chrono::milliseconds timeout) const;

 private:
  struct Interface;
  c10::Device device_;
  /// Gloo's; null for a GPU.
  std::unique_ptr<Interface> interface_;
};

/// The address of this machine on the network that leads to `host`. Throws UserError when `host` has no
/// address or no route leads there.
std::string local_address_towards(const std::string& host);

}  // namespace primus::parallel
