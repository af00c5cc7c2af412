// Reading the vocabulary of a TikTokenizer.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/file.h"
#include "core/file_kind.h"
#include "core/json.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/tiktoken_vocabulary.h"

namespace primus::tokenizer {

namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

constexpr std::string_view pattern_v1 =
    R"([^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view pattern_v2 =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

constexpr std::string_view pattern_llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|)"
    R"(\s+(?!\S)|\s+)";

constexpr const char* named_special_tokens[] = {"<unk>", "<s>", "</s>", "<mask>", "<pad>", "<cls>", "<sep>"};
constexpr std::int64_t named_count = std::size(named_special_tokens);
constexpr TokenId bos_id = 1, eos_id = 2, pad_id = 4;

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string decode_base64(std::string_view text) {
  std::string bytes;
  unsigned bits = 0;
  int bit_count = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = base64_digits.find(c);
    if (digit == std::string_view::npos) throw_user_error("\"{}\" is not base64", text);
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xFFFFFF;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes.push_back(static_cast<char>(bits >> bit_count & 0xFF));
  }
  return bytes;
}

void require_rank(std::int64_t rank, std::size_t position) {
  if (rank != static_cast<std::int64_t>(position))
    throw_user_error("entry {} has rank {}; ranks must count up from 0", position, rank);
}

std::vector<std::string> read_json_ranks(const Json& entries) {
  std::vector<std::string> pieces;
  for (const Json& entry : entries) {
    require_rank(whole_number<std::int64_t>(entry.at("rank"), "a rank"), pieces.size());
    pieces.push_back(decode_base64(entry.at("token_bytes").get<std::string>()));
  }
  return pieces;
}

std::vector<std::string> read_line_ranks(const std::string& content) {
  std::vector<std::string> pieces;
  std::istringstream lines(content);
  std::string base64;
  std::int64_t rank = 0;
  while (lines >> base64 >> rank) {
    require_rank(rank, pieces.size());
    pieces.push_back(decode_base64(base64));
  }
  if (!lines.eof()) throw_user_error("line {} is not `base64 rank`", pieces.size() + 1);
  return pieces;
}

std::vector<std::string> read_ranks(const fs::path& path) {
  const bool is_json = path.extension() == ".json";
  const Json entries = is_json ? read_json(path) : Json();
  try {
    return is_json ? read_json_ranks(entries) : read_line_ranks(read_text_file(path));
  } catch (const Json::exception& error) {
    throw_user_error("{} is not a list of {{rank, token_bytes, token_str}}: {}", path.string(),
                     describe(error));
  } catch (const UserError& error) {
    throw_user_error("{}: {}", path.string(), error.what());
  }
}

std::string_view pattern_named(std::string_view name) {
  if (name == "v1") return pattern_v1;
  if (name == "v2") return pattern_v2;
  throw_user_error("tiktoken_pattern must be v1 or v2, not \"{}\"", name);
}

Vocabulary by_id(const TiktokenVocabulary& tiktoken) {
  Vocabulary vocabulary;
  for (std::size_t rank = 0; rank < tiktoken.pieces.size(); ++rank)
    vocabulary.add(tiktoken.pieces[rank], tiktoken.first_id + static_cast<TokenId>(rank));
  return vocabulary;
}

std::unique_ptr<BpeTokenizer> assemble(TiktokenVocabulary tiktoken) {
  tiktoken.parts.pre_tokenizer = PreTokenizer::tiktoken(tiktoken.pattern);
  tiktoken.parts.decoder = Decoder::byte_level();
  BpeModel::Options options;
  options.ignore_merges = true;
  return std::make_unique<BpeTokenizer>(BpeModel(by_id(tiktoken), merges_of(tiktoken), options),
                                        std::move(tiktoken.parts));
}

/// The special tokens of Llama 3, in the order of their ids.
std::vector<std::string> llama3_special_tokens() {
  std::vector<std::string> names = {"<|begin_of_text|>", "<|end_of_text|>"};
  int reserved = 0;
  const auto reserve = [&](int count) {
    for (const int end = reserved + count; reserved < end; ++reserved)
      names.push_back(fmt::format("<|reserved_special_token_{}|>", reserved));
  };
  reserve(4);
  names.insert(names.end(), {"<|start_header_id|>", "<|end_header_id|>"});
  reserve(1);
  names.emplace_back("<|eot_id|>");
  reserve(246);
  return names;
}

}  // namespace

