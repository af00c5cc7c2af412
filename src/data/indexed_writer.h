#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"
#include "data/indexed_dataset.h"

namespace primus::data {

/// Writes a pair `<prefix>.bin`, `<prefix>.idx` for `IndexedDataset` and Megatron. Both appear under their
/// names only in `finish`, complete and flushed; until then, and after a failure, files that were there stay
/// as they are. Throws SystemError when the disk is full.
class IndexedDatasetWriter {
 public:
  IndexedDatasetWriter(const std::string& prefix, TokenType type);
  ~IndexedDatasetWriter();
  IndexedDatasetWriter(const IndexedDatasetWriter&) = delete;
  IndexedDatasetWriter& operator=(const IndexedDatasetWriter&) = delete;

  /// Adds a sequence to the current document. Throws UserError for an id that the token type cannot hold, and
  /// for more than 2^31 - 1 tokens.
  void add_item(std::span<const std::int32_t> tokens);
  /// Ends the current document, which may have no sequence.
  void end_document();
  /// Adds a document of one sequence.
  void add_document(std::span<const std::int32_t> tokens);
  /// Adds all documents of another dataset of the same token type (UserError otherwise).
  void add_dataset(const IndexedDataset& dataset);

  /// Completes both files. Nothing may be added afterwards.
  void finish();

  std::int64_t document_count() const { return static_cast<std::int64_t>(boundaries_.size()) - 1; }
  std::int64_t token_count() const { return token_count_; }

 private:
  void flush();
  std::string make_index() const;

  std::string prefix_;
  TokenType type_;
  AtomicFile tokens_;
  std::vector<std::byte> buffer_;
  std::vector<std::int32_t> lengths_;
  std::vector<std::int64_t> boundaries_ = {0};
  std::int64_t token_count_ = 0;
};

}  // namespace primus::data
