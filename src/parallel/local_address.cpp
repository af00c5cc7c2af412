#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "core/file.h"
#include "parallel/transport.h"

namespace primus::parallel {

std::string local_address_towards(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  // Any port does: connecting a datagram socket sends nothing, it only asks the kernel for the route.
  const int failure = ::getaddrinfo(host.c_str(), "9", &hints, &found);
  if (failure != 0) {
    throw UserError(fmt::format("MASTER_ADDR={} has no address: {}", host, ::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  int reason = EHOSTUNREACH;
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    const FileDescriptor socket(::socket(candidate->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (!socket.valid() || ::connect(socket.get(), candidate->ai_addr, candidate->ai_addrlen) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) {
      reason = errno;
      continue;
    }
    std::array<char, NI_MAXHOST> text{};
    ::getnameinfo(reinterpret_cast<sockaddr*>(&local), size, text.data(), text.size(), nullptr, 0,
                  NI_NUMERICHOST);
    return text.data();
  }
  throw UserError(
      fmt::format("MASTER_ADDR={} is not reachable from this machine: {}", host, std::strerror(reason)));
}

}  // namespace primus::parallel
