#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/environment.h"

namespace primus::launch {

/// The first host of a Slurm node list, as `scontrol show hostnames` prints it: "gpu[007-009,12],login" gives
/// "gpu007", "rack[1-2]n[03-04]-ib" gives "rack1n03-ib". Throws UserError for a list that does not parse.
std::string first_host(std::string_view node_list);

/// The nodes of the Slurm step that this process belongs to, else of the job; nothing outside of Slurm.
std::optional<std::string> slurm_node_list(const Environment& environment);

/// Whether `host`, a name or an address, is this machine: one of its network interfaces has the address.
bool is_this_machine(const std::string& host);

/// Where the ranks of a Slurm job over several nodes meet rank 0, which runs on the first of `node_list`: at
/// the address that was `given` (MASTER_ADDR, which names another interface or is left over from another
/// job), else at the first host. A given "localhost" counts as none: every node would look for rank 0 at
/// itself. `node` is this machine's number in the list. Throws UserError when the given address is not the
/// first node's, as far as this node can tell: the first knows its own addresses, the others know theirs.
std::string slurm_master_address(const std::optional<std::string>& given, const std::string& node_list,
                                 int node);

}  // namespace primus::launch
