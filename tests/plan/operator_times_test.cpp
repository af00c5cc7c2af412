#include "plan/operator_times.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "kernels/linear.h"
#include "kernels/span.h"
#include "plan/timing.h"

namespace primus::plan {
namespace {

const OperatorTime* find(const std::vector<OperatorTime>& operators, const std::string& name) {
  for (const OperatorTime& one : operators) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

TEST(OperatorTimes, names_our_functions_forward_and_backward_and_counts_their_calls) {
  const at::Tensor x = at::randn({64, 32}).requires_grad_();
  const kernels::Weight weight{at::randn({16, 32}).requires_grad_(), nullptr};
  const auto operators = time_operators([&] {
    for (int i = 0; i < 3; ++i)
      kernels::linear(x, weight, {}, kernels::KernelOptions::all_fused()).sum().backward();
  });
  for (const char* name : {"Linear", "Linear backward"}) {
    const OperatorTime* one = find(operators, name);
    ASSERT_NE(one, nullptr) << name;
    EXPECT_EQ(one->calls, 3);
  }
}

TEST(OperatorTimes, counts_the_outermost_operator_alone_and_sorts_by_time) {
  using namespace std::chrono_literals;
  const auto operators = time_operators([] {
    const kernels::OperatorSpan outer("outer");
    {
      const kernels::OperatorSpan inner("inner");
      std::this_thread::sleep_for(20ms);
    }
  });
  EXPECT_EQ(find(operators, "inner"), nullptr);
  const OperatorTime* outer = find(operators, "outer");
  ASSERT_NE(outer, nullptr);
  EXPECT_GE(outer->seconds, 0.02);
  EXPECT_LT(outer->processor_seconds, outer->seconds) << "sleeping takes no processor time";
  EXPECT_EQ(&operators.front(), outer);
}

TEST(OperatorTimes, stops_watching_when_the_function_throws) {
  EXPECT_THROW(time_operators([] { throw std::runtime_error("no"); }), std::runtime_error);
  at::randn({2});  // would crash if a watch were left behind
  EXPECT_TRUE(time_operators([] {}).empty());
}

TEST(Timing, median_is_the_middle_value) {
  EXPECT_EQ(median({3.0, 1.0, 2.0}), 2.0);
  EXPECT_EQ(median({4.0, 1.0, 2.0, 3.0}), 3.0);
  EXPECT_EQ(median({5.0}), 5.0);
}

TEST(Timing, the_gemm_peak_is_a_rate) { EXPECT_GT(GemmPeak(at::kFloat).measure(), 0.1); }

}  // namespace
}  // namespace primus::plan
