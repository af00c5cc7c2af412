#include "config/validate.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace primus::config {

namespace {

/// Whether all arguments have values that further rules can be asked about.
bool only_unknown_keys(const std::vector<Problem>& problems) {
  return std::all_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.kind == Problem::Kind::unknown_key || problem.kind == Problem::Kind::misplaced_key;
  });
}

/// a · b, or the largest integer that there is.
std::int64_t saturated_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::int64_t>::max() : product;
}

void append(std::vector<std::string>& lines, const std::vector<std::string>& more) {
  lines.insert(lines.end(), more.begin(), more.end());
}

}  // namespace

std::int64_t smallest_world_size(const Arguments& a) {
  const std::int64_t tensor = a.get<"tensor_model_parallel_size">();
  const std::int64_t pipeline = a.get<"pipeline_model_parallel_size">();
  const std::int64_t context = a.get<"context_parallel_size">();
  const std::int64_t expert = a.get<"expert_model_parallel_size">();
  const std::int64_t expert_tensor = a.counts<"expert_tensor_parallel_size">()
                                         ? a.get<"expert_tensor_parallel_size">().value_or(tensor)
                                         : tensor;
  const std::int64_t dense = tensor * context, sparse = expert * expert_tensor;
  return saturated_product(saturated_product(dense / std::gcd(dense, sparse), sparse), pipeline);
}

ValidationReport validate(const ResolveRequest& request, std::optional<std::int64_t> world_size) {
  ValidationReport report;
  report.file = request.config.string();
  try {
    const Experiment experiment = resolve(request, report.problems);
    report.notes = experiment.warnings;
    report.root_directory = experiment.root_directory;
    if (!only_unknown_keys(report.problems)) return report;
    report.world_size = world_size.value_or(smallest_world_size(experiment.arguments));
    const RunContext context = RunContext::of(experiment, report.world_size);
    const Arguments prepared = prepare(experiment.arguments, context);
    check_rules(prepared, context, report.problems);
    report.unsupported = prepared.unsupported();
    if (!only_unknown_keys(report.problems)) return report;
    report.derived = derive(prepared, context);
    append(report.notes, report.derived->notes);
  } catch (const UserError& error) {
    report.problems.push_back({Problem::Kind::rule, {}, error.what()});
  }
  return report;
}

DerivedArguments arguments_for_training(const Experiment& experiment, const RunContext& context) {
  const Arguments prepared = prepare(experiment.arguments, context);
  std::vector<Problem> problems = prepared.unsupported();
  check_rules(prepared, context, problems);
  throw_if_any(problems);
  return derive(prepared, context);
}

}  // namespace primus::config
