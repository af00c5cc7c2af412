#include "train/run_identity.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "config/arguments.h"
#include "core/file.h"
#include "core/hash.h"
#include "data/indexed_dataset.h"
#include "tokenizer/options_json.h"
#include "train/resume.h"
#include "train/schedule_changes.h"

namespace primus::train {

using nlohmann::json;

namespace {

/// What follows when a part of a run changes.
enum class Consequence {
  data,
  cut,
  order,
  sampler,
  split,
  validation,
  batch,
  loss,
  update,
  rate,
  dropout,
  precision,
  tokens
};

/// In words; {} stands for the samples consumed so far.
constexpr const char* text_of(Consequence consequence) {
  switch (consequence) {
    case Consequence::data: return "the first {} samples of the new data count as consumed and are skipped";
    case Consequence::cut:
      return "the data is divided into samples differently, and the first {} of them count as consumed";
    case Consequence::order:
    case Consequence::sampler:
      return "the order of samples changes: some of the {} consumed so far will repeat, and others will "
             "never be seen";
    case Consequence::split:
      return "documents move between the splits: what was held out for validation may be trained on now, or "
             "the reverse";
    case Consequence::validation: return "evaluations before and after are not comparable";
    case Consequence::batch:
      return "iterations take a different number of samples; {} samples remain consumed";
    case Consequence::loss: return "losses before and after are not comparable";
    case Consequence::update: return "the optimizer continues from its saved state with the new value";
    case Consequence::rate: return "the learning rate follows a different curve from here on";
    case Consequence::dropout: return "dropout differs from here on";
    case Consequence::precision: return "numbers are rounded differently from here on";
    case Consequence::tokens:
      return "token ids may now stand for different text: the data must be tokenized with the checkpoint's "
             "tokenizer";
  }
  return "";
}

struct Part {
  const char* name;
  Consequence consequence;
};

/// Parts of the data, after the files that arguments may name were read, and what orders it.
constexpr Part data_parts[] = {
    {"mock_data", Consequence::data},
    {"data_path", Consequence::data},
    {"train_data_path", Consequence::data},
    {"valid_data_path", Consequence::validation},
    {"test_data_path", Consequence::validation},
    {"split", Consequence::split},
    {"seed", Consequence::order},
    {"seq_length", Consequence::cut},
    {"mid_level_dataset_surplus", Consequence::order},
    {"dataloader_type", Consequence::sampler},
};

constexpr Part other_parts[] = {
    {"global_batch_size", Consequence::batch},
    {"rampup_batch_size", Consequence::batch},
    {"eod_mask_loss", Consequence::loss},
    {"reset_position_ids", Consequence::loss},
    {"reset_attention_mask", Consequence::loss},
    {"calculate_per_token_loss", Consequence::loss},
    {"bf16", Consequence::precision},
    {"hidden_dropout", Consequence::dropout},
    {"attention_dropout", Consequence::dropout},
    {"optimizer", Consequence::update},
    {"adam_beta1", Consequence::update},
    {"adam_beta2", Consequence::update},
    {"adam_eps", Consequence::update},
    {"sgd_momentum", Consequence::update},
    {"clip_grad", Consequence::update},
    {"lr_warmup_init", Consequence::rate},
    {"lr_wsd_decay_style", Consequence::rate},
    {"lr_wsd_decay_iters", Consequence::rate},
    {"lr_wsd_decay_samples", Consequence::rate},
    {"decoupled_lr", Consequence::rate},
    {"decoupled_min_lr", Consequence::rate},
};

constexpr bool is_argument(const Part& part) {
  return config::find_argument(part.name) < config::argument_count;
}
static_assert(std::ranges::all_of(data_parts, is_argument) && std::ranges::all_of(other_parts, is_argument));

json value_of(const config::Arguments& arguments, const char* name) {
  return identity_value(arguments.resolved_at(config::find_argument(name)));
}

/// The order of samples without the tokens and where they lie: data that was moved is the same data.
json order_of(json samples) {
  if (samples.is_object()) {
    samples.erase("source");
    samples.erase("content");
  }
  if (samples.is_structured()) {
    for (json& part : samples) part = order_of(part);
  }
  return samples;
}

/// What a dataset's identity says under `key`, or a list of it for all datasets of a blend; null when it says
/// nothing.
json each(const json& samples, const char* key) {
  if (!samples.is_object()) return {};
  if (!samples.contains("datasets")) return samples.value(key, json());
  json list = json::array();
  for (const json& part : samples["datasets"]) list.push_back(each(part, key));
  return list;
}

/// Whether tokens are the same, as far as both sides know.
bool same_content(const json& was, const json& is) {
  if (was.is_null() || is.is_null()) return true;
  if (was.is_array() && is.is_array())
    return std::ranges::equal(was, is, [](const json& a, const json& b) { return same_content(a, b); });
  return was == is;
}

bool same_samples(const json& saved, const json& now) {
  return saved.contains("samples") && now.contains("samples") &&
         order_of(saved["samples"]) == order_of(now["samples"]) &&
         same_content(each(saved["samples"], "content"), each(now["samples"], "content"));
}

std::string line(const std::string& name, const json& was, const json& is, std::string_view consequence) {
  const auto text = [](const json& value) { return value.is_null() ? std::string("not set") : value.dump(); };
  return fmt::format("{} was {}, is {}: {}", name, text(was), text(is), consequence);
}

/// For samples that have changed although nothing that was set for them has.
std::string unexplained(const json& was, const json& is, const std::string& consequence) {
  const json passes = each(was, "epochs"), passes_now = each(is, "epochs");
  if (passes != passes_now) {
    return line("the number of passes over the data (from train_iters or train_samples)", passes, passes_now,
                consequence + ", since all passes are shuffled together");
  }
  return "the data under the same name has changed since the checkpoint was saved: " + consequence;
}

/// The names under which two objects differ.
std::vector<std::string> changed_names(const json& was, const json& is) {
  json all = was;
  all.update(is);
  std::vector<std::string> names;
  for (const auto& [name, ignored] : all.items()) {
    if (was.value(name, json()) != is.value(name, json())) names.push_back(name);
  }
  return names;
}

/// Data that has a path of its own for evaluations, and where its identity keeps what tells its tokens apart.
constexpr std::pair<const char*, const char*> evaluation_contents[] = {{"valid_data_path", "valid_content"},
                                                                       {"test_data_path", "test_content"}};

/// Compares two identities, part by part.
class Comparison {
 public:
  Comparison(const json& saved, const json& now, const RunState& state, const ScheduleChanges& schedule)
      : saved_(saved),
        now_(now),
        consumed_(state.consumed_train_samples),
        schedule_(explain(schedule, saved, now)) {}

