// Writing tokenizers in Hugging Face's format.
#include "tokenizer/hf_writer.h"

#include "core/file.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_alphabet.h"

namespace primus::tokenizer {

using Json = nlohmann::json;

Json special_token_json(std::int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

Json byte_level_json(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json bpe_model_json(Json vocabulary, Json merges, bool ignore_merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", ignore_merges},
          {"vocab", std::move(vocabulary)},
          {"merges", std::move(merges)}};
}

Json tokenizer_json(Json added_tokens, Json pre_tokenizer) {
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", std::move(added_tokens)},
          {"normalizer", nullptr},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", byte_level_json(true)},
          {"decoder", byte_level_json(true)}};
}

void save_tokenizer(const TrainedBpe& tokenizer, const std::filesystem::path& directory) {
  const auto key = [&](std::size_t id) {
    return id < tokenizer.special_count ? tokenizer.pieces[id] : to_byte_alphabet(tokenizer.pieces[id]);
  };
  Json added = Json::array(), vocabulary = Json::object(), merges = Json::array();
  for (std::size_t id = 0; id < tokenizer.special_count; ++id)
    added.push_back(special_token_json(static_cast<std::int64_t>(id), tokenizer.pieces[id]));
  for (std::size_t id = 0; id < tokenizer.pieces.size(); ++id) vocabulary[key(id)] = id;
  for (const auto& [left, right] : tokenizer.merges)
    merges.push_back({key(static_cast<std::size_t>(left)), key(static_cast<std::size_t>(right))});
  Json json = tokenizer_json(std::move(added), byte_level_json(true));
  json["model"] = bpe_model_json(std::move(vocabulary), std::move(merges), /*ignore_merges=*/false);
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
