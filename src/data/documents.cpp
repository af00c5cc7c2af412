#include "data/documents.h"

#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace primus::data {

namespace fs = std::filesystem;

namespace {

constexpr unsigned block_size = 1 << 18;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

DocumentFormat format_of(std::string_view path, DocumentFormat format) {
  if (format != DocumentFormat::automatic) return format;
  if (path.ends_with(".gz")) path.remove_suffix(3);
  return path.ends_with(".jsonl") || path.ends_with(".json") ? DocumentFormat::jsonl : DocumentFormat::lines;
}

}  // namespace

DocumentFormat parse_document_format(std::string_view text) {
  if (text == "auto") return DocumentFormat::automatic;
  if (text == "jsonl") return DocumentFormat::jsonl;
  if (text == "lines") return DocumentFormat::lines;
  if (text == "paragraphs") return DocumentFormat::paragraphs;
  if (text == "whole") return DocumentFormat::whole;
  throw_user_error("the format must be auto, jsonl, lines, paragraphs or whole, not \"{}\"", text);
}

/// A gzip or plain file, read in blocks.
struct DocumentReader::File {
  gzFile handle = nullptr;
  std::string block;
  std::size_t at = 0;

  ~File() {
    if (handle != nullptr) gzclose(handle);
  }

  /// Whether there is something in the block, after reading on if need be.
  bool fill(const std::string& path) {
    if (at < block.size()) return true;
    block.resize(block_size);
    at = 0;
    const int count = gzread(handle, block.data(), block_size);
    int error = Z_OK;
    const char* reason = gzerror(handle, &error);
    if (count < 0 || (count == 0 && error != Z_OK))
      throw_user_error("cannot read {}: {}", path,
                       error == Z_BUF_ERROR ? "the gzip data is cut off" : reason);
    block.resize(static_cast<std::size_t>(count));
    return count > 0;
  }
};

DocumentReader::DocumentReader(const std::string& path, DocumentFormat format)
    : file_(std::make_unique<File>()),
      path_(path == "-" ? "standard input" : path),
      format_(format_of(path, format)) {
  if (path != "-" && fs::is_directory(path)) throw_user_error("cannot read {}: it is a directory", path);
  file_->handle = path == "-" ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb");
  if (file_->handle == nullptr)
    throw_user_error("cannot read {}: {}", path_, std::generic_category().message(errno));
  gzbuffer(file_->handle, block_size);
}

DocumentReader::~DocumentReader() = default;

bool DocumentReader::read_line(std::string& line) {
  line.clear();
  bool found = false;
  while (file_->fill(path_)) {
    found = true;
    const std::size_t end = file_->block.find('\n', file_->at);
    if (end != std::string::npos) {
      line.append(file_->block, file_->at, end - file_->at);
      file_->at = end + 1;
      break;
    }
    line.append(file_->block, file_->at);
    file_->at = file_->block.size();
  }
  if (!found) return false;
  ++line_;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

std::optional<RawDocument> DocumentReader::next() {
  switch (format_) {
    case DocumentFormat::automatic:
    case DocumentFormat::jsonl:
    case DocumentFormat::lines: return next_line();
    case DocumentFormat::paragraphs: return next_paragraph();
    case DocumentFormat::whole: return all();
  }
  throw Error("no such document format");
}

std::optional<RawDocument> DocumentReader::next_line() {
  std::string line;
  while (read_line(line)) {
    if (!is_blank(line)) return RawDocument{std::move(line), {path_, line_}};
  }
  return std::nullopt;
}

std::optional<RawDocument> DocumentReader::next_paragraph() {
  std::optional<RawDocument> document = next_line();
  if (!document) return std::nullopt;
  for (std::string line; read_line(line) && !is_blank(line);) {
    document->content += '\n';
    document->content += line;
  }
  return document;
}

std::optional<RawDocument> DocumentReader::all() {
  std::string content;
  while (file_->fill(path_)) {
    content.append(file_->block, file_->at);
    file_->at = file_->block.size();
  }
  if (is_blank(content)) return std::nullopt;
  return RawDocument{std::move(content), {path_, 0}};
}

std::vector<std::string> document_texts(const RawDocument& document, DocumentFormat format,
                                        const std::vector<std::string>& keys) {
  if (format != DocumentFormat::jsonl) return {document.content};
  std::vector<std::string> texts;
  try {
    const auto json = nlohmann::json::parse(document.content);
    if (!json.is_object()) throw UserError(document.where, "expected a JSON object per line");
    for (const std::string& key : keys) {
      const auto found = json.find(key);
      if (found == json.end())
        throw UserError(document.where, fmt::format("the object has no key \"{}\"", key));
      if (!found->is_string())
        throw UserError(document.where,
                        fmt::format("\"{}\" must be a string, not {}", key, found->type_name()));
      texts.push_back(found->get<std::string>());
    }
  } catch (const nlohmann::json::exception& error) {
    throw UserError(document.where, fmt::format("broken JSON: {}", error.what()));
  }
  return texts;
}

}  // namespace primus::data
