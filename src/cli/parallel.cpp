#include "parallel/rank_order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/config_options.h"
#include "parallel/layout_arguments.h"

namespace primus::cli {

namespace {

using parallel::GroupKind;

constexpr std::array columns = {GroupKind::tensor,     GroupKind::context,       GroupKind::data,
                                GroupKind::pipeline,   GroupKind::expert_tensor, GroupKind::expert,
                                GroupKind::expert_data};

/// The rank's place in its group of a kind.
int place_in(const std::vector<std::vector<int>>& groups, int rank) {
  for (const auto& group : groups) {
    const auto found = std::find(group.begin(), group.end(), rank);
    if (found != group.end()) return static_cast<int>(found - group.begin());
  }
  return 0;
}

std::string table_of_places(const parallel::LayoutSizes& sizes) {
  std::string text = "rank";
  std::vector<std::vector<std::vector<int>>> groups;
  for (const GroupKind kind : columns) {
    text += fmt::format(" {:>5}", parallel::to_string(kind));
    groups.push_back(parallel::groups_of(kind, sizes));
  }
  text += "\n";
  for (int rank = 0; rank < sizes.world; ++rank) {
    text += fmt::format("{:>4}", rank);
    for (const auto& kind : groups) text += fmt::format(" {:>5}", place_in(kind, rank));
    text += "\n";
  }
  return text;
}

std::string list_of_groups(const parallel::LayoutSizes& sizes) {
  std::string text;
  for (const GroupKind kind : parallel::all_group_kinds) {
    text += fmt::format("{:<10} {}\n", parallel::to_string(kind), parallel::describe(kind));
    for (const auto& group : parallel::groups_of(kind, sizes)) {
      text += fmt::format("    {}\n", fmt::join(group, " "));
    }
  }
  return text;
}

void show(const config::ResolveRequest& request, int world) {
  const config::Experiment experiment = config::resolve(request);
  const parallel::LayoutSizes sizes = parallel::layout_sizes_from(experiment.arguments, world);
  const std::string text = fmt::format(
      "{} ranks: tensor {}, context {}, data {}, pipeline {}; experts: tensor {}, expert {}, data {}\n\n"
      "Each rank's place in its groups:\n{}\nGroups:\n{}",
      sizes.world, sizes.tensor, sizes.context, sizes.data(), sizes.pipeline, sizes.expert_tensor_or_tensor(),
      sizes.expert, sizes.expert_data(), table_of_places(sizes), list_of_groups(sizes));
  std::fputs(text.c_str(), stdout);
}

}  // namespace

void add_parallel(CLI::App& program) {
  CLI::App* command = program.add_subcommand("parallel", "Look at how ranks are divided");
  command->require_subcommand(1);
  CLI::App* shown = command->add_subcommand("show", "Print who is where, and in which groups");
  auto options = add_config_options(*shown);
  auto world = std::make_shared<int>(1);
  shown->add_option("--world_size,--world-size", *world, "Number of ranks")
      ->required()
      ->check(CLI::PositiveNumber);
  shown->callback([shown, options, world] { show(options->request(shown->remaining()), *world); });
}

}  // namespace primus::cli
