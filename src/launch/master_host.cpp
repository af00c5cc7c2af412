#include "launch/master_host.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>

#include "core/error.h"
#include "core/file.h"

namespace primus::launch {

namespace {

/// "node1" of "node1.cluster.org"; all of an address.
std::string_view label_of(std::string_view host) {
  const bool is_address = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return is_address ? host : host.substr(0, host.find('.'));
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

std::string first_host(std::string_view node_list) {
  const std::size_t stop = node_list.find_first_of(",[");
  if (stop == std::string_view::npos || node_list[stop] == ',') {
    if (node_list.substr(0, stop).empty()) throw_user_error("empty host in the node list '{}'", node_list);
    return std::string(node_list.substr(0, stop));
  }
  const std::size_t close = node_list.find(']', stop);
  if (close == std::string_view::npos) throw_user_error("missing ']' in the node list '{}'", node_list);
  const std::string_view ranges = node_list.substr(stop + 1, close - stop - 1);
  const std::string_view first = ranges.substr(0, ranges.find_first_of("-,"));
  if (first.empty()) throw_user_error("empty range in the node list '{}'", node_list);
  const std::string_view rest = node_list.substr(close + 1);
  return fmt::format("{}{}{}", node_list.substr(0, stop), first, rest.substr(0, rest.find(',')));
}

bool is_this_machine(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  for (const addrinfo* candidate = found; candidate != nullptr; candidate = candidate->ai_next) {
    // A socket binds to addresses of this machine only.
    const FileDescriptor socket(::socket(candidate->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (socket.valid() && ::bind(socket.get(), candidate->ai_addr, candidate->ai_addrlen) == 0) return true;
  }
  return false;
}

std::string slurm_master_address(const std::optional<std::string>& given, const std::string& node_list,
                                 int node) {
  const std::string first = first_host(node_list);
  if (!given || is_loopback(*given)) return first;
  if (label_of(*given) == label_of(first)) return *given;
  if (is_this_machine(*given) == (node == 0)) return *given;
  throw_user_error(
      "MASTER_ADDR={} is not the address of {}, the first node of this Slurm job, where rank 0 runs: "
      "unset it, and the ranks meet there",
      *given, first);
}

}  // namespace primus::launch
