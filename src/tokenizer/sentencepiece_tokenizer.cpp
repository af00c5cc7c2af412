#include "tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include "core/error.h"
#include "core/file.h"
#include "core/file_kind.h"
#include "core/utf8.h"

namespace primus::tokenizer {

namespace {

/// SentencePiece answers -1 for a special token that the model lacks.
std::optional<TokenId> present(int id) { return id < 0 ? std::nullopt : std::optional<TokenId>(id); }

/// Whether a call of the library succeeds. It fails by its status or, for some damaged models, by an
/// exception.
template <typename Call>
bool succeeds(const Call& call) {
  try {
    return call().ok();
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

struct SentencePieceTokenizer::Processor {
  sentencepiece::SentencePieceProcessor library;
};

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& model,
                                               const SentencePieceOptions& options)
    : processor_(std::make_unique<Processor>()),
      description_(fmt::format("SentencePieceTokenizer {}", model.string())),
      begin_with_bos_(options.begin_with_bos),
      end_with_eos_(options.end_with_eos) {
  const std::string content = read_file(model);
  if (!succeeds([&] { return processor_->library.LoadFromSerializedProto(content); })) {
    refuse_foreign_file(content, model);
    throw_user_error("{} is not a SentencePiece model, or is damaged", model.string());
  }
  const auto named = [&](const std::optional<std::string>& name, int own) {
    return name ? std::optional(require_piece(*name)) : present(own);
  };
  bos_ = named(options.bos, processor_->library.bos_id());
  eos_ = named(options.eos, processor_->library.eos_id());
  pad_ = named(options.pad, processor_->library.pad_id());
  if (begin_with_bos_ && !bos_) throw_user_error("{} has no begin token", model.string());
  if (end_with_eos_ && !eos_) throw_user_error("{} has no end token", model.string());
  if (options.find_special_pieces) find_special_pieces(options.special_pieces);
}

void SentencePieceTokenizer::find_special_pieces(const std::vector<SentencePieceOptions::Piece>& more) {
  const auto& library = processor_->library;
  for (const int id : {library.unk_id(), library.bos_id(), library.eos_id(), library.pad_id()}) {
    if (id >= 0) special_pieces_.add({.content = library.IdToPiece(id), .id = id});
  }
  for (const auto& [text, claimed] : more) {
    const TokenId id = require_piece(text);
    if (claimed && *claimed != id)
      throw_user_error("the token \"{}\" has the id {} in tokenizer_config.json, but {} in {}", text,
                       *claimed, id, description_);
    special_pieces_.add({.content = text, .id = id});
  }
}

TokenId SentencePieceTokenizer::require_piece(const std::string& text) const {
  const TokenId id = processor_->library.PieceToId(text);
  if (id < 0 || processor_->library.IdToPiece(id) != text)
    throw_user_error(
        "the token \"{}\" is not in {}; convert the model to a tokenizer.json, which can have it", text,
        description_);
  return id;
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<TokenId> SentencePieceTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<TokenId> ids;
  if (begin_with_bos_) ids.push_back(*bos_);
  special_pieces_.cut(
      text, [&](std::string_view segment, bool) { encode_segment(segment, ids); },
      [&](TokenId id) { ids.push_back(id); });
  if (end_with_eos_) ids.push_back(*eos_);
  return ids;
}

void SentencePieceTokenizer::encode_segment(std::string_view segment, std::vector<TokenId>& ids) const {
  std::vector<int> found;
  if (!succeeds([&] { return processor_->library.Encode({segment.data(), segment.size()}, &found); }))
    throw_user_error("{} is damaged: it cannot encode text", description_);
  ids.insert(ids.end(), found.begin(), found.end());
}

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids) const {
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size())
      throw_user_error("token id {} is not in the vocabulary (ids 0 to {})", id, vocab_size() - 1);
  }
  std::string text;
  const std::vector<int> pieces(ids.begin(), ids.end());
  if (!succeeds([&] { return processor_->library.Decode(pieces, &text); }))
    throw_user_error("{} is damaged: it cannot decode ids", description_);
  return text;
}

std::int64_t SentencePieceTokenizer::vocab_size() const { return processor_->library.GetPieceSize(); }

}  // namespace primus::tokenizer
