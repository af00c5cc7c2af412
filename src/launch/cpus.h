#pragma once

#include <string_view>
#include <vector>

namespace primus::launch {

/// How many CPUs this process may use.
int available_cpus();

/// The CPU threads that a rank should use when nobody has said: its share of the CPUs that it may run on,
/// which are all its own when its starter has bound each of the `local_ranks` to a part of the machine.
int threads_for_rank(int local_ranks, int available, int online);

/// "0-3,8" gives 0 1 2 3 8. Throws UserError for other text.
std::vector<int> parse_cpu_list(std::string_view text);

/// The CPUs of the NUMA node that local rank `rank` of `ranks` belongs to when the ranks are spread evenly
/// over the nodes in order; empty when the machine does not tell its nodes.
std::vector<int> numa_cpus_for(int rank, int ranks);

}  // namespace primus::launch
