#include "parallel/rank_order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/config_options.h"
#include "parallel/layout_arguments.h"

namespace primus::cli {

namespace {

using parallel::GroupKind;

constexpr std::array columns = {GroupKind::tensor,     GroupKind::context,       GroupKind::data,
                                GroupKind::pipeline,   GroupKind::expert_tensor, GroupKind::expert,
                                GroupKind::expert_data};

/// Of every rank, its places in the groups of `columns`.
std::vector<std::array<int, columns.size()>> places_of(const parallel::LayoutSizes& sizes) {
  std::vector<std::array<int, columns.size()>> places(sizes.world);
  for (std::size_t column = 0; column < columns.size(); ++column) {
    for (const auto& group : parallel::groups_of(columns[column], sizes)) {
      for (std::size_t place = 0; place < group.size(); ++place) {
        places[group[place]][column] = static_cast<int>(place);
      }
    }
  }
  return places;
}

std::string table_of_places(const parallel::LayoutSizes& sizes) {
  std::string text = "rank";
  for (const GroupKind kind : columns) text += fmt::format(" {:>5}", parallel::to_string(kind));
  text += "\n";
  const auto places = places_of(sizes);
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    text += fmt::format("{:>4}", rank);
    for (const int place : places[rank]) text += fmt::format(" {:>5}", place);
    text += "\n";
  }
  return text;
}

std::string text_of(const std::vector<std::vector<int>>& groups) {
  const auto is_alone = [](const std::vector<int>& group) { return group.size() == 1; };
  if (std::all_of(groups.begin(), groups.end(), is_alone)) return "each rank alone";
  std::vector<std::string> texts;
  for (const auto& group : groups) texts.push_back(fmt::format("{}", fmt::join(group, " ")));
  return fmt::format("{}", fmt::join(texts, " | "));
}

std::string list_of_groups(const parallel::LayoutSizes& sizes) {
  std::string text;
  for (const GroupKind kind : parallel::all_group_kinds) {
    text += fmt::format("{:<10} {}\n    {}\n", parallel::to_string(kind), parallel::describe(kind),
                        text_of(parallel::groups_of(kind, sizes)));
  }
  return text;
}

std::string for_people(const parallel::LayoutSizes& sizes) {
  return fmt::format(
      "{} ranks: tensor {}, context {}, data {}, pipeline {}; experts: tensor {}, expert {}, data {}\n\n"
      "Each rank's place in its groups:\n{}\nGroups:\n{}",
      sizes.world, sizes.tensor, sizes.context, sizes.data(), sizes.pipeline, sizes.expert_tensor_or_tensor(),
      sizes.expert, sizes.expert_data(), table_of_places(sizes), list_of_groups(sizes));
}

nlohmann::ordered_json for_programs(const parallel::LayoutSizes& sizes) {
  nlohmann::ordered_json groups, ranks;
  for (const GroupKind kind : parallel::all_group_kinds) {
    groups[std::string(parallel::to_string(kind))] = parallel::groups_of(kind, sizes);
  }
  const auto places = places_of(sizes);
  for (std::size_t rank = 0; rank < places.size(); ++rank) {
    nlohmann::ordered_json place;
    for (std::size_t column = 0; column < columns.size(); ++column) {
      place[std::string(parallel::to_string(columns[column]))] = places[rank][column];
    }
    ranks.push_back({{"rank", rank}, {"place", place}});
  }
  return {{"world_size", sizes.world}, {"ranks", ranks}, {"groups", groups}};
}

struct LayoutOptions {
  std::shared_ptr<ConfigOptions> config;
  int world = 1;
  bool json = false;
};

void show_layout(const LayoutOptions& options, const std::vector<std::string>& tokens) {
  const config::Experiment experiment = config::resolve(options.config->request(tokens));
  const parallel::LayoutSizes sizes = parallel::layout_sizes_from(experiment.arguments, options.world);
  const std::string text = options.json ? for_programs(sizes).dump() + "\n" : for_people(sizes);
  std::fputs(text.c_str(), stdout);
}

}  // namespace

void add_parallel(CLI::App& program) {
  CLI::App* command = program.add_subcommand("parallel", "Look at how ranks are divided");
  command->require_subcommand(1);
  CLI::App* shown = command->add_subcommand("show", "Print who is where, and in which groups");
  constexpr int most_ranks = 1'000'000;
  auto options = std::make_shared<LayoutOptions>();
  options->config = add_config_options(*shown);
  shown->add_option("--world_size,--world-size", options->world, "Number of ranks")
      ->required()
      ->check(CLI::Range(1, most_ranks));
  shown->add_flag("--json", options->json, "Print one JSON object");
  shown->callback([shown, options] { show_layout(*options, shown->remaining()); });
}

}  // namespace primus::cli
