#include <ATen/Functions.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <set>

#include "checkpoint/huggingface.h"
#include "checkpoint/huggingface_files.h"
#include "core/error.h"

namespace primus::checkpoint {

namespace fs = std::filesystem;

namespace {

/// Collects what is wrong, and names the first few in one message.
class Problems {
 public:
  void add(std::string problem) {
    if (++count_ <= shown) problems_.push_back(std::move(problem));
  }
  std::size_t count() const { return count_; }
  std::string text() const {
    const std::string more = count_ > shown ? fmt::format("; and {} more", count_ - shown) : "";
    return fmt::format("{}{}", fmt::join(problems_, "; "), more);
  }

 private:
  static constexpr std::size_t shown = 3;
  std::vector<std::string> problems_;
  std::size_t count_ = 0;
};

bool is_readable(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf || dtype == at::kDouble;
}

/// Rotary frequencies that early versions saved; Transformers computes them anew, too.
bool is_harmless(const std::string& name) { return name.ends_with("rotary_emb.inv_freq"); }

/// What the configuration needs against what is there.
void check_needed(const HuggingFaceFiles& files, const std::vector<TensorRule>& needed) {
  Problems problems;
  for (const TensorRule& rule : needed) {
    const auto found = files.tensors().find(rule.name);
    if (found == files.tensors().end()) {
      problems.add(fmt::format("tensor {} is missing", rule.name));
      continue;
    }
    const TensorInfo& info = *found->second->find(rule.name);
    const std::string file = found->second->path().filename().string();
    if (!is_readable(info.dtype)) {
      problems.add(fmt::format(
          "{}: tensor {} is {}, and only F32, BF16, F16 and F64 are read (quantized weights must be "
          "saved as one of them first)",
          file, rule.name, safetensors_dtype(info.dtype)));
    } else if (info.shape != rule.shape) {
      problems.add(fmt::format("{}: tensor {} has shape [{}], config.json needs [{}]", file, rule.name,
                               fmt::join(info.shape, ", "), fmt::join(rule.shape, ", ")));
    }
  }
  if (problems.count() > 0) throw_user_error("{}: {}", files.directory().string(), problems.text());
}

/// No tensor may be dropped in silence.
void check_left_over(const HuggingFaceFiles& files, const std::vector<TensorRule>& needed,
                     const model::TransformerConfig& config) {
  std::set<std::string> used;
  for (const TensorRule& rule : needed) used.insert(rule.name);
  Problems problems;
  for (const auto& [name, file] : files.tensors()) {
    if (used.contains(name) || is_harmless(name)) continue;
    if (name == "lm_head.weight" && !config.untie_embeddings_and_output_weights) {
      const std::string embedding = "model.embed_tokens.weight";
      const at::Tensor table = files.tensors().at(embedding)->tensor(embedding), head = file->tensor(name);
      if (head.sizes() == table.sizes() && at::equal(head.to(table.scalar_type()), table)) continue;
      throw_user_error(
          "{}: config.json has 'tie_word_embeddings' true, but lm_head.weight is not {}: set it to false to "
          "keep "
          "both, or remove lm_head.weight",
          files.directory().string(), embedding);
    }
    problems.add(name);
  }
  if (problems.count() > 0) {
    throw_user_error(
        "{}: a model with this config.json has no place for these tensors, which would be lost: {}",
        files.directory().string(), problems.text());
  }
}

void copy_pieces(parallel::Parameter& parameter, const at::Tensor& whole, const fs::path& origin) {
  const std::vector<std::int64_t>& shape = parameter.spec().global_shape;
  if (whole.sizes() != at::IntArrayRef(shape)) {
    throw_user_error("{}: the tensor for {} has shape [{}], the model's configuration needs [{}]",
                     origin.string(), parameter.name(), fmt::join(whole.sizes(), ", "),
                     fmt::join(shape, ", "));
  }
  for (const parallel::ShardPiece& piece : parameter.pieces()) {
    at::Tensor source = whole, target = parameter.weight.value;
    for (std::size_t d = 0; d < piece.extent.size(); ++d) {
      const auto dim = static_cast<std::int64_t>(d);
      source = source.narrow(dim, piece.global_offset[d], piece.extent[d]);
      target = target.narrow(dim, piece.local_offset[d], piece.extent[d]);
    }
    target.copy_(source);
    // A number that the model's dtype is too small for has become infinite.
    if (target.scalar_type() != source.scalar_type())
      blame({origin.string()}, [&] { require_finite(target, parameter.name()); });
  }
}

}  // namespace

TensorSource import_huggingface(const fs::path& directory, const model::TransformerConfig& config) {
  const auto files = std::make_shared<HuggingFaceFiles>(directory);
  if (config.num_layers > static_cast<std::int64_t>(files->tensors().size())) {
    throw_user_error("{}: config.json has 'num_hidden_layers' {}, but there are only {} tensors",
                     directory.string(), config.num_layers, files->tensors().size());
  }
  const std::vector<TensorRule> needed = export_rules(config);
  check_needed(*files, needed);
  check_left_over(*files, needed, config);
  const TensorSource theirs = [files](const std::string& name) {
    const SafetensorsFile& file = *files->tensors().at(name);
    const at::Tensor tensor = file.tensor(name);
    blame({file.path().string()}, [&] { require_finite(tensor, name); });
    return tensor;
  };
  std::map<std::string, TensorRule> rules;
  for (TensorRule& rule : import_rules(config)) rules.emplace(rule.name, rule);
  return [theirs, rules](const std::string& name) { return rules.at(name).make(theirs); };
}

void load_weights(const TensorSource& tensors, model::GPTModel& model, const fs::path& origin) {
  const at::NoGradGuard no_grad;
  for (const auto& parameter : model.parameters().all())
    copy_pieces(*parameter, tensors(parameter->name()), origin);
}

TensorSource tensors_of(const model::GPTModel& model) {
  return [&model](const std::string& name) {
    const parallel::Parameter* parameter = model.parameters().find(name);
    if (parameter == nullptr) throw Error(fmt::format("the model has no parameter {}", name));
    return parameter->weight.value.detach();
  };
}

}  // namespace primus::checkpoint