  std::vector<std::string> run() {
    bool explained = false, renamed = false;
    for (const Part& part : data_parts) {
      if (!compare(part)) continue;
      renamed = renamed || part.consequence == Consequence::data;
      explained = explained || part.consequence != Consequence::validation;
    }
    if (!explained && both_have("samples") && order_of(saved_["samples"]) != order_of(now_["samples"])) {
      lines_.push_back(unexplained(saved_["samples"], now_["samples"], words(Consequence::order)));
    } else if (!renamed && both_have("samples")) {
      compare_content("the training data", each(saved_["samples"], "content"),
                      each(now_["samples"], "content"), Consequence::data);
    }
    for (const auto& [path, content] : evaluation_contents) {
      if (both_have(content) && saved_[path] == now_[path])
        compare_content(path, saved_[content], now_[content], Consequence::validation);
    }
    const bool renumbered = compare({"data_parallel_size", Consequence::sampler});
    if (!renumbered && both_have("cyclic_samples") && saved_["cyclic_samples"] != now_["cyclic_samples"])
      compare({"micro_batch_size", Consequence::sampler});
    report_schedule();
    for (const Part& part : other_parts) compare(part);
    compare_tokenizers();
    return std::move(lines_);
  }

 private:
  bool both_have(const char* name) const { return saved_.contains(name) && now_.contains(name); }

  std::string words(Consequence consequence) const {
    return fmt::format(fmt::runtime(text_of(consequence)), consumed_);
  }

  /// Whether the part has changed.
  bool compare(const Part& part) {
    if (!both_have(part.name) || saved_[part.name] == now_[part.name]) return false;
    const bool about_samples =
        part.consequence == Consequence::data || part.consequence == Consequence::order;
    std::string follows = about_samples && same_samples(saved_, now_)
                              ? "the samples are the same, in the same order"
                              : words(part.consequence);
    if (const auto found = schedule_.by_argument.find(part.name); found != schedule_.by_argument.end())
      follows += "; " + found->second;
    lines_.push_back(line(part.name, saved_[part.name], now_[part.name], follows));
    return true;
  }

