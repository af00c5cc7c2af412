#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "checkpoint/huggingface.h"
#include "checkpoint/huggingface_files.h"
#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/file.h"
#include "core/lock.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

/// Which tensors go into which file, and how large all are.
struct ShardPlan {
  std::vector<std::vector<TensorInfo>> files;
  std::uint64_t total_bytes = 0;

  std::string file_name(std::size_t file) const {
    if (files.size() == 1) return single_file;
    return fmt::format("model-{:05}-of-{:05}.safetensors", file + 1, files.size());
  }
};

ShardPlan plan_shards(const std::vector<TensorRule>& rules, const HuggingFaceExport& source) {
  ShardPlan plan;
  std::uint64_t in_file = 0;
  for (const TensorRule& rule : rules) {
    TensorInfo info{.name = rule.name, .dtype = source.config.params_dtype, .shape = rule.shape};
    const std::uint64_t bytes = info.byte_size();
    if (plan.files.empty() || in_file + bytes > source.max_shard_bytes) {
      plan.files.emplace_back();
      in_file = 0;
    }
    plan.files.back().push_back(std::move(info));
    in_file += bytes;
    plan.total_bytes += bytes;
  }
  return plan;
}

void write_index(const ShardPlan& plan, const fs::path& directory) {
  Json index = {{"metadata", {{"total_size", plan.total_bytes}}}, {"weight_map", Json::object()}};
  for (std::size_t file = 0; file < plan.files.size(); ++file) {
    for (const TensorInfo& info : plan.files[file]) index["weight_map"][info.name] = plan.file_name(file);
  }
  write_file_atomically(directory / hf_index_file, index.dump(2) + "\n");
}

void write_tensors(const HuggingFaceExport& source, const fs::path& directory) {
  const std::vector<TensorRule> rules = export_rules(source.config);
  const ShardPlan plan = plan_shards(rules, source);
  std::size_t rule = 0;
  for (std::size_t file = 0; file < plan.files.size(); ++file) {
    SafetensorsWriter writer(directory / plan.file_name(file), plan.files[file], {{"format", "pt"}});
    for (const TensorInfo& info : plan.files[file]) {
      const at::Tensor tensor =
          rules[rule++].make(source.tensors).to(source.config.params_dtype).contiguous();
      require_finite(tensor, info.name);
      writer.write(info.name, tensor);
    }
    writer.finish();
  }
  if (plan.files.size() > 1) write_index(plan, directory);
}

}  // namespace

void export_huggingface(const HuggingFaceExport& source, const fs::path& directory) {
  const at::NoGradGuard no_grad;
  const std::string config = huggingface_config(source.config, source.special_tokens);
  const fs::path target = directory.has_filename() ? directory : directory.parent_path();
  const fs::path temporary = target.string() + ".tmp";
  const Lock lock(target.string() + ".lock");
  if (fs::exists(directory)) {
    throw_user_error("{}: it exists already; name a directory that does not", directory.string());
  }
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  make_directories(temporary);
  try {
    write_tensors(source, temporary);
    write_file_atomically(temporary / "config.json", config);
    for (const auto& [name, content] : source.extra_files) write_file_atomically(temporary / name, content);
    rename_file(temporary, target);
  } catch (...) {
    fs::remove_all(temporary, ignored);
    throw;
  }
  sync_directory(fs::absolute(target).parent_path());
}

}  // namespace primus::checkpoint
