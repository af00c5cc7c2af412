#include "launch/master_host.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
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

/// The first number of "007-009,12", with its zeros. Throws UserError that names the whole list.
std::string_view first_number(std::string_view ranges, std::string_view node_list) {
  std::string_view first;
  for (std::size_t begin = 0; begin <= ranges.size();) {
    const std::size_t end = std::min(ranges.find(',', begin), ranges.size());
    const std::string_view range = ranges.substr(begin, end - begin);
    const std::size_t dash = std::min(range.find('-'), range.size());
    const std::string_view low = range.substr(0, dash);
    const std::string_view high = dash < range.size() ? range.substr(dash + 1) : low;
    for (const std::string_view number : {low, high}) {
      if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos)
        throw_user_error("'{}' in the node list '{}' is no number or range of numbers", range, node_list);
    }
    if (begin == 0) first = low;
    begin = end + 1;
  }
  return first;
}

}  // namespace

std::string first_host(std::string_view node_list) {
  std::string host;
  std::string_view rest = node_list;
  while (!rest.empty() && rest[0] != ',') {
    if (rest[0] != '[') {
      const std::size_t end = std::min(rest.find_first_of(",["), rest.size());
      host += rest.substr(0, end);
      rest.remove_prefix(end);
      continue;
    }
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) throw_user_error("missing ']' in the node list '{}'", node_list);
    host += first_number(rest.substr(1, close - 1), node_list);
    rest.remove_prefix(close + 1);
  }
  if (host.empty()) throw_user_error("empty host in the node list '{}'", node_list);
  if (host.find(']') != std::string::npos) throw_user_error("missing '[' in the node list '{}'", node_list);
  return host;
}

std::optional<std::string> slurm_node_list(const Environment& environment) {
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"}) {
    const auto value = environment(name);
    if (value && !value->empty()) return value;
  }
  return std::nullopt;
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
