#include "tokenizer/bpe_model.h"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>

#include "core/error.h"
#include "core/utf8.h"

namespace primus::tokenizer {

namespace {

/// Up to this many symbols, searching all pairs for each merge is faster than keeping a heap.
constexpr std::size_t short_word = 48;

std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(std::size_t count) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * count, 2));
  slots_.resize(size);
  shift_ = 64 - std::countr_zero(size);
}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15ull >> shift_);
}

void MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const std::uint64_t key = pair_key(left, right);
  std::size_t slot = slot_of(key);
  while (slots_[slot].merge.rank != no_rank && slots_[slot].key != key) slot = (slot + 1) % slots_.size();
  slots_[slot] = {key, merge};
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  const std::uint64_t key = pair_key(left, right);
  std::size_t slot = slot_of(key);
  while (slots_[slot].key != key) {
    if (slots_[slot].merge.rank == no_rank) return {};
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slots_[slot].merge;
}

BpeModel::BpeModel(Vocabulary vocabulary, const std::vector<RankedMerge>& merges, Options options)
    : vocabulary_(std::move(vocabulary)), options_(options), merges_(merges.size()), byte_tokens_(256) {
  for (const auto& [left, right, rank] : merges) {
    const std::string text = vocabulary_.text(left) + vocabulary_.text(right);
    const TokenId merged = vocabulary_.find(text);
    if (merged == Vocabulary::none)
      throw_user_error("merge {} makes \"{}\", which is not in the vocabulary", rank, text);
    merges_.insert(left, right, {rank, merged});
  }
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text =
        options_.byte_level ? std::string(1, static_cast<char>(byte)) : fmt::format("<0x{:02X}>", byte);
    byte_tokens_[static_cast<std::size_t>(byte)] = vocabulary_.find(text);
  }
  const bool lacks_bytes = std::ranges::find(byte_tokens_, Vocabulary::none) != byte_tokens_.end();
  if (options_.byte_level && options_.byte_fallback && lacks_bytes)
    throw UserError(
        "'byte_fallback' of a byte-level model that has no token for some bytes is not supported");
}

void BpeModel::encode(std::string_view word, std::vector<TokenId>& ids) const {
  if (options_.ignore_merges) {
    const TokenId whole = vocabulary_.find(word);
    if (whole != Vocabulary::none) {
      ids.push_back(whole);
      return;
    }
  }
  const std::size_t begin = ids.size();
  start(word, ids);
  if (ids.size() - begin <= short_word) {
    merge_short(ids, begin);
  } else {
    merge_long(ids, begin);
  }
}

void BpeModel::start(std::string_view word, std::vector<TokenId>& ids) const {
  // An unknown token is written only before the next known one, so that it can take in its neighbours.
  bool pending = false;
  const auto write_pending = [&] {
    if (pending) ids.push_back(*options_.unknown);
    pending = false;
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t size = options_.byte_level ? 1 : decode_utf8(word, at).size;
    const std::string_view symbol = word.substr(at, size);
    at += size;
    const TokenId id = options_.byte_level ? byte_token(symbol.front()) : vocabulary_.find(symbol);
    if (id != Vocabulary::none) {
      write_pending();
      ids.push_back(id);
    } else if (!options_.byte_fallback || !add_bytes(symbol, ids)) {
      require_unknown(symbol);
      if (!options_.fuse_unknown) write_pending();
      pending = true;
    }
  }
  write_pending();
}

TokenId BpeModel::byte_token(char byte) const { return byte_tokens_[static_cast<unsigned char>(byte)]; }

bool BpeModel::add_bytes(std::string_view character, std::vector<TokenId>& ids) const {
  if (std::ranges::any_of(character, [&](char byte) { return byte_token(byte) == Vocabulary::none; }))
    return false;
  for (const char byte : character) ids.push_back(byte_token(byte));
  return true;
}

void BpeModel::require_unknown(std::string_view symbol) const {
  const auto byte = static_cast<unsigned char>(symbol.front());
  const bool is_part = options_.byte_level && byte >= 0x80;  // of a character
  if (!options_.unknown)
    throw_user_error(
        "the tokenizer has no token for \"{}\" (byte 0x{:02x}), and its model names no 'unk_token' to stand "
        "for such text",
        is_part ? "" : symbol, byte);
}

void BpeModel::merge_short(std::vector<TokenId>& ids, std::size_t begin) const {
  TokenId* symbols = ids.data() + begin;
  std::size_t count = ids.size() - begin;
  std::array<MergeTable::Merge, short_word> pairs;
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = merges_.find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == MergeTable::no_rank) break;
    symbols[best] = pairs[best].merged;
    std::copy(symbols + best + 2, symbols + count, symbols + best + 1);
    --count;
    std::copy(pairs.begin() + static_cast<std::ptrdiff_t>(best) + 1,
              pairs.begin() + static_cast<std::ptrdiff_t>(count),
              pairs.begin() + static_cast<std::ptrdiff_t>(best));
    if (best > 0) pairs[best - 1] = merges_.find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) pairs[best] = merges_.find(symbols[best], symbols[best + 1]);
  }
  ids.resize(begin + count);
}

void BpeModel::merge_long(std::vector<TokenId>& ids, std::size_t begin) const {
  struct Symbol {
    TokenId id;
    std::size_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::size_t position;
    TokenId left, right, merged;
    bool operator<(const Candidate& other) const {
      return std::pair(rank, position) > std::pair(other.rank, other.position);
    }
  };
  const std::size_t count = ids.size() - begin;
  const std::size_t end = count;
  std::vector<Symbol> symbols(count);
  for (std::size_t i = 0; i < count; ++i) symbols[i] = {ids[begin + i], i == 0 ? end : i - 1, i + 1};
  std::priority_queue<Candidate> candidates;
  const auto consider = [&](std::size_t position) {
    if (position == end || symbols[position].next == end) return;
    const TokenId left = symbols[position].id, right = symbols[symbols[position].next].id;
    const MergeTable::Merge merge = merges_.find(left, right);
    if (merge.rank != MergeTable::no_rank) candidates.push({merge.rank, position, left, right, merge.merged});
  };
  for (std::size_t i = 0; i < count; ++i) consider(i);
  while (!candidates.empty()) {
    const Candidate candidate = candidates.top();
    candidates.pop();
    Symbol& left = symbols[candidate.position];
    // The pair may be gone since it was noted: one of its halves was merged with another neighbour.
    if (left.id != candidate.left || left.next == end || symbols[left.next].id != candidate.right) continue;
    Symbol& right = symbols[left.next];
    left.id = candidate.merged;
    left.next = right.next;
    right.id = Vocabulary::none;
    if (left.next != end) symbols[left.next].previous = candidate.position;
    consider(left.previous);
    consider(candidate.position);
  }
  ids.resize(begin);
  for (const Symbol& symbol : symbols) {
    if (symbol.id != Vocabulary::none) ids.push_back(symbol.id);
  }
}

}  // namespace primus::tokenizer
