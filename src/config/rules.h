#pragma once

#include <string>
#include <vector>

#include "config/derive.h"

namespace primus::config {

/// The rules about one subject: a class of each rules_*.cpp derives from this, and only that file sees it.
class RuleSubject {
 public:
  RuleSubject(const Arguments& arguments, const RunContext& context, std::vector<Problem>& problems)
      : a(arguments), context_(context), problems_(problems) {}

 protected:
  /// Adds `message` as a problem at the place where the arguments were set (see `Arguments::where`), unless
  /// the rule holds. An argument that does not count breaks no rule.
  template <ArgumentName... Names>
  void require(bool holds, const std::string& message) {
    if (!holds && (a.counts<Names>() && ...))
      problems_.push_back({Problem::Kind::rule, a.where<Names...>(), message});
  }

  const Arguments& a;
  const RunContext& context_;

 private:
  std::vector<Problem>& problems_;
};

/// The parts of `check_rules`, by subject.
void check_training_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_model_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_experts_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_parallel_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_engine_rules(const Arguments&, const RunContext&, std::vector<Problem>&);

}  // namespace primus::config
