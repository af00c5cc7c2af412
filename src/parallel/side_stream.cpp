#include "parallel/side_stream.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace primus::parallel {

SideStream::SideStream(const at::Tensor& tensor) : device_(tensor.device()) {
  if (device_.is_cpu()) return;
  asked_.emplace(device_.type());
  asked_->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
}

void SideStream::run(const std::function<void()>& operation) const {
  if (!asked_) return operation();
  const c10::impl::VirtualGuardImpl device(device_.type());
  const c10::Stream stream = device.getStreamFromGlobalPool(device_);
  const c10::StreamGuard guard(stream);
  asked_->block(stream);
  operation();
  device.synchronizeStream(stream);
}

}  // namespace primus::parallel
