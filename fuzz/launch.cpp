#include <arpa/inet.h>

#include <map>
#include <sstream>
#include <stdexcept>

#include "core/error.h"
#include "fuzz/targets.h"
#include "launch/master_host.h"
#include "launch/world.h"

namespace primus::fuzz {

namespace {

/// Lines NAME=VALUE.
std::map<std::string, std::string> parse_variables(std::string_view bytes) {
  std::istringstream lines{std::string(bytes)};
  std::map<std::string, std::string> variables;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) variables[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return variables;
}

/// A fuzzer asks no name server.
bool needs_no_lookup(const std::string& host) {
  in_addr address;
  return host == "localhost" || ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace

/// The variables of torchrun, Slurm and MPI launchers.
void read_launcher_environment(std::string_view bytes) {
  auto variables = parse_variables(bytes);
  const auto master = variables.find("MASTER_ADDR");
  if (master != variables.end() && !needs_no_lookup(master->second)) master->second = "10.0.0.1";
  const auto nodes = variables.find("SLURM_STEP_NODELIST");
  if (nodes != variables.end() && !nodes->second.empty()) {
    try {
      if (launch::first_host(nodes->second).empty()) throw std::logic_error("a host without a name");
    } catch (const UserError&) {  // whether it is asked for depends on the other variables
    }
  }
  const launch::World world = launch::world_from_environment(environment_of(variables));
  const bool sound = world.size >= 1 && world.rank >= 0 && world.rank < world.size && world.local_size >= 1 &&
                     world.local_size <= world.size && world.local_rank >= 0 && world.master_port >= 1 &&
                     world.master_port <= 65535 && !world.master_address.empty();
  if (!sound) throw std::logic_error("a world that cannot be was accepted");
}

}  // namespace primus::fuzz
