// The one file that includes Gloo's headers. Those of the distribution are older than the Gloo inside of
// libtorch, so no Gloo type is touched beyond handing the device from libtorch's factory to libtorch's group.
#include "parallel/transport.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "core/error.h"
#include "parallel/nccl.h"

namespace primus::parallel {

struct Transport::Interface {
  std::shared_ptr<gloo::transport::Device> gloo;
};

namespace {

std::shared_ptr<gloo::transport::Device> open_interface(const std::string& master_address) {
  const char* variable = std::getenv("GLOO_SOCKET_IFNAME");
  const std::string names = variable == nullptr ? "" : variable;
  try {
    if (names.empty()) {
      return c10d::ProcessGroupGloo::createDeviceForHostname(local_address_towards(master_address));
    }
    return c10d::ProcessGroupGloo::createDeviceForInterface(names.substr(0, names.find(',')));
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(
        fmt::format("cannot communicate over {}: {}",
                    names.empty() ? "the interface towards " + master_address : "GLOO_SOCKET_IFNAME=" + names,
                    std::string_view(error.what()).substr(0, 200)));
  }
}

}  // namespace

Transport::Transport(c10::Device device, const std::string& master_address) : device_(device) {
  if (device.is_cpu()) {
    interface_ = std::make_unique<Interface>(open_interface(master_address));
  } else if (!device.is_cuda() || !has_nccl()) {
    throw UserError(
        fmt::format("no transport for tensors on {} is built in: this program has gloo, for the CPU{}",
                    device.str(), has_nccl() ? ", and nccl, for GPUs" : ""));
  }
}

Transport::~Transport() = default;

c10::intrusive_ptr<c10d::Backend> Transport::connect(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                                     int size, std::chrono::milliseconds timeout) const {
  if (!interface_) return connect_nccl(store, rank, size, timeout, device_);
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(interface_->gloo);
  options->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

}  // namespace primus::parallel
