#include "config/problem.h"

#include <fmt/format.h>

namespace primus::config {

std::string to_string(const Problem& problem) {
  return problem.where.file.empty() ? problem.message
                                    : primus::to_string(problem.where) + ": " + problem.message;
}

void throw_if_any(const std::vector<Problem>& problems) {
  if (problems.empty()) return;
  if (problems.size() == 1) throw UserError(problems[0].where, problems[0].message);
  std::string all = fmt::format("{} problems in the configuration", problems.size());
  for (const Problem& problem : problems) all += "\n  " + to_string(problem);
  throw UserError(all);
}

}  // namespace primus::config
