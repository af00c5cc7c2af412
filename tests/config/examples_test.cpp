// What a run writes into its folder as config.yaml is loaded as an experiment again: the same run, for every
// experiment that is shipped. tests/cli/round_trip_test.py trains those that a CPU can.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "config/describe.h"
#include "config/print.h"
#include "config/validate.h"
#include "core/file.h"
#include "golden.h"
#include "tests/temporary_directory.h"

namespace primus::config {
namespace {

namespace fs = std::filesystem;
using primus::config::testing::source_directory;

std::vector<fs::path> shipped_experiments() {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(source_directory() / "examples/megatron/configs")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

ResolveRequest request_for(const fs::path& file, std::vector<std::string> overrides = {}) {
  ResolveRequest request;
  request.config = file;
  request.config_directories = {source_directory() / "configs"};
  request.environment = environment_of({});
  request.overrides = std::move(overrides);
  return request;
}

/// Writes what the run of `experiment` would write as its config.yaml, and loads that.
ResolveRequest written_again(Experiment experiment, const Arguments& derived, const fs::path& file) {
  experiment.arguments = derived;
  write_file_atomically(file, to_yaml(resolved_tree(experiment)) + derived_comment(derived));
  return request_for(file);
}

/// The messages of a report without their places, which are lines of another file.
std::vector<std::string> messages(const ValidationReport& report) {
  std::vector<std::string> all;
  for (const auto* list : {&report.problems, &report.unsupported}) {
    for (const Problem& problem : *list) all.push_back(problem.message);
  }
  return all;
}

void expect_the_same_run(const ResolveRequest& request, const fs::path& target) {
  SCOPED_TRACE(request.config.string());
  const ValidationReport report = validate(request, std::nullopt);
  const Experiment experiment = resolve(request);
  // Nine examples break a rule; the others are written as their run would write them.
  const ResolveRequest again =
      written_again(experiment, report.derived ? report.derived->arguments : experiment.arguments, target);
  const ValidationReport second = validate(again, std::nullopt);
  EXPECT_EQ(messages(second), messages(report));
  EXPECT_EQ(second.world_size, report.world_size);
  const Experiment loaded = resolve(again);
  EXPECT_EQ(loaded.root_directory, experiment.root_directory);
  ASSERT_EQ(second.derived.has_value(), report.derived.has_value());
  if (report.derived)
    EXPECT_EQ(difference(report.derived->arguments, second.derived->arguments), "");
  else
    EXPECT_EQ(difference(experiment.arguments, loaded.arguments), "");
}

TEST(ShippedExperiments, AreTheSameRunAgainFromTheConfigOfTheirRun) {
  const primus::testing::TemporaryDirectory directory;
  const std::vector<fs::path> files = shipped_experiments();
  ASSERT_EQ(files.size(), 248U);
  for (const fs::path& file : files) expect_the_same_run(request_for(file), directory / "config.yaml");
}

TEST(ShippedExperiments, AreTheSameRunAgainWhateverIsSetBesides) {
  const primus::testing::TemporaryDirectory directory;
  const fs::path tiny = source_directory() / "examples/megatron/configs/CPU/llama_tiny-pretrain.yaml";
  const std::vector<std::string> cases[] = {
      {"norm_epsilon=1e-3"},
      {"layernorm_epsilon=1e-5", "norm_epsilon=1e-3"},
      {"save=/elsewhere", "save_interval=3"},
      {"mock_data=true", "vocab_size=100"},
      {"weight_decay_incr_style=linear", "start_weight_decay=0.0", "end_weight_decay=0.1"},
      {"add_bias_linear=true"},
      {"recompute_activations=true"},
      {"tensor_model_parallel_size=2", "sequence_parallel=true"},
      {"pipeline_model_parallel_size=4", "num_virtual_stages_per_pipeline_rank=1"},
      {"use_rotary_position_embeddings=true", "position_embedding_type=none"},
      {"bf16=false", "fp16=true"},
      {"exp_name=mine", "workspace=/w"},
      {"train_samples=128", "train_iters=null", "lr_warmup_iters=0", "lr_decay_iters=null"},
      {"disable_tensorboard=false", "tensorboard_dir=/t", "disable_wandb=false"},
      {"global_batch_size=null"},
  };
  for (const auto& overrides : cases) {
    SCOPED_TRACE(::testing::PrintToString(overrides));
    expect_the_same_run(request_for(tiny, overrides), directory / "config.yaml");
  }
}

TEST(ShippedExperiments, AreNeverRefusedForWhatTheyHaveSwitchedOff) {
  // What the model or the run is made of; whatever else an experiment sets has no effect without these.
  std::size_t trainable = 0;
  for (const fs::path& file : shipped_experiments()) {
    const ValidationReport report = validate(request_for(file), std::nullopt);
    if (messages(report).empty()) ++trainable;
    for (const std::string& message : messages(report)) {
      for (const char* off : {"wandb", "tensorboard", "profiler", "mlflow"})
        EXPECT_THAT(message, ::testing::Not(::testing::HasSubstr(off))) << file;
    }
    if (report.derived && !report.derived->arguments.get<"num_experts">()) {
      for (const Problem& problem : report.unsupported)
        EXPECT_FALSE(problem.message.starts_with("'moe_")) << file << problem.message;
    }
  }
  // More as the engine learns more.
  EXPECT_GE(trainable, 39U);
}

}  // namespace
}  // namespace primus::config
