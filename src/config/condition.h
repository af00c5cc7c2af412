#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace primus::config {

/// What a condition asks of one argument: to be on (neither null, false, 0 nor empty), or to have one of some
/// values; or, negated, the contrary.
struct Term {
  std::string_view name;
  std::string_view values = "";  ///< as in "adam|sgd"; empty: whether it is on
  bool negated = false;
};

/// A condition on arguments, as the table writes it: terms joined by " and ", or terms joined by " or ". A
/// term is `num_experts` (is on), `!disable_wandb` (is not), `optimizer=adam|sgd` or
/// `pipeline_model_parallel_size!=1`. Without terms it holds.
struct Condition {
  std::vector<Term> terms;
  bool any = false;  ///< one of the terms is enough

  static Condition parse(std::string_view text);

  /// Whether one of the terms is about the argument of that name.
  bool names(std::string_view name) const;
};

/// "adam|sgd" in a sentence: "adam or sgd".
std::string alternatives(std::string_view values);

/// The condition in a sentence: "'num_experts'", "'disable_wandb: false'", "'optimizer' muon or dist_muon".
std::string to_string(const Condition& condition);

}  // namespace primus::config
