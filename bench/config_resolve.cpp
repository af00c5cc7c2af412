// How long it takes to resolve each shipped example: files read and merged, arguments converted, rules
// checked, values derived; all that `primus-cli config validate` does for one file.
//
//     build/release/bench/config_resolve_benchmark [repeats]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "config/validate.h"

namespace {

namespace fs = std::filesystem;

struct Timing {
  fs::path file;
  std::uintmax_t bytes = 0;
  double best = 0;  ///< milliseconds
  double median = 0;
};

Timing time_of(const fs::path& file, int repeats) {
  primus::config::ResolveRequest request;
  request.config = file;
  request.config_directories = {fs::path(PRIMUS_SOURCE_DIR) / "configs"};
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    primus::config::validate(request, std::nullopt);
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return {file, fs::file_size(file), times.front(), times[times.size() / 2]};
}

void print(const char* title, const Timing& timing) {
  std::fputs(fmt::format("{:<16} {:>7.2f} ms best {:>7.2f} ms median {:>7} bytes  {}\n", title, timing.best,
                         timing.median, timing.bytes, fs::relative(timing.file, PRIMUS_SOURCE_DIR).string())
                 .c_str(),
             stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int repeats = std::max(argc > 1 ? std::atoi(argv[1]) : 20, 1);
  std::vector<Timing> all;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(PRIMUS_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() == ".yaml") all.push_back(time_of(entry.path(), repeats));
  }
  const auto by = [&](auto member) {
    return *std::max_element(all.begin(), all.end(),
                             [=](const Timing& a, const Timing& b) { return a.*member < b.*member; });
  };
  double sum = 0;
  for (const Timing& timing : all) sum += timing.median;
  print("largest file", by(&Timing::bytes));
  print("slowest", by(&Timing::median));
  std::fputs(
      fmt::format("{} files, {:.2f} ms on average\n", all.size(), sum / static_cast<double>(all.size()))
          .c_str(),
      stdout);
  return 0;
}
