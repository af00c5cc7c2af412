// The rules that arguments must keep together: Megatron's `validate_args` and `TransformerConfig`, and
// Primus' additions.
#include "config/rules.h"

#include <fmt/format.h>

namespace primus::config {

namespace {

/// Names that were given up.
class FormerNames : RuleSubject {
 public:
  using RuleSubject::RuleSubject;

  void check_all() {
    removed<"batch_size">("micro_batch_size");
    removed<"warmup">("lr_warmup_fraction");
    removed<"model_parallel_size">("tensor_model_parallel_size");
    require<"checkpoint_activations">(
        !a.get<"checkpoint_activations">(),
        "'checkpoint_activations' is no longer valid: use 'recompute_activations'");
  }

 private:
  template <ArgumentName Name>
  void removed(std::string_view use_instead) {
    require<Name>(a.value(Name.view()).is_null(),
                  fmt::format("'{}' is no longer valid: use '{}'", Name.view(), use_instead));
  }
};

}  // namespace

void check_rules(const Arguments& arguments, const RunContext& context, std::vector<Problem>& problems) {
  FormerNames(arguments, context, problems).check_all();
  check_parallel_rules(arguments, context, problems);
  check_training_rules(arguments, context, problems);
  check_model_rules(arguments, context, problems);
  check_experts_rules(arguments, context, problems);
  check_engine_rules(arguments, context, problems);
}

}  // namespace primus::config
