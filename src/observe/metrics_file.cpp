#include "observe/metrics_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace primus::observe {

namespace fs = std::filesystem;

namespace {

/// The bytes up to the first line that is damaged or belongs to an iteration after `last`.
std::uint64_t bytes_to_keep(const std::string& content, std::int64_t last) {
  std::size_t begin = 0;
  while (begin < content.size()) {
    const std::size_t end = content.find('\n', begin);
    if (end == std::string::npos) break;
    const auto line =
        nlohmann::json::parse(content.begin() + static_cast<std::ptrdiff_t>(begin),
                              content.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (!line.is_object() || !line.contains("iteration") || !line["iteration"].is_number_integer() ||
        line["iteration"].get<std::int64_t>() > last)
      break;
    begin = end + 1;
  }
  return begin;
}

}  // namespace

MetricsFile::MetricsFile(fs::path path, std::int64_t resume_iteration) : path_(std::move(path)) {
  const std::uint64_t keep = fs::exists(path_) ? bytes_to_keep(read_file(path_), resume_iteration) : 0;
  file_ = FileDescriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file_.valid() || ::ftruncate(file_.get(), static_cast<off_t>(keep)) != 0)
    throw_file_error("cannot write " + path_.string(), errno);
}

void MetricsFile::add(const nlohmann::ordered_json& line) {
  const std::string text = line.dump() + "\n";
  write_all(file_, std::as_bytes(std::span(text)), path_);
}

std::int64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string key;
  while (status >> key) {
    std::int64_t kilobytes = 0;
    if (key == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
    status.ignore(1 << 10, '\n');
  }
  return 0;
}

}  // namespace primus::observe
