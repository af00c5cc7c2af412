// What import makes of configurations and tensors that are not as the fixtures have them.
#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "checkpoint/huggingface.h"
#include "checkpoint/safetensors.h"
#include "core/error.h"
#include "core/file.h"
#include "tests/checkpoint/huggingface_fixture.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::checkpoint {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using primus::testing::TemporaryDirectory;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Tensors = std::map<std::string, at::Tensor>;

constexpr const char* accepted = "accepted";

/// A copy of a fixture to be changed.
class Model {
 public:
  explicit Model(const std::string& name = "llama")
      : config(json::parse(read_file(huggingface_fixture(name) / "config.json"))) {
    const SafetensorsFile file(huggingface_fixture(name) / "model.safetensors");
    for (const TensorInfo& info : file.tensors()) tensors[info.name] = file.tensor(info.name).clone();
  }

  const fs::path& path() const { return directory_.path(); }
  HuggingFaceConfig read(const std::vector<std::string>& ignore_keys = {}) const {
    std::ofstream(path() / "config.json") << config.dump();
    return read_huggingface_config(path(), ignore_keys);
  }
  /// Imports all tensors; the message, or "accepted".
  std::string message() const {
    write_safetensors(path() / "model.safetensors", tensors);
    return primus::testing::message_of([&] {
      const model::TransformerConfig model = read().model;
      const TensorSource source = import_huggingface(path(), model);
      for (const TensorRule& rule : import_rules(model)) source(rule.name);
    });
  }
  kernels::RopeConfig rope() const { return read().model.rope; }

  json config;
  Tensors tensors;

 private:
  TemporaryDirectory directory_;
};

std::string message_for(const std::function<void(json&)>& change, const std::string& name = "llama") {
  Model model(name);
  change(model.config);
  return model.message();
}

std::string message_for_tensors(const std::function<void(Tensors&)>& change) {
  Model model;
  change(model.tensors);
  return model.message();
}

TEST(HuggingFaceConfigFile, SaysWhatItCannotRead) {
  EXPECT_EQ(message_for([](json&) {}), accepted);
  EXPECT_THAT(message_for([](json& c) { c["model_type"] = "gpt2"; }), HasSubstr("'model_type' is 'gpt2'"));
  EXPECT_THAT(message_for([](json& c) { c["architectures"] = {"LlamaForSequenceClassification"}; }),
              HasSubstr("LlamaForSequenceClassification"));
  EXPECT_THAT(message_for([](json& c) { c.erase("hidden_size"); }), HasSubstr("'hidden_size' is missing"));
  EXPECT_THAT(message_for([](json& c) { c["hidden_size"] = "wide"; }),
              HasSubstr("'hidden_size' is \"wide\""));
  EXPECT_THAT(message_for([](json& c) { c["num_hidden_layers"] = 1.5; }), HasSubstr("not an integer"));
  EXPECT_THAT(message_for([](json& c) { c["num_attention_heads"] = 0; }), HasSubstr("between 1 and"));
  EXPECT_THAT(message_for([](json& c) { c["vocab_size"] = 1LL << 62; }), HasSubstr("between 1 and"));
  EXPECT_THAT(message_for([](json& c) { c["tie_word_embeddings"] = "no"; }), HasSubstr("not true or false"));
  EXPECT_THAT(message_for([](json& c) { c["rms_norm_eps"] = 0; }), HasSubstr("must be positive"));
  EXPECT_THAT(message_for([](json& c) { c["num_key_value_heads"] = 4; }), HasSubstr("num_query_groups (4)"));
  EXPECT_THAT(message_for([](json& c) { c["dtype"] = "int8"; }), HasSubstr("'dtype' is 'int8'"));
}

TEST(HuggingFaceConfigFile, KeysThatChangeTheFunctionAreRefused) {
  EXPECT_THAT(message_for([](json& c) { c["quantization_config"] = {{"quant_method", "fp8"}}; }),
              AllOf(HasSubstr("quantization_config"), HasSubstr("fp8")));
  EXPECT_THAT(message_for([](json& c) { c["hidden_act"] = "gelu"; }), HasSubstr("'hidden_act' is 'gelu'"));
  EXPECT_THAT(message_for([](json& c) { c["sliding_window"] = 16; }), HasSubstr("'sliding_window' is 16"));
  EXPECT_THAT(message_for([](json& c) { c["layer_types"] = {"full_attention", "sliding_attention"}; }),
              HasSubstr("sliding_attention"));
  EXPECT_THAT(message_for([](json& c) { c["is_encoder_decoder"] = true; }), HasSubstr("is_encoder_decoder"));
  EXPECT_THAT(message_for([](json& c) { c["per_layer_config"] = {{"0", {{"head_dim", 4}}}}; }),
              HasSubstr("per_layer_config"));
  EXPECT_EQ(message_for([](json& c) { c["sliding_window"] = 16; }, "qwen2"), accepted)
      << "it is switched off";
  EXPECT_THAT(message_for(
                  [](json& c) {
                    c["use_sliding_window"] = true;
                    c["sliding_window"] = 16;
                  },
                  "qwen2"),
              HasSubstr("'sliding_window' is 16"));
}

