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
  /// Adds `message` as a problem at the place where the argument was set, unless the rule holds. An argument
  /// that does not count breaks no rule.
  template <ArgumentName Name>
  void require(bool holds, const std::string& message) {
    if (!holds && counts<Name>()) problems_.push_back({Problem::Kind::rule, a.where<Name>(), message});
  }

  /// The same for a rule about two arguments: the place is that of the one which the user set later, as an
  /// override beats a preset.
  template <ArgumentName First, ArgumentName Second>
  void require(bool holds, const std::string& message) {
    const bool second = a.value(First.view()).origin.layer < a.value(Second.view()).origin.layer;
    if (!holds && counts<First>() && counts<Second>())
      problems_.push_back({Problem::Kind::rule, second ? a.where<Second>() : a.where<First>(), message});
  }

  const Arguments& a;
  const RunContext& context_;

 private:
  template <ArgumentName Name>
  bool counts() const {
    return a.counts(detail::index_of<Name>());
  }

  std::vector<Problem>& problems_;
};

/// The parts of `check_rules`, by subject.
void check_training_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_model_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_experts_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_parallel_rules(const Arguments&, const RunContext&, std::vector<Problem>&);
void check_engine_rules(const Arguments&, const RunContext&, std::vector<Problem>&);

}  // namespace primus::config
