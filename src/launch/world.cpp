#include "launch/world.h"

#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "core/error.h"
#include "core/hash.h"
#include "launch/master_host.h"

namespace primus::launch {

namespace {

/// Typed reading of one environment.
class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  const Environment& environment() const { return environment_; }
  bool has(const std::string& name) const { return text(name).has_value(); }

  std::optional<std::string> text(const std::string& name) const {
    auto value = environment_(name);
    if (value && value->empty()) value.reset();
    return value;
  }

  int number(const std::string& name, int low, int high) const {
    const auto value = text(name);
    if (!value) throw_user_error("{} is not set in the environment", name);
    return parse_number(name, *value, low, high);
  }

  int number_or(const std::string& name, int fallback, int low, int high) const {
    return has(name) ? number(name, low, high) : fallback;
  }

 private:
  const Environment& environment_;
};

/// Names of the variables that one launcher sets.
struct Names {
  Starter starter;
  const char* rank;
  const char* size;
  const char* local_rank;
  const char* local_size;
};

constexpr Names torchrun_names = {Starter::torchrun, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"};
constexpr Names open_mpi_names = {Starter::open_mpi, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                                  "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"};
constexpr Names pmi_names = {Starter::pmi, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};
// SLURM_STEP_NUM_TASKS exists only inside a step: a program in the batch script itself is alone.
constexpr Names slurm_names = {Starter::slurm, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID",
                               "SLURM_STEP_TASKS_PER_NODE"};

constexpr std::array all_names = {torchrun_names, open_mpi_names, pmi_names, slurm_names};

/// "4(x2),3": tasks on each node of a Slurm step; the first number serves all nodes, as ranks are laid out
/// evenly or refused later.
int tasks_on_node(const std::string& text) {
  return parse_number("SLURM_STEP_TASKS_PER_NODE", text.substr(0, text.find_first_of("(,")), 1,
                      highest_count);
}

int local_size_of(const Names& names, const Reader& reader) {
  if (names.starter == Starter::slurm) {
    const auto tasks = reader.text(names.local_size);
    return tasks ? tasks_on_node(*tasks) : 1;
  }
  return reader.number_or(names.local_size, 1, 1, highest_count);
}

/// A port of the job's own, so that two jobs on one machine do not meet: any process of the job finds the
/// same number, from the job's name.
int port_of_job(const std::string& job) {
  constexpr int first = 20000, count = 12000;
  return first + static_cast<int>(stable_hash(job) % count);
}

std::string address_of(const World& world, const Reader& reader) {
  const auto given = reader.text("MASTER_ADDR");
  const bool one_machine = world.local_size >= world.size;
  const auto nodes = world.starter == Starter::slurm ? slurm_node_list(reader.environment()) : std::nullopt;
  if (nodes && !one_machine) {
    return slurm_master_address(given, *nodes, reader.number_or("SLURM_NODEID", 0, 0, highest_count));
  }
  if (given) return *given;
  if (one_machine) return "127.0.0.1";
  // torchrun always sets it; the original's default keeps one-process-per-node starts by hand working.
  if (world.starter == Starter::torchrun) return "127.0.0.1";
  throw_user_error(
      "MASTER_ADDR is not set: {} ranks run on several machines and need the address of the first one",
      world.size);
}

int default_port(const World& world, const Reader& reader) {
  const char* job_variable = nullptr;
  if (world.starter == Starter::slurm) job_variable = "SLURM_JOB_ID";
  if (world.starter == Starter::open_mpi) job_variable = "PMIX_NAMESPACE";
  const auto job = job_variable != nullptr ? reader.text(job_variable) : std::nullopt;
  return job ? port_of_job(*job + reader.text("SLURM_STEP_ID").value_or("")) : World{}.master_port;
}

/// For a variable that stands without the other that it needs, mostly left over from another job.
[[noreturn]] void refuse_half_a_world(const Names& names, const char* set, const char* missing,
                                      const Reader& reader) {
  std::vector<std::string> found;
  for (const char* name :
       {names.rank, names.size, names.local_rank, names.local_size, "MASTER_ADDR", "MASTER_PORT"}) {
    if (const auto text = reader.text(name)) found.push_back(fmt::format("{}={}", name, *text));
  }
  throw_user_error(
      "{} is set in the environment but {} is not (found: {}). To train in one process, unset {}; to train "
      "in "
      "several, start them with `primus-cli direct --nproc_per_node N -- train ...`, torchrun, srun or "
      "mpirun, "
      "which set both",
      set, missing, fmt::join(found, ", "), set);
}

World read_world(const Names& names, const Reader& reader) {
  World world;
  world.starter = names.starter;
  world.size = reader.number(names.size, 1, highest_count);
  world.rank = reader.number(names.rank, 0, world.size - 1);
  world.local_size = local_size_of(names, reader);
  world.local_rank = reader.number_or(names.local_rank, 0, 0, highest_count);
  if (world.local_size > world.size) {
    throw_user_error("{} is {}, more than all {} ranks ({})", names.local_size, world.local_size, world.size,
                     names.size);
  }
  world.master_address = address_of(world, reader);
  if (reader.number_or(restart_count_variable, 0, 0, highest_count) > 0) {
    const std::chrono::seconds began(reader.number_or(run_began_variable, 0, 0, highest_count));
    world.restarted_run_began = std::chrono::system_clock::time_point(began);
  }
  world.master_port =
      reader.has("MASTER_PORT") ? reader.number("MASTER_PORT", 1, highest_port) : default_port(world, reader);
  return world;
}

}  // namespace

std::string_view to_string(Starter starter) {
  switch (starter) {
    case Starter::nobody: return "alone";
    case Starter::torchrun: return "torchrun";
    case Starter::slurm: return "slurm";
    case Starter::open_mpi: return "mpirun";
    case Starter::pmi: return "pmi";
  }
  return "";
}

std::string origin_of(const World& world) {
  for (const Names& names : all_names) {
    if (names.starter == world.starter)
      return fmt::format("{}={} and {}={}", names.rank, world.rank, names.size, world.size);
  }
  return "no variable";
}

int parse_number(const std::string& name, const std::string& text, int low, int high) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) {
    throw_user_error("{}={} is not a whole number", name, text);
  }
  if (value < low || value > high) {
    throw_user_error("{}={} is out of range: {}", name, text,
                     high == highest_count ? fmt::format("it must be at least {}", low)
                                           : fmt::format("it must be between {} and {}", low, high));
  }
  return value;
}

World world_from_environment(const Environment& environment) {
  const Reader reader(environment);
  for (const Names& names : all_names) {
    if (reader.has(names.rank) && reader.has(names.size)) return read_world(names, reader);
  }
  for (const Names& names : all_names) {
    if (reader.has(names.size)) refuse_half_a_world(names, names.size, names.rank, reader);
    // A Slurm batch script has a SLURM_PROCID, and is alone.
    const bool step = names.starter != Starter::slurm;
    if (step && reader.has(names.rank)) refuse_half_a_world(names, names.rank, names.size, reader);
  }
  return {};
}

}  // namespace primus::launch
