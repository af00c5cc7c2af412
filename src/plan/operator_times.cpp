#include "plan/operator_times.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <string_view>

namespace primus::plan {

namespace {

using Clock = std::chrono::steady_clock;

double processor_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Watch {
  int depth = 0;
  Clock::time_point start;
  double processor_start = 0;
  std::map<std::string, OperatorTime> operators;
};

/// libtorch calls plain functions, so what they write to is found through the thread.
thread_local Watch* current_watch = nullptr;

/// Autograd evaluates "autograd::engine::evaluate_function: torch::autograd::CppNode<...::Linear>" for
/// "Linear backward"; its functions for libtorch's own operators are named so already.
std::string readable_name(const std::string& name) {
  constexpr std::string_view evaluation = "autograd::engine::evaluate_function: ";
  if (!name.starts_with(evaluation)) return name;
  if (!name.ends_with('>')) return name.substr(evaluation.size());
  const std::size_t begin = name.rfind("::") + 2;
  return name.substr(begin, name.size() - 1 - begin) + " backward";
}

std::unique_ptr<at::ObserverContext> begin_operator(const at::RecordFunction&) {
  if (current_watch->depth++ == 0) {
    current_watch->start = Clock::now();
    current_watch->processor_start = processor_seconds();
  }
  return nullptr;
}

void end_operator(const at::RecordFunction& record, at::ObserverContext*) {
  if (--current_watch->depth > 0) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - current_watch->start).count();
  OperatorTime& total = current_watch->operators[readable_name(record.name())];
  ++total.calls;
  total.seconds += seconds;
  total.processor_seconds += processor_seconds() - current_watch->processor_start;
}

/// Watches the operators of this thread while it lives.
class Watching {
 public:
  explicit Watching(Watch& watch)
      : handle_(at::addThreadLocalCallback(
            at::RecordFunctionCallback(begin_operator, end_operator)
                .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION,
                         at::RecordScope::USER_SCOPE}))) {
    current_watch = &watch;
  }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;
  ~Watching() {
    at::removeCallback(handle_);
    current_watch = nullptr;
  }

 private:
  at::CallbackHandle handle_;
};

}  // namespace

std::vector<OperatorTime> time_operators(const std::function<void()>& function) {
  Watch watch;
  {
    const Watching watching(watch);
    function();
  }
  std::vector<OperatorTime> result;
  for (auto& [name, total] : watch.operators) {
    total.name = name;
    result.push_back(total);
  }
  std::sort(result.begin(), result.end(),
            [](const OperatorTime& a, const OperatorTime& b) { return a.seconds > b.seconds; });
  return result;
}

}  // namespace primus::plan
