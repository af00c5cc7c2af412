#include "fuzz/input_files.h"

#include <fstream>

namespace primus::fuzz {

namespace {

constexpr std::string_view section_mark = "--- ";

void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Where the next line "--- NAME" begins.
std::size_t find_mark(std::string_view text, std::size_t from) {
  for (std::size_t at; (at = text.find(section_mark, from)) != std::string_view::npos; from = at + 1) {
    if (at == 0 || text[at - 1] == '\n') return at;
  }
  return text.size();
}

/// Names that stay within the folder and need no folder of their own.
bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() < 100 && name.front() != '.' &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

}  // namespace

InputFiles::InputFiles(const std::string& name, std::string_view bytes) { write(folder_ / name, bytes); }

InputFiles::InputFiles(std::string_view sections) {
  for (std::size_t at = find_mark(sections, 0); at < sections.size();) {
    const std::size_t name = at + section_mark.size();
    const std::size_t line_end = std::min(sections.find('\n', name), sections.size());
    const std::size_t content = std::min(line_end + 1, sections.size());
    at = find_mark(sections, content);
    // The line break before a mark is the mark's.
    const std::size_t end = at == sections.size() || at == content ? at : at - 1;
    const std::string_view file = sections.substr(name, line_end - name);
    if (is_file_name(file)) write(folder_ / std::string(file), sections.substr(content, end - content));
  }
}

}  // namespace primus::fuzz
