#include "launch/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "core/error.h"
#include "launch/world.h"

namespace primus::launch {

int available_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (::sched_getaffinity(0, sizeof cpus, &cpus) != 0) return 1;
  return std::max(1, CPU_COUNT(&cpus));
}

int threads_for_rank(int local_ranks, int available, int online) {
  const bool bound = available < online && available <= online / local_ranks;
  return bound ? available : std::max(1, available / local_ranks);
}

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    const std::size_t dash = range.find('-');
    const auto number = [](std::string_view digits) {
      return parse_number("CPU list", std::string(digits), 0, CPU_SETSIZE - 1);
    };
    const int first = number(range.substr(0, dash));
    const int last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    text.remove_prefix(std::min(text.size(), range.size() + 1));
  }
  return cpus;
}

std::vector<int> numa_cpus_for(int rank, int ranks) {
  std::vector<std::vector<int>> nodes;
  for (int node = 0;; ++node) {
    std::ifstream file(fmt::format("/sys/devices/system/node/node{}/cpulist", node));
    std::string line;
    if (!std::getline(file, line)) break;
    // A node of memory alone has no CPUs.
    if (!line.empty()) nodes.push_back(parse_cpu_list(line));
  }
  if (nodes.empty()) return {};
  return nodes[static_cast<std::size_t>(std::int64_t{rank} * static_cast<std::int64_t>(nodes.size()) /
                                        ranks)];
}

}  // namespace primus::launch
