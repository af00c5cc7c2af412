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

/// Whether digits stand for a smaller number than others do, whatever zeros they begin with.
bool is_less(std::string_view a, std::string_view b) {
  const auto significant = [](std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  };
  a = significant(a), b = significant(b);
  return a.size() != b.size() ? a.size() < b.size() : a < b;
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
        throw_user_error("node list '{}': '{}' is neither a number nor a range of numbers", node_list, range);
    }
    if (is_less(high, low))
      throw_user_error("node list '{}': the range '{}' runs backwards", node_list, range);
    if (begin == 0) first = low;
    begin = end + 1;
  }
  return first;
}

/// Takes a host, up to the next comma or the end, from the front of `rest`; of its ranges the first numbers.
std::string take_host(std::string_view& rest, std::string_view node_list) {
  constexpr std::string_view in_names = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:";
  std::string host;
  while (!rest.empty() && rest[0] != ',') {
    if (rest[0] != '[') {
      const std::size_t end = std::min(rest.find_first_not_of(in_names), rest.size());
      if (end == 0) throw_user_error("node list '{}': unexpected '{}'", node_list, rest[0]);
      host += rest.substr(0, end);
      rest.remove_prefix(end);
      continue;
    }
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) throw_user_error("node list '{}': missing ']'", node_list);
    host += first_number(rest.substr(1, close - 1), node_list);
    rest.remove_prefix(close + 1);
  }
  if (host.empty()) throw_user_error("node list '{}': a host has no name", node_list);
  return host;
}

}  // namespace

std::string first_host(std::string_view node_list) {
  std::string_view rest = node_list;
  const std::string first = take_host(rest, node_list);
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    take_host(rest, node_list);
  }
  return first;
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
      "unset it, and the ranks will meet there",
      *given, first);
}

}  // namespace primus::launch
