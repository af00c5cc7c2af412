#include "pipeline/executor.h"

#include <ATen/core/grad_mode.h>

#include <string_view>

#include "core/error.h"

namespace primus::pipeline {

namespace {

std::string_view to_string(Action::Kind kind) {
  switch (kind) {
    case Action::Kind::forward: return "forward";
    case Action::Kind::backward: return "backward";
    case Action::Kind::backward_input: return "backward of the input";
    case Action::Kind::backward_weight: return "backward of the weights";
  }
  return "";
}

/// Tensors on their way between chunks: those that an action has produced for another one.
class Mailbox {
 public:
  void put(int chunk, std::int64_t microbatch, at::Tensor tensor) {
    tensors_[{chunk, microbatch}] = std::move(tensor);
  }
  at::Tensor take(const Action& action) {
    const auto found = tensors_.extract({action.chunk, action.microbatch});
    if (found.empty()) {
      throw Error(
          fmt::format("the schedule asks for the {} of chunk {}, micro-batch {}, before its input exists",
                      to_string(action.kind), action.chunk, action.microbatch));
    }
    return found.mapped();
  }
  bool empty() const { return tensors_.empty(); }

 private:
  std::map<std::pair<int, std::int64_t>, at::Tensor> tensors_;
};

}  // namespace

void DeferredWeightGradients::add(std::function<void()> computation) {
  {
    const std::lock_guard lock(mutex_);
    if (current_ != nullptr) {
      current_->push_back(std::move(computation));
      return;
    }
  }
  computation();
}

void DeferredWeightGradients::start(int chunk, std::int64_t microbatch) {
  const std::lock_guard lock(mutex_);
  current_ = &waiting_[{chunk, microbatch}];
}

void DeferredWeightGradients::stop() {
  const std::lock_guard lock(mutex_);
  current_ = nullptr;
}

void DeferredWeightGradients::run(int chunk, std::int64_t microbatch) {
  const auto computations = waiting_.extract({chunk, microbatch});
  if (computations.empty()) {
    throw Error(
        fmt::format("no weight gradients of chunk {}, micro-batch {}, were put off", chunk, microbatch));
  }
  const at::NoGradGuard no_grad;  // as within a backward pass
  for (const auto& computation : computations.mapped()) computation();
}

void execute(const Schedule& schedule, ChunkWork& work) {
  const int last = work.num_chunks() - 1;
  Mailbox activations, gradients;
  for (const Action& action : schedule) {
    const auto [kind, chunk, microbatch] = action;
    if (kind == Action::Kind::backward_weight) {
      work.deferred().run(chunk, microbatch);
      continue;
    }
    if (kind == Action::Kind::forward) {
      const at::Tensor output =
          work.forward(chunk, microbatch, chunk > 0 ? activations.take(action) : at::Tensor());
      // The last chunk's backward begins with the loss of its own output.
      chunk < last ? activations.put(chunk + 1, microbatch, output)
                   : gradients.put(chunk, microbatch, at::Tensor());
      continue;
    }
    const bool split = kind == Action::Kind::backward_input;
    if (split) work.deferred().start(chunk, microbatch);
    const at::Tensor gradient = work.backward(chunk, microbatch, gradients.take(action));
    if (split) work.deferred().stop();
    if (chunk > 0) gradients.put(chunk - 1, microbatch, gradient);
  }
  if (!activations.empty() || !gradients.empty() || !work.deferred().empty())
    throw Error("the schedule leaves some micro-batches without their backward pass");
}

}  // namespace primus::pipeline
