#include "tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include "core/error.h"
#include "core/file.h"
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

SentencePieceTokenizer::SentencePieceTokenizer(const std::filesystem::path& model, bool begin_with_bos)
    : processor_(std::make_unique<Processor>()),
      begin_with_bos_(begin_with_bos),
      description_(fmt::format("SentencePieceTokenizer {}", model.string())) {
  const std::string content = read_file(model);
  if (!succeeds([&] { return processor_->library.LoadFromSerializedProto(content); }))
    throw_user_error("{} is not a SentencePiece model, or it is damaged", model.string());
  if (begin_with_bos && !bos()) throw_user_error("{} has no begin token", model.string());
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<TokenId> SentencePieceTokenizer::encode(std::string_view text) const {
  require_utf8(text);
  std::vector<int> ids;
  if (!succeeds([&] { return processor_->library.Encode({text.data(), text.size()}, &ids); }))
    throw_user_error("{} is damaged: a text cannot be encoded with it", description_);
  if (begin_with_bos_) ids.insert(ids.begin(), *bos());
  return ids;
}

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids) const {
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size())
      throw_user_error("token id {} is not in the vocabulary (ids 0 to {})", id, vocab_size() - 1);
  }
  std::string text;
  const std::vector<int> pieces(ids.begin(), ids.end());
  if (!succeeds([&] { return processor_->library.Decode(pieces, &text); }))
    throw_user_error("{} is damaged: ids cannot be decoded with it", description_);
  return text;
}

std::int64_t SentencePieceTokenizer::vocab_size() const { return processor_->library.GetPieceSize(); }
std::optional<TokenId> SentencePieceTokenizer::eod() const { return present(processor_->library.eos_id()); }
std::optional<TokenId> SentencePieceTokenizer::bos() const { return present(processor_->library.bos_id()); }
std::optional<TokenId> SentencePieceTokenizer::pad() const { return present(processor_->library.pad_id()); }

}  // namespace primus::tokenizer
