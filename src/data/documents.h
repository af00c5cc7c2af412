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
  /// jsonl when the name ends in .jsonl or .json (or these with .gz), otherwise lines.
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

/// Reads a file (gzip or plain; "-" is standard input) document by document. Blank ones are left out.
class DocumentReader {
 public:
  /// Throws UserError when the file cannot be read.
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
  bool read_line(std::string& line);
  std::optional<RawDocument> next_line();
  std::optional<RawDocument> next_paragraph();
  std::optional<RawDocument> all();

  std::unique_ptr<File> file_;
  std::string path_;
  DocumentFormat format_;
  int line_ = 0;
};

/// The texts of a document: the strings under `keys` of a JSON object, or the one text of a plain document.
/// Throws UserError with file and line for broken JSON and for a key that is missing or no string.
std::vector<std::string> document_texts(const RawDocument& document, DocumentFormat format,
                                        const std::vector<std::string>& keys);

}  // namespace primus::data
