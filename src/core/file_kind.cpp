#include "core/file_kind.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/file.h"
#include "core/utf8.h"

namespace primus {

namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes;
  std::string_view kind;
  std::size_t offset = 0;
};

constexpr std::string_view git_lfs_version = "version https://git-lfs.github.com/spec/";

/// No word that a text could begin with.
constexpr Signature signatures[] = {
    {git_lfs_version, "a Git LFS pointer; `git lfs pull` fetches the file itself"},
    {"\x00\x00\xFE\xFF"sv, "UTF-32 text; `iconv -f UTF-32 -t UTF-8` converts it"},
    {"\xFF\xFE\x00\x00"sv, "UTF-32 text; `iconv -f UTF-32 -t UTF-8` converts it"},
    {"\xFF\xFE"sv, "UTF-16 text; `iconv -f UTF-16 -t UTF-8` converts it"},
    {"\xFE\xFF"sv, "UTF-16 text; `iconv -f UTF-16 -t UTF-8` converts it"},
    {"\x1F\x8B"sv, "gzip data; `gunzip` unpacks it"},
    {"\x28\xB5\x2F\xFD"sv, "zstd data; `unzstd` unpacks it"},
    {"\xFD"
     "7zXZ\x00"sv,
     "xz data; `unxz` unpacks it"},
    {"1AY&SY"sv, "bzip2 data; `bunzip2` unpacks it", 4},
    {"\x04\x22\x4D\x18"sv, "lz4 data; `unlz4` unpacks it"},
    {"\xFF\x06\x00\x00sNaPpY"sv, "snappy data"},
    {"PK\x03\x04"sv, "a ZIP archive"},
    {"PK\x05\x06"sv, "an empty ZIP archive"},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7z archive"},
    {"Rar!\x1A\x07"sv, "a RAR archive"},
    {"ustar"sv, "a tar archive", 257},
    {"PAR1\x15"sv, "a Parquet table"},
    {"ARROW1\x00\x00"sv, "an Arrow table"},
    {"Obj\x01"sv, "an Avro table"},
    {"\x89HDF\r\n\x1A\n"sv, "an HDF5 file"},
    {"SQLite format 3\x00"sv, "an SQLite database"},
    {"\x93NUMPY"sv, "a NumPy array"},
    {"\x80\x02"sv, "a Python pickle"},
    {"\x80\x03"sv, "a Python pickle"},
    {"\x80\x04"sv, "a Python pickle"},
    {"\x80\x05"sv, "a Python pickle"},
    {"%PDF-"sv, "a PDF"},
    {"MMIDIDX\x00\x00"sv, "the index of a Megatron dataset"},
    {"TNTIDX\x00\x00"sv,
     "an index of Megatron's former kind of dataset (data_impl lazy or cached); preprocess the text again"},
};

bool may_be_of_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= ' ' || byte == '\t' || byte == '\n' || byte == '\r' || byte == '\0';
}

/// UTF-16 and UTF-32 without a mark: mostly Latin letters, so that the same bytes of each unit are zero.
std::optional<std::string_view> wide_text(std::string_view bytes) {
  constexpr std::size_t enough = 4096;
  bytes = bytes.substr(0, enough);
  if (bytes.size() < 8 || !std::ranges::all_of(bytes, may_be_of_text)) return std::nullopt;
  std::size_t zeros[4] = {};
  for (std::size_t i = 0; i < bytes.size(); ++i) zeros[i % 4] += bytes[i] == '\0';
  const std::size_t even = zeros[0] + zeros[2], odd = zeros[1] + zeros[3];
  const std::size_t many = bytes.size() / 4;
  if (even + odd == bytes.size()) return std::nullopt;
  if (8 * (even + odd) > 5 * bytes.size()) return "UTF-32 text; `iconv -f UTF-32 -t UTF-8` converts it";
  if (even == 0 && odd > many) return "UTF-16 text; `iconv -f UTF-16LE -t UTF-8` converts it";
  if (odd == 0 && even > many) return "UTF-16 text; `iconv -f UTF-16BE -t UTF-8` converts it";
  return std::nullopt;
}

bool is_web_page(std::string_view text) {
  text = without_byte_order_mark(text);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const auto begins_with = [&](std::string_view word) {
    return std::ranges::equal(text.substr(0, word.size()), word, {},
                              [](unsigned char c) { return std::tolower(c); });
  };
  return begins_with("<!doctype html") || begins_with("<html") || begins_with("<?xml");
}

}  // namespace

std::optional<std::string_view> foreign_kind(std::string_view first_bytes) {
  for (const Signature& signature : signatures) {
    if (first_bytes.size() > signature.offset &&
        first_bytes.substr(signature.offset).starts_with(signature.bytes))
      return signature.kind;
  }
  return wide_text(first_bytes);
}

std::optional<std::string_view> foreign_kind_or_web_page(std::string_view first_bytes) {
  if (const auto kind = foreign_kind(first_bytes)) return kind;
  if (is_web_page(first_bytes)) return "a web page: the download went wrong";
  return std::nullopt;
}

void refuse_foreign_file(std::string_view first_bytes, const std::filesystem::path& file) {
  if (const auto kind = foreign_kind_or_web_page(first_bytes))
    throw UserError({file.string()}, fmt::format("this is {}", *kind));
}

std::string read_text_file(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  refuse_foreign_file(content, file);
  return std::string(without_byte_order_mark(content));
}

}  // namespace primus
