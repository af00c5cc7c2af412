// The one file that includes Gloo's headers. Those of the distribution are older than the Gloo inside of
// libtorch, so no Gloo type is touched beyond handing the device from libtorch's factory to libtorch's group.
#include "parallel/transport.h"

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "core/error.h"

namespace primus::parallel {

struct Transport::Device {
  std::shared_ptr<gloo::transport::Device> gloo;
};

Transport::Transport(c10::DeviceType device, const std::string& master_address)
    : device_(std::make_unique<Device>()) {
  if (device != c10::DeviceType::CPU) {
    throw UserError(fmt::format("no transport for tensors on {} is built in: only gloo, for the CPU",
                                c10::DeviceTypeName(device, true)));
  }
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  try {
    if (interface != nullptr && *interface != '\0') {
      const std::string first = std::string(interface).substr(0, std::string_view(interface).find(','));
      device_->gloo = c10d::ProcessGroupGloo::createDeviceForInterface(first);
    } else {
      device_->gloo = c10d::ProcessGroupGloo::createDeviceForHostname(local_address_towards(master_address));
    }
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(fmt::format("cannot communicate over {}: {}",
                                interface != nullptr ? fmt::format("GLOO_SOCKET_IFNAME={}", interface)
                                                     : "the interface towards " + master_address,
                                std::string_view(error.what()).substr(0, 200)));
  }
}

Transport::~Transport() = default;

c10::intrusive_ptr<c10d::Backend> Transport::connect(const c10::intrusive_ptr<c10d::Store>& store, int rank,
                                                     int size, std::chrono::milliseconds timeout) const {
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(device_->gloo);
  options->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

}  // namespace primus::parallel