bool is_tiktoken_file(const fs::path& path) {
  std::istringstream lines(read_file(path));
  std::string base64, rank;
  if (!(lines >> base64 >> rank) || rank != "0") return false;
  const std::size_t end = std::min(base64.find_first_not_of(base64_digits), base64.size());
  return base64.find_first_not_of('=', end) == std::string::npos;
}

std::vector<BpeModel::RankedMerge> merges_of(const TiktokenVocabulary& tiktoken) {
  const Vocabulary vocabulary = by_id(tiktoken);
  std::vector<BpeModel::RankedMerge> merges;
  for (std::size_t rank = 0; rank < tiktoken.pieces.size(); ++rank) {
    const std::string_view piece = tiktoken.pieces[rank];
    for (std::size_t cut = 1; cut < piece.size(); ++cut) {
      const TokenId left = vocabulary.find(piece.substr(0, cut)), right = vocabulary.find(piece.substr(cut));
      if (left != Vocabulary::none && right != Vocabulary::none)
        merges.push_back({left, right, static_cast<std::uint32_t>(rank)});
    }
  }
  return merges;
}

TiktokenVocabulary read_llama3(const fs::path& path, bool include_special_tokens) {
  constexpr std::size_t llama3_pieces = 128000;
  std::vector<std::string> pieces = read_ranks(path);
  if (pieces.size() != llama3_pieces)
    throw_user_error(
        "{} is a tiktoken vocabulary of {} entries; its special tokens are known only for Llama 3's {}: name "
        "the directory of its tokenizer.json instead",
        path.string(), pieces.size(), llama3_pieces);
  BpeTokenizer::Parts parts;
  auto id = static_cast<TokenId>(pieces.size());
  parts.bos = id;
  parts.eos = id + 1;
  if (include_special_tokens) parts.prefix = {*parts.bos};
  for (std::string& name : llama3_special_tokens())
    parts.added_tokens.push_back({.content = std::move(name), .id = id++, .special = true});
  parts.description = fmt::format("tiktoken vocabulary {}", path.string());
  return {std::move(pieces), 0, pattern_llama3, std::move(parts)};
}

std::unique_ptr<BpeTokenizer> load_llama3(const fs::path& path, bool include_special_tokens) {
  return assemble(read_llama3(path, include_special_tokens));
}

TiktokenVocabulary read_tiktoken(const fs::path& path, std::string_view pattern, std::int64_t vocab_size,
                                 std::int64_t special_count) {
  if (special_count < named_count || special_count >= vocab_size)
    throw_user_error("tiktoken_num_special_tokens ({}) must be at least {} and less than vocab_size ({})",
                     special_count, named_count, vocab_size);
  std::vector<std::string> pieces = read_ranks(path);
  const auto wanted = static_cast<std::size_t>(vocab_size - special_count);
  if (pieces.size() < wanted)
    throw_user_error("{} has {} entries, but vocab_size {} minus {} special tokens needs {}", path.string(),
                     pieces.size(), vocab_size, special_count, wanted);
  pieces.resize(wanted);

  BpeTokenizer::Parts parts;
  for (TokenId id = 0; id < special_count; ++id)
    parts.added_tokens.push_back({.content = id < named_count ? std::string(named_special_tokens[id])
                                                              : fmt::format("<SPECIAL_{}>", id),
                                  .id = id,
                                  .special = true});
  parts.bos = bos_id;
  parts.eos = eos_id;
  parts.pad = pad_id;
  parts.description = fmt::format("TikTokenizer {}", path.string());
  return {std::move(pieces), static_cast<TokenId>(special_count), pattern_named(pattern), std::move(parts)};
}

std::unique_ptr<BpeTokenizer> load_tiktoken(const fs::path& path, std::string_view pattern,
                                            std::int64_t vocab_size, std::int64_t special_count) {
  return assemble(read_tiktoken(path, pattern, vocab_size, special_count));
}

}  // namespace primus::tokenizer
