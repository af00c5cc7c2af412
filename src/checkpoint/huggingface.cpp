#include "checkpoint/huggingface.h"

#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/file.h"
#include "core/lock.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr const char* single_file = "model.safetensors";
constexpr const char* hf_index_file = "model.safetensors.index.json";

/// The file of each tensor, by the index when there is one.
std::map<std::string, std::string> read_weight_map(const fs::path& path) {
  const Json json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    throw_user_error("{}: there is no 'weight_map' object in it", path.string());
  }
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    if (!file.is_string()) throw_user_error("{}: the file of '{}' is not a text", path.string(), name);
    files[name] = file.get<std::string>();
  }
  return files;
}

/// The safetensors files of a directory, each opened once.
class ShardedTensors {
 public:
  explicit ShardedTensors(const fs::path& directory) : directory_(directory) {
    if (fs::exists(directory / hf_index_file)) {
      file_of_ = read_weight_map(directory / hf_index_file);
    } else if (!fs::exists(directory / single_file)) {
      throw_user_error("{}: there is neither {} nor {} in it", directory.string(), single_file,
                       hf_index_file);
    }
  }

  at::Tensor get(const std::string& name) {
    if (file_of_.empty()) return open(single_file).tensor(name);
    const auto found = file_of_.find(name);
    if (found == file_of_.end()) {
      throw_user_error("{}: there is no tensor '{}' in it", (directory_ / hf_index_file).string(), name);
    }
    return open(found->second).tensor(name);
  }

 private:
  const SafetensorsFile& open(const std::string& file) {
    std::unique_ptr<SafetensorsFile>& opened = files_[file];
    if (opened == nullptr) opened = std::make_unique<SafetensorsFile>(directory_ / file);
    return *opened;
  }

  fs::path directory_;
  std::map<std::string, std::string> file_of_;
  std::map<std::string, std::unique_ptr<SafetensorsFile>> files_;
};

void copy_pieces(parallel::Parameter& parameter, const at::Tensor& whole) {
  const std::vector<std::int64_t>& shape = parameter.spec().global_shape;
  if (whole.sizes() != at::IntArrayRef(shape)) {
    throw_user_error("the tensor for {} has shape [{}], the model's configuration needs [{}]",
                     parameter.name(), fmt::join(whole.sizes(), ", "), fmt::join(shape, ", "));
  }
  for (const parallel::ShardPiece& piece : parameter.pieces()) {
    at::Tensor source = whole, target = parameter.weight.value;
    for (std::size_t d = 0; d < piece.extent.size(); ++d) {
      const auto dim = static_cast<std::int64_t>(d);
      source = source.narrow(dim, piece.global_offset[d], piece.extent[d]);
      target = target.narrow(dim, piece.local_offset[d], piece.extent[d]);
    }
    target.copy_(source);
  }
}

}  // namespace

TensorSource open_huggingface_tensors(const fs::path& directory) {
  const auto tensors = std::make_shared<ShardedTensors>(directory);
  return [tensors](const std::string& name) { return tensors->get(name); };
}

TensorSource import_huggingface(const fs::path& directory, const model::TransformerConfig& config) {
  const TensorSource theirs = open_huggingface_tensors(directory);
  std::map<std::string, TensorRule> rules;
  for (TensorRule& rule : import_rules(config)) rules.emplace(rule.name, rule);
  return [theirs, rules](const std::string& name) { return rules.at(name).make(theirs); };
}

void load_weights(const TensorSource& tensors, model::GPTModel& model) {
  const at::NoGradGuard no_grad;
  for (const auto& parameter : model.parameters().all()) copy_pieces(*parameter, tensors(parameter->name()));
}

TensorSource tensors_of(const model::GPTModel& model) {
  return [&model](const std::string& name) {
    const parallel::Parameter* parameter = model.parameters().find(name);
    if (parameter == nullptr) throw Error(fmt::format("the model has no parameter {}", name));
    return parameter->weight.value.detach();
  };
}

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

/// Tensors are made twice, for their shape and for their bytes, so that only one is held at a time.
ShardPlan plan_shards(const std::vector<TensorRule>& rules, const HuggingFaceExport& source) {
  ShardPlan plan;
  std::uint64_t in_file = 0;
  for (const TensorRule& rule : rules) {
    const at::Tensor tensor = rule.make(source.tensors);
    TensorInfo info{.name = rule.name, .dtype = source.config.params_dtype, .shape = tensor.sizes().vec()};
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
      writer.write(info.name, rules[rule++].make(source.tensors).to(source.config.params_dtype).contiguous());
    }
    writer.finish();
  }
  if (plan.files.size() > 1) write_index(plan, directory);
}

}  // namespace

void export_huggingface(const HuggingFaceExport& source, const fs::path& directory) {
  const at::NoGradGuard no_grad;
  const std::string config = huggingface_config(source.config);
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
    for (const fs::path& file : source.extra_files) {
      write_file_atomically(temporary / file.filename(), read_file(file));
    }
    fs::rename(temporary, target);
  } catch (...) {
    fs::remove_all(temporary, ignored);
    throw;
  }
  sync_directory(fs::absolute(target).parent_path());
}

}  // namespace primus::checkpoint
