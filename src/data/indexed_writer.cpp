#include "data/indexed_writer.h"

#include <cstring>
#include <limits>

#include "core/error.h"

namespace primus::data {

namespace {

constexpr std::size_t buffer_size = 1 << 20;

template <typename T>
void append(std::string& text, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  text.append(bytes, sizeof value);
}

template <typename T>
void narrow(std::span<const std::int32_t> tokens, std::vector<std::byte>& out) {
  for (const std::int32_t token : tokens) {
    if (token < 0 || static_cast<std::uint64_t>(token) > std::numeric_limits<T>::max())
      throw_user_error("token id {} does not fit into {} bytes", token, sizeof(T));
    const T value = static_cast<T>(token);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof value);
  }
}

}  // namespace

IndexedDatasetWriter::IndexedDatasetWriter(const std::string& prefix, TokenType type)
    : prefix_(prefix), lock_(prefix + ".lock"), type_(type), tokens_(tokens_path(prefix)) {}

IndexedDatasetWriter::~IndexedDatasetWriter() = default;

void IndexedDatasetWriter::add_item(std::span<const std::int32_t> tokens) {
  if (tokens.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    throw_user_error("a text of {} tokens is too long for one sequence: split it", tokens.size());
  switch (type_) {
    case TokenType::uint16: narrow<std::uint16_t>(tokens, buffer_); break;
    case TokenType::int32: narrow<std::int32_t>(tokens, buffer_); break;
    default: throw Error("datasets are written with 2 or 4 bytes per token");
  }
  lengths_.push_back(static_cast<std::int32_t>(tokens.size()));
  token_count_ += static_cast<std::int64_t>(tokens.size());
  if (buffer_.size() >= buffer_size) flush();
}

void IndexedDatasetWriter::end_document() {
  boundaries_.push_back(static_cast<std::int64_t>(lengths_.size()));
}

void IndexedDatasetWriter::add_document(std::span<const std::int32_t> tokens) {
  add_item(tokens);
  end_document();
}

void IndexedDatasetWriter::add_dataset(const IndexedDataset& dataset) {
  if (dataset.token_type() != type_)
    throw_user_error(
        "{} has {} bytes per token (type code {}), but the first dataset has {} (type code {}); "
        "preprocess both with the same tokenizer",
        dataset.prefix(), size_of(dataset.token_type()), static_cast<int>(dataset.token_type()),
        size_of(type_), static_cast<int>(type_));
  if (dataset.multimodal()) throw_user_error("{} is multimodal, which is not supported", dataset.prefix());
  flush();
  tokens_.write(dataset.raw_tokens());
  const auto first = static_cast<std::int64_t>(lengths_.size());
  for (std::int64_t i = 0; i < dataset.sequence_count(); ++i) lengths_.push_back(dataset.length(i));
  for (std::int64_t d = 1; d <= dataset.document_count(); ++d)
    boundaries_.push_back(first + dataset.document_boundaries()[d]);
  token_count_ += dataset.token_count();
}

void IndexedDatasetWriter::flush() {
  tokens_.write(buffer_);
  buffer_.clear();
}

std::string IndexedDatasetWriter::make_index() const {
  std::string index(index_magic);
  append(index, index_version);
  append(index, static_cast<std::uint8_t>(type_));
  append(index, static_cast<std::uint64_t>(lengths_.size()));
  append(index, static_cast<std::uint64_t>(boundaries_.size()));
  index.append(reinterpret_cast<const char*>(lengths_.data()), lengths_.size() * sizeof(std::int32_t));
  std::int64_t offset = 0;
  for (const std::int32_t length : lengths_) {
    append(index, offset);
    offset += static_cast<std::int64_t>(length) * static_cast<std::int64_t>(size_of(type_));
  }
  index.append(reinterpret_cast<const char*>(boundaries_.data()), boundaries_.size() * sizeof(std::int64_t));
  return index;
}

void IndexedDatasetWriter::finish() {
  flush();
  AtomicFile index(index_path(prefix_));
  const std::string content = make_index();
  index.write(std::as_bytes(std::span(content)));
  tokens_.commit();
  index.commit();
}

}  // namespace primus::data
