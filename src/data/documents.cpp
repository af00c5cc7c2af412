#include "data/documents.h"

#include <unistd.h>
#include <zlib.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>

#include "core/file_kind.h"
#include "core/utf8.h"
#include "data/json_line.h"

namespace primus::data {

namespace fs = std::filesystem;

namespace {

constexpr unsigned block_size = 1 << 18;

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

bool is_named_as_json(std::string path) {
  std::ranges::transform(path, path.begin(), [](unsigned char c) { return std::tolower(c); });
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  return path.ends_with(".jsonl") || path.ends_with(".json") || path.ends_with(".ndjson");
}

/// The first two characters that are not blank; 0 where there are fewer.
std::pair<char, char> first_characters(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  const std::size_t second = text.find_first_not_of(blanks, first + 1);
  return {text[first], second == std::string_view::npos ? '\0' : text[second]};
}

/// How many of the lines that are not blank begin as a JSON object does, and as a dictionary that Python
/// printed.
struct LineKinds {
  std::size_t all = 0, objects = 0, python_dicts = 0;
  bool first_is_object = false;
};

LineKinds count_kinds(std::string_view content) {
  LineKinds kinds;
  while (!content.empty()) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(line.size() + 1, content.size()));
    if (is_blank(line)) continue;
    const auto [one, two] = first_characters(line);
    const bool is_object = one == '{' && (two == '"' || two == '}');
    if (kinds.all == 0) kinds.first_is_object = is_object;
    ++kinds.all;
    kinds.objects += is_object;
    kinds.python_dicts += one == '{' && two == '\'';
  }
  return kinds;
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
    if (error == Z_ERRNO) throw SystemError("cannot read " + path, errno);
    if (count < 0 || (count == 0 && error != Z_OK))
      throw_user_error("cannot read {}: {}", path,
                       error == Z_BUF_ERROR    ? "the gzip data is cut off"
                       : error == Z_DATA_ERROR ? "the gzip data is damaged"
                                               : reason);
    block.resize(static_cast<std::size_t>(count));
    return count > 0;
  }
};

DocumentReader::DocumentReader(const std::string& path, DocumentFormat format)
    : file_(std::make_unique<File>()), path_(path == "-" ? "standard input" : path), format_(format) {
  if (path != "-" && fs::is_directory(path)) throw_user_error("cannot read {}: it is a directory", path);
  file_->handle = path == "-" ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb");
  if (file_->handle == nullptr)
    throw_user_error("cannot read {}: {}", path_, std::generic_category().message(errno));
  gzbuffer(file_->handle, block_size);
  if (!file_->fill(path_)) {
    if (format_ == DocumentFormat::automatic) format_ = DocumentFormat::lines;
    return;
  }
  if (const auto kind = foreign_kind(file_->block))
    throw_user_error("cannot read {}: it is {}", path_, *kind);
  file_->at = file_->block.size() - without_byte_order_mark(file_->block).size();
  if (format_ == DocumentFormat::automatic) format_ = format_by_content(path);
}

/// Decides by the lines in the first block of the file: one of them may be broken, or cut off where a larger
/// file was split.
DocumentFormat DocumentReader::format_by_content(const std::string& path) const {
  const std::string_view content = std::string_view(file_->block).substr(file_->at);
  if (const auto kind = foreign_kind_or_web_page(content))
    throw_user_error("{} is {}; to tokenize it as it is, use --format lines, paragraphs or whole", path_,
                     *kind);
  const LineKinds lines = count_kinds(content);
  if (2 * lines.python_dicts > lines.all)
    throw_user_error(
        "{} holds Python dictionaries, whose single quotes are not JSON: write its lines with json.dumps; if "
        "it is plain text, say so with --format lines, paragraphs or whole",
        path_);
  if (is_named_as_json(path) || lines.first_is_object ||
      (lines.objects > 0 && 2 * lines.objects >= lines.all))
    return DocumentFormat::jsonl;
  const auto [one, two] = first_characters(content);
  if ((one == '{' && (two == '"' || two == '}')) || (one == '[' && (two == '{' || two == '"')))
    throw_user_error(
        "{} looks like JSON, but its first line is not a complete object: `jq -c` writes JSON lines; "
        "for plain text use --format lines, paragraphs or whole",
        path_);
  if (const std::size_t zero = content.find('\0'); zero != std::string_view::npos)
    throw_user_error(
        "{} has a zero byte at {}, so it looks like a binary file; if it is text, say which kind with "
        "--format",
        path_, zero);
  return DocumentFormat::lines;
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

std::vector<std::vector<std::string>> document_texts(const RawDocument& document, DocumentFormat format,
                                                     const std::vector<std::string>& keys) {
  return blame(document.where, [&]() -> std::vector<std::vector<std::string>> {
    if (format == DocumentFormat::jsonl) return json_texts(document.content, keys);
    if (keys != std::vector<std::string>{"text"})
      throw_user_error("plain text has no key \"{}\"; if this is JSON, use --format jsonl",
                       fmt::join(keys, "\", \""));
    return {{document.content}};
  });
}

void SkippedDocuments::add(const SkippedDocuments& more) {
  constexpr std::size_t shown = 5;
  count += more.count;
  for (const std::string& message : more.first) {
    if (first.size() < shown) first.push_back(message);
  }
}

std::string to_string(const SkippedDocuments& skipped) {
  return fmt::format("bad documents skipped: {}; the first:\n  {}", skipped.count,
                     fmt::join(skipped.first, "\n  "));
}

}  // namespace primus::data
