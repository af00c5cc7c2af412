// Writing a trained tokenizer in Hugging Face's format.
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/file.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_alphabet.h"

namespace primus::tokenizer {

namespace {

using Json = nlohmann::json;

Json byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

Json added_tokens(const TrainedBpe& tokenizer) {
  Json tokens = Json::array();
  for (std::size_t id = 0; id < tokenizer.special_count; ++id) {
    tokens.push_back({{"id", id},
                      {"content", tokenizer.pieces[id]},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  }
  return tokens;
}

Json model(const TrainedBpe& tokenizer) {
  const auto key = [&](std::size_t id) {
    return id < tokenizer.special_count ? tokenizer.pieces[id] : to_byte_alphabet(tokenizer.pieces[id]);
  };
  Json vocabulary = Json::object();
  for (std::size_t id = 0; id < tokenizer.pieces.size(); ++id) vocabulary[key(id)] = id;
  Json merges = Json::array();
  for (const auto& [left, right] : tokenizer.merges)
    merges.push_back({key(static_cast<std::size_t>(left)), key(static_cast<std::size_t>(right))});
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

}  // namespace

void save_tokenizer(const TrainedBpe& tokenizer, const std::filesystem::path& directory) {
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(tokenizer)},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level()},
                     {"post_processor", byte_level()},
                     {"decoder", byte_level()},
                     {"model", model(tokenizer)}};
  Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  if (tokenizer.special_count > 0) {
    config["bos_token"] = tokenizer.pieces[0];
    config["eos_token"] = tokenizer.pieces[0];
  }
  make_directories(directory);
  write_file_atomically(directory / "tokenizer_config.json", config.dump(2) + "\n");
  write_file_atomically(directory / "tokenizer.json", json.dump(1) + "\n");
}

}  // namespace primus::tokenizer