TEST(HuggingFaceConfigFile, AnAbsentKeyMeansWhatItMeansInTheModelsOwnClass) {
  const auto as_mistral = [](json& c) {
    c["model_type"] = "mistral";
    c["architectures"] = {"MistralForCausalLM"};
    c["sliding_window"] = nullptr;
  };
  EXPECT_EQ(message_for(as_mistral), accepted);
  EXPECT_THAT(message_for([&](json& c) {
                as_mistral(c);
                c.erase("sliding_window");
              }),
              HasSubstr("'sliding_window' is missing, which means 4096"));
  EXPECT_THAT(message_for([&](json& c) {
                as_mistral(c);
                c.erase("num_key_value_heads");
              }),
              HasSubstr("'num_key_value_heads' is missing"));
  EXPECT_THAT(message_for([](json& c) { c.erase("head_dim"); }, "qwen3"), HasSubstr("'head_dim' is missing"));
  EXPECT_EQ(message_for([](json& c) { c.erase("head_dim"); }), accepted);
  EXPECT_THAT(message_for([](json& c) {
                c.erase("head_dim");
                c["num_attention_heads"] = 5;
              }),
              HasSubstr("does not divide 'hidden_size'"));
}

TEST(HuggingFaceConfigFile, KeysThatNobodyKnowsAreRefusedUnlessTheyAreNamed) {
  Model model;
  model.config["attn_logit_softcapping"] = 30.0;
  model.config["auto_map"] = {{"AutoModelForCausalLM", "modeling.Model"}};
  model.config["rope_thetha"] = nullptr;
  EXPECT_THAT(model.message(), AllOf(HasSubstr("attn_logit_softcapping, auto_map"),
                                     HasSubstr("--ignore_keys attn_logit_softcapping,auto_map")));
  EXPECT_NO_THROW(model.read({"attn_logit_softcapping", "auto_map"}));
  EXPECT_THAT([&] { model.read({"atn_logit_softcapping"}); },
              ThrowsMessage<UserError>(HasSubstr("names 'atn_logit_softcapping', which is not in it")));
}

TEST(HuggingFaceConfigFile, SettingsOfOtherModelsAreTakenAtTheValueThatChangesNothing) {
  const std::vector<std::pair<const char*, std::pair<json, json>>> settings = {
      {"logit_scale", {1.0, 0.5}},          {"embedding_multiplier", {1, 12.0}},
      {"residual_multiplier", {1.0, 0.22}}, {"logits_scaling", {1.0, 8.0}},
      {"use_qk_norm", {false, true}},       {"use_mrope", {false, true}},
      {"rope_interleaved", {false, true}},  {"clip_qkv", {nullptr, 8.0}},
      {"no_rope_layers", {nullptr, {1, 1}}}};
  for (const auto& [key, values] : settings) {
    EXPECT_EQ(message_for([&](json& c) { c[key] = values.first; }), accepted) << key;
    EXPECT_THAT(message_for([&](json& c) { c[key] = values.second; }), HasSubstr(key));
  }
  EXPECT_EQ(message_for([](json& c) { c["attention_bias"] = true; }, "qwen2"), accepted)
      << "they have biases";
  EXPECT_THAT(message_for([](json& c) { c["attention_bias"] = false; }, "qwen2"),
              HasSubstr("attention_bias"));
}

TEST(HuggingFaceConfigFile, WhatPythonWritesForNumbersThatAreNoneIsJudgedByItsKey) {
  const auto message_with = [](const char* key, const char* value) {
    Model model;
    model.config.erase(key);
    const std::string entry = fmt::format("{{\"{}\": {}, ", key, value);
    write_file_atomically(model.path() / "config.json", entry + model.config.dump().substr(1));
    return primus::testing::message_of([&] { read_huggingface_config(model.path()); });
  };
  EXPECT_EQ(message_with("temperature", "NaN"), accepted);
  EXPECT_THAT(message_with("logit_scale", "-Infinity"), HasSubstr("--ignore_keys logit_scale"));
  EXPECT_THAT(message_with("rms_norm_eps", "Infinity"),
              HasSubstr("'rms_norm_eps' is \"Infinity\", which is not a number"));
}