  /// The arguments that are no part of their own: what they change is the schedule.
  void report_schedule() {
    for (const auto& [name, consequence] : schedule_.by_argument) {
      if (std::ranges::find(other_parts, name, &Part::name) == std::end(other_parts))
        lines_.push_back(line(name, saved_[name], now_[name], consequence));
    }
    lines_.insert(lines_.end(), schedule_.unexplained.begin(), schedule_.unexplained.end());
  }

  void compare_content(const std::string& what, const json& was, const json& is, Consequence consequence) {
    if (same_content(was, is)) return;
    lines_.push_back(fmt::format(
        "the tokens of {} are not what they were when the checkpoint was saved, under the same name: {} "
        "(compared: all of each .idx file, and of each .bin file its size and {} blocks of 64 KiB)",
        what, words(consequence), data::IndexedDataset::sampled_blocks));
  }

  void compare_tokenizers() {
    if (!both_have("tokenizer") || !saved_["tokenizer"].is_object()) return;
    const json &was = saved_["tokenizer"], &is = now_["tokenizer"];
    const json files = now_["tokenizer_files"];
    const auto changed_files = both_have("tokenizer_files") ? changed_names(saved_["tokenizer_files"], files)
                                                            : std::vector<std::string>();
    const bool moved = both_have("tokenizer_files") && !files.empty() && changed_files.empty();
    bool renamed = false;
    for (const std::string& name : changed_names(was, is)) {
      const bool names_file = name == "tokenizer_model" || name == "vocab_file" || name == "merge_file";
      renamed = renamed || names_file;
      lines_.push_back(
          line(name, was.value(name, json()), is.value(name, json()),
               names_file && moved ? "its files have the same content" : words(Consequence::tokens)));
    }
    if (renamed || changed_files.empty()) return;
    lines_.push_back(
        fmt::format("the tokenizer's files are not what they were when the checkpoint was saved, under the "
                    "same name ({}): {}",
                    fmt::join(changed_files, ", "), words(Consequence::tokens)));
  }

  const json& saved_;
  const json& now_;
  std::int64_t consumed_;
  ScheduleExplanation schedule_;
  std::vector<std::string> lines_;
};

}  // namespace

json tokenizer_checksums(const tokenizer::TokenizerOptions& options) {
  json checksums = json::object();
  for (const auto& file : tokenizer::tokenizer_files(options))
    checksums[file.filename().string()] = checksum(read_file(file));
  return checksums;
}

json run_identity(const RunParts& parts) {
  const data::DataConfig& data = parts.data;
  json result = {{"mock_data", data.mock_data},
                 {"data_path", data.data_path.items},
                 {"train_data_path", data.train_data_path.items},
                 {"valid_data_path", data.valid_data_path.items},
                 {"test_data_path", data.test_data_path.items},
                 {"split", data.split},
                 {"tokenizer", tokenizer::to_json(parts.tokenizer)},
                 {"tokenizer_files", tokenizer_checksums(parts.tokenizer)}};
  for (const Part& part : data_parts) {
    if (!result.contains(part.name)) result[part.name] = value_of(parts.arguments, part.name);
  }
  for (const Part& part : other_parts) result[part.name] = value_of(parts.arguments, part.name);
  add_schedule_arguments(parts.arguments, result);
  if (parts.datasets.train != nullptr) result["samples"] = parts.datasets.train->identity();
  const auto content = [](const auto& dataset) {
    return dataset == nullptr ? json() : each(dataset->identity(), "content");
  };
  if (!data.valid_data_path.empty()) result["valid_content"] = content(parts.datasets.valid);
  if (!data.test_data_path.empty()) result["test_content"] = content(parts.datasets.test);
  if (result["dataloader_type"] != "cyclic" || parts.datasets.train == nullptr) return result;
  // Batches depend on it only where each data-parallel rank shuffles a part of its own.
  if (parts.arguments.get<"data_sharding">()) result["data_parallel_size"] = parts.data_parallel_size;
  // What is shuffled are the samples that fill whole micro-batches of all ranks.
  const std::int64_t micro_batch_size = parts.arguments.get<"micro_batch_size">();
  const std::int64_t at_once = micro_batch_size * parts.data_parallel_size;
  result["micro_batch_size"] = micro_batch_size;
  result["cyclic_samples"] = parts.datasets.train->size() / at_once * at_once;
  return result;
}

std::vector<std::string> changes(const json& saved, const json& now, const RunState& state,
                                 const ScheduleChanges& schedule) {
  return Comparison(saved, now, state, schedule).run();
}

}  // namespace primus::train
