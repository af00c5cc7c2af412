#include "pipeline/executor.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace primus::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using Kind = Action::Kind;

/// Chunks that add their number plus one; backward passes on the gradient and defers a weight gradient.
class Adders : public ChunkWork {
 public:
  explicit Adders(int chunks) : chunks_(chunks) {}

  int num_chunks() const override { return chunks_; }
  at::Tensor forward(int chunk, std::int64_t microbatch, const at::Tensor& input) override {
    note("F", chunk, microbatch);
    const at::Tensor x = input.defined() ? input : at::full({1}, 10.0 * static_cast<double>(microbatch));
    outputs_[{chunk, microbatch}] = x + (chunk + 1);
    return outputs_[{chunk, microbatch}];
  }
  at::Tensor backward(int chunk, std::int64_t microbatch, const at::Tensor& output_gradient) override {
    note("B", chunk, microbatch);
    deferred_.add([=, this] { note("W", chunk, microbatch); });
    return output_gradient.defined() ? output_gradient * 2 : outputs_[{chunk, microbatch}];
  }
  DeferredWeightGradients& deferred() override { return deferred_; }

  std::vector<std::string> log;

 private:
  void note(const char* what, int chunk, std::int64_t microbatch) {
    log.push_back(fmt::format("{}{}.{}", what, chunk, microbatch));
  }

  int chunks_;
  std::map<std::pair<int, std::int64_t>, at::Tensor> outputs_;
  DeferredWeightGradients deferred_;
};

TEST(Schedule, WithoutPipeliningOneMicroBatchIsAliveAtATime) {
  Adders work(2);
  execute(schedule_without_pipelining(2, 2), work);
  EXPECT_THAT(work.log, ElementsAre("F0.0", "F1.0", "B1.0", "W1.0", "B0.0", "W0.0",  //
                                    "F0.1", "F1.1", "B1.1", "W1.1", "B0.1", "W0.1"));
}

TEST(Executor, RunsWeightGradientsWhereTheScheduleHasThem) {
  Adders work(1);
  execute({{Kind::forward, 0, 0},
           {Kind::forward, 0, 1},
           {Kind::backward_input, 0, 1},
           {Kind::backward_input, 0, 0},
           {Kind::backward_weight, 0, 0},
           {Kind::backward_weight, 0, 1}},
          work);
  EXPECT_THAT(work.log, ElementsAre("F0.0", "F0.1", "B0.1", "B0.0", "W0.0", "W0.1"));
}

TEST(Executor, NamesAnActionWhoseInputDoesNotExist) {
  const auto execution_of = [](const Schedule& schedule) {
    return [schedule] {
      Adders work(2);
      execute(schedule, work);
    };
  };
  EXPECT_THAT(execution_of({{Kind::forward, 1, 3}}),
              ThrowsMessage<Error>(AllOf(HasSubstr("forward of chunk 1, micro-batch 3"))));
  EXPECT_THAT(execution_of({{Kind::forward, 0, 0}, {Kind::backward, 0, 0}}),
              ThrowsMessage<Error>(HasSubstr("backward of chunk 0, micro-batch 0")));
  EXPECT_THAT(execution_of({{Kind::backward_weight, 0, 0}}),
              ThrowsMessage<Error>(HasSubstr("no weight gradients of chunk 0")));
  EXPECT_THAT(execution_of({{Kind::forward, 0, 0}}),
              ThrowsMessage<Error>(HasSubstr("without their backward pass")));
}

}  // namespace
}  // namespace primus::pipeline