TEST(HuggingFaceConfigFile, BiasesAreEverywhereOrNowhere) {
  const auto with = [](bool attention, bool mlp) {
    return [=](json& c) {
      c["attention_bias"] = attention;
      c["mlp_bias"] = mlp;
    };
  };
  EXPECT_THAT(message_for(with(true, false)), HasSubstr("both true"));
  EXPECT_THAT(message_for(with(false, true)), HasSubstr("model_type qwen2"));
  EXPECT_THAT(message_for([](json& c) {
                c["attention_bias"] = true;
                c.erase("mlp_bias");
              }),
              HasSubstr("'attention_bias' is true and 'mlp_bias' is false"));
  EXPECT_THAT(message_for([](json& c) { c["attention_bias"] = true; }, "qwen3"), HasSubstr("both true"));
  Model model;
  with(true, true)(model.config);
  EXPECT_TRUE(model.read().model.add_bias_linear);
  EXPECT_TRUE(model.read().model.add_qkv_bias) << "as the arguments have it";
}

TEST(HuggingFaceConfigFile, RotarySettingsAreReadInEverySpelling) {
  const json linear = {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 5e5}};
  const auto rope = [](const json& keys) {
    Model model;
    model.config.erase("rope_parameters");
    model.config.update(keys);
    return model.rope();
  };
  const kernels::RopeConfig expected = {.dim = 8, .base = 5e5, .interpolation_factor = 2.0};
  EXPECT_EQ(rope(json::object()), (kernels::RopeConfig{.dim = 8, .base = 1e4}));
  EXPECT_EQ(rope({{"rope_theta", 5e5}}), (kernels::RopeConfig{.dim = 8, .base = 5e5}));
  EXPECT_EQ(rope({{"rope_parameters", linear}}), expected);
  EXPECT_EQ(rope({{"rope_parameters", {{"full_attention", linear}}}}), expected);
  EXPECT_EQ(
      rope({{"rope_parameters", {{"full_attention", linear}, {"sliding_attention", {{"rope_theta", 1.0}}}}}}),
      expected);
  EXPECT_EQ(rope({{"rope_theta", 5e5}, {"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}), expected);
  EXPECT_EQ(rope({{"rope_theta", 5e5}, {"rope_parameters", linear}, {"rope_scaling", linear}}), expected);
  EXPECT_EQ(rope({{"rope_theta", 5e5}, {"rope_scaling", nullptr}, {"partial_rotary_factor", 1.0}}),
            (kernels::RopeConfig{.dim = 8, .base = 5e5}));
}

TEST(HuggingFaceConfigFile, RotarySettingsThatCannotBeMeantAreRefused) {
  const auto message = [](const json& keys) {
    return message_for([&](json& c) {
      c.erase("rope_parameters");
      c.update(keys);
    });
  };
  const json flat = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_THAT(message({{"rope_scaling", {{"factor", 2.0}}}}),
              AllOf(HasSubstr("'factor' has no meaning"), HasSubstr("missing 'rope_type'")));
  EXPECT_THAT(message({{"rope_scaling", {{"type", "linear"}, {"rope_type", "llama3"}, {"factor", 2.0}}}}),
              HasSubstr("'type' is 'linear' and 'rope_type' is 'llama3'"));
  EXPECT_THAT(message({{"rope_parameters", flat}, {"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}}),
              HasSubstr("contradict each other"));
  EXPECT_THAT(message({{"rope_theta", 1e4}, {"rope_parameters", flat}}),
              HasSubstr("remove the one that is wrong"));
  EXPECT_THAT(message({{"rope_parameters", {{"sliding_attention", flat}}}}),
              HasSubstr("no 'full_attention'"));
  EXPECT_THAT(message({{"rope_parameters", {{"full_attention", flat}, {"rope_theta", 1e4}}}}),
              HasSubstr("'rope_theta' is set beside"));
  EXPECT_THAT(message({{"partial_rotary_factor", 0.5}}), HasSubstr("'partial_rotary_factor' is 0.5"));
  EXPECT_THAT(message({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}),
              HasSubstr("'partial_rotary_factor' is 0.5"));
  EXPECT_THAT(message({{"rope_scaling", {{"type", "yarn"}, {"factor", 2.0}}}}),
              HasSubstr("'rope_type' is 'yarn'"));
  EXPECT_THAT(message({{"rope_scaling", {{"type", "linear"}, {"factor", 0.0}}}}),
              HasSubstr("must be positive"));
  EXPECT_THAT(message({{"rope_scaling", {{"type", "linear"}}}}),
              HasSubstr("'rope_scaling.factor' is missing"));
  EXPECT_THAT(message({{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 2.0}}}}),
              HasSubstr("'rope_scaling.low_freq_factor' is missing"));
  EXPECT_THAT(message({{"rope_scaling", "linear"}}), HasSubstr("not a JSON object"));
}

TEST(HuggingFaceTensors, NoneIsDropped) {
  EXPECT_THAT(
      message_for_tensors([](Tensors& t) { t["model.layers.0.self_attn.q_proj.bias"] = at::zeros({48}); }),
      AllOf(HasSubstr("would be lost"), HasSubstr("model.layers.0.self_attn.q_proj.bias")));
  EXPECT_THAT(
      message_for_tensors([](Tensors& t) { t["model.layers.0.mlp.up_proj.weight_scale"] = at::ones({1}); }),
      HasSubstr("weight_scale"));
  EXPECT_THAT(message_for([](json& c) { c["num_hidden_layers"] = 1; }), HasSubstr("model.layers.1."));
  EXPECT_EQ(message_for_tensors(
                [](Tensors& t) { t["model.layers.0.self_attn.rotary_emb.inv_freq"] = at::zeros({4}); }),
            accepted);
}

TEST(HuggingFaceTensors, ATiedHeadMustBeTheEmbedding) {
  Model model;
  model.config["tie_word_embeddings"] = true;
  EXPECT_THAT(model.message(), AllOf(HasSubstr("tie_word_embeddings"), HasSubstr("lm_head.weight")));
  model.tensors["lm_head.weight"] = model.tensors["model.embed_tokens.weight"].clone();
  EXPECT_EQ(model.message(), accepted);
  model.tensors["lm_head.weight"] = at::zeros({1, 48});
  EXPECT_THAT(model.message(), HasSubstr("lm_head.weight"));
  model.tensors.erase("lm_head.weight");
  EXPECT_EQ(model.message(), accepted);
}

TEST(HuggingFaceTensors, MustHaveTheShapesOfTheConfiguration) {
  EXPECT_THAT(
      message_for([](json& c) { c["intermediate_size"] = 96; }),
      HasSubstr("model.layers.0.mlp.down_proj.weight has shape [48, 80], config.json needs [48, 96]"));
  EXPECT_THAT(message_for([](json& c) { c["head_dim"] = 4; }), HasSubstr("q_proj.weight has shape [48, 48]"));
  EXPECT_THAT(message_for([](json& c) { c["vocab_size"] = 79; }),
              HasSubstr("model.embed_tokens.weight has shape [80, 48], config.json needs [79, 48]"));
  EXPECT_THAT(message_for([](json& c) { c["vocab_size"] = 81; }), HasSubstr("needs [81, 48]"));
  EXPECT_THAT(message_for([](json& c) { c["num_hidden_layers"] = 3; }),
              HasSubstr("model.layers.2.input_layernorm.weight is missing"));
  EXPECT_THAT(message_for([](json& c) { c["num_hidden_layers"] = 1 << 24; }), HasSubstr("num_hidden_layers"));
  EXPECT_THAT(message_for_tensors([](Tensors& t) { t.erase("model.norm.weight"); }),
              HasSubstr("tensor model.norm.weight is missing"));
  for (auto& [name, tensor] : Model().tensors) {
    const std::string wanted = fmt::format("tensor {} has shape", name);
    EXPECT_THAT(message_for_tensors([&](Tensors& t) { t[name] = at::zeros({1, 1, 1}); }), HasSubstr(wanted));
  }
}

TEST(HuggingFaceTensors, MustBeFiniteFloatingPoint) {
  const std::string name = "model.layers.1.mlp.gate_proj.weight";
  const auto as = [&](at::ScalarType type) {
    return message_for_tensors([&](Tensors& t) { t[name] = t[name].to(type); });
  };
  EXPECT_EQ(as(at::kBFloat16), accepted);
  EXPECT_EQ(as(at::kDouble), accepted);
  EXPECT_THAT(as(at::kChar), HasSubstr(name + " is I8"));
  EXPECT_THAT(as(at::kFloat8_e4m3fn), HasSubstr(name + " is F8_E4M3"));
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(message_for_tensors([&](Tensors& t) { t[name].view(-1)[5].fill_(bad); }),
                HasSubstr(name + " holds NaN or infinity"));
  }
}

/// The model in two files, listed in an index.
class ShardedModel : public Model {
 public:
  ShardedModel() {
    for (const auto& [name, tensor] : tensors) {
      const int file = name.starts_with("model.layers.0") ? 0 : 1;
      parts[file][name] = tensor;
      index["weight_map"][name] = names[file];
    }
  }
  std::string message() const {
    for (const int file : {0, 1}) write_safetensors(path() / names[file], parts[file]);
    std::ofstream(path() / "model.safetensors.index.json") << index.dump();
    return primus::testing::message_of([&] { import_huggingface(path(), read().model); });
  }

  static constexpr const char* names[] = {"model-00001-of-00002.safetensors",
                                          "model-00002-of-00002.safetensors"};
  Tensors parts[2];
  json index;
};

TEST(HuggingFaceFiles, AnIndexMustAgreeWithItsFiles) {
  EXPECT_EQ(ShardedModel().message(), accepted);
  const std::string name = "model.layers.0.input_layernorm.weight";
  const auto listed_in = [&](const std::string& file) {
    ShardedModel model;
    model.index["weight_map"][name] = file;
    return model.message();
  };
  EXPECT_THAT(listed_in(ShardedModel::names[1]), HasSubstr("no tensor '" + name + "'"));
  EXPECT_THAT(listed_in("model-00003-of-00002.safetensors"),
              HasSubstr("'model-00003-of-00002.safetensors' is missing"));
  EXPECT_THAT(listed_in("../model.safetensors"), HasSubstr("not in this directory"));
  EXPECT_THAT(listed_in("/etc/passwd"), HasSubstr("not in this directory"));
  EXPECT_THAT(listed_in(std::string(5000, 'x')), HasSubstr("is missing"));

  ShardedModel twice;
  twice.parts[1][name] = at::ones({48});
  EXPECT_THAT(twice.message(), HasSubstr("is in two files"));
  ShardedModel unlisted;
  unlisted.parts[1]["model.extra"] = at::ones({48});
  EXPECT_THAT(unlisted.message(), HasSubstr("model.extra"));
  ShardedModel no_map;
  no_map.index = json::object();
  EXPECT_THAT(no_map.message(), HasSubstr("'weight_map' is missing"));
}

TEST(HuggingFaceFiles, SaysWhatWeightsThereAreInstead) {
  const Model model;
  const auto message = [&] {
    return primus::testing::message_of([&] { import_huggingface(model.path(), model.read().model); });
  };
  EXPECT_THAT(message(), HasSubstr("neither model.safetensors nor"));
  std::ofstream(model.path() / "pytorch_model.bin") << "x";
  EXPECT_THAT(message(), HasSubstr("pickled"));
  write_safetensors(model.path() / "model.safetensors", model.tensors);
  EXPECT_EQ(message(), accepted);
  std::ofstream(model.path() / "adapter_config.json") << "{}";
  EXPECT_THAT(message(), HasSubstr("adapter"));
}

TEST(HuggingFaceExportedConfig, NamesTheTokensAndLoadsWhereHeadsDoNotDivideTheHiddenSize) {
  model::TransformerConfig config = Model().read().model;
  const json written = json::parse(huggingface_config(config, {{"eos_token_id", {3, 5}}}));
  EXPECT_EQ(written["eos_token_id"], json({3, 5}));
  EXPECT_TRUE(written.contains("bos_token_id") && written["bos_token_id"].is_null())
      << "or 1 would be assumed";
  EXPECT_TRUE(written.contains("pad_token_id"));
  EXPECT_EQ(written["model_type"], "llama");

  config.num_attention_heads = 5;
  config.num_query_groups = 1;
  const json odd = json::parse(huggingface_config(config));
  EXPECT_EQ(odd["model_type"], "mistral");
  EXPECT_TRUE(odd.contains("sliding_window") && odd["sliding_window"].is_null());
  config.add_bias_linear = config.add_qkv_bias = true;
  EXPECT_THAT(primus::testing::message_of([&] { huggingface_config(config); }),
              HasSubstr("divide hidden_size"));
  config = Model("llama3").read().model;
  config.rope.interpolation_factor = 2.0;
  EXPECT_THAT(primus::testing::message_of([&] { huggingface_config(config); }), HasSubstr("interpolation"));
}

}  // namespace
}  // namespace primus::checkpoint
