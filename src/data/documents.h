#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace primus::data {

/// How a file holds documents.
enum class DocumentFormat {
  /// jsonl when the first line or half of the lines begin as a JSON object does, or when the name ends in
  /// .json, .jsonl or .ndjson (also with .gz); otherwise lines. What begins like another kind of JSON, is
  /// mostly Python dictionaries or holds zero bytes is refused.
  automatic,
  /// One JSON object per line.
  jsonl,
  /// Plain text, one document per line.
  lines,
  /// Plain text, documents separated by one or more blank lines.
  paragraphs,
  /// Plain text, the whole file one document.
  whole
};

/// "auto", "jsonl", "lines", "paragraphs" or "whole"; UserError for anything else.
DocumentFormat parse_document_format(std::string_view text);

/// A document as it stands in the file: a line of JSON, or text.
struct RawDocument {
  std::string content;
  Where where;
};

/// Reads a file (gzip or plain; "-" is standard input) document by document. Blank ones are left out, and a
/// byte-order mark at the beginning.
class DocumentReader {
 public:
  /// Throws UserError when the file cannot be read, is of a kind that holds no UTF-8 text, or has a format
  /// that cannot be told.
  DocumentReader(const std::string& path, DocumentFormat format);
  ~DocumentReader();
  DocumentReader(const DocumentReader&) = delete;
  DocumentReader& operator=(const DocumentReader&) = delete;

  /// The next document, or nothing at the end. Throws UserError when the file is damaged or cut off.
  std::optional<RawDocument> next();

  /// The format that the documents have; never `automatic`.
  DocumentFormat format() const { return format_; }

 private:
  struct File;
  DocumentFormat format_by_content(const std::string& path) const;
  bool read_line(std::string& line);
  std::optional<RawDocument> next_line();
  std::optional<RawDocument> next_paragraph();
  std::optional<RawDocument> all();

  std::unique_ptr<File> file_;
  std::string path_;
  DocumentFormat format_;
  int line_ = 0;
};

/// The texts of a document under each of `keys`: see `json_texts`; the key of a plain document is "text".
/// Throws UserError with file and line for broken JSON, and for a key that is missing or holds no text.
std::vector<std::vector<std::string>> document_texts(const RawDocument& document, DocumentFormat format,
                                                     const std::vector<std::string>& keys);

/// Documents that could not be read and were left out: how many, and what is wrong with the first ones.
struct SkippedDocuments {
  std::int64_t count = 0;
  std::vector<std::string> first;

  void add(const SkippedDocuments& more);
  void add(const std::string& message) { add(SkippedDocuments{1, {message}}); }
};

/// For people: "bad documents skipped: 3; the first:" and a line each.
std::string to_string(const SkippedDocuments& skipped);

}  // namespace primus::data
