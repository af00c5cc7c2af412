#include "train/train_step.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "core/error.h"
#include "train/batches.h"

namespace primus::train {

namespace {

void check_finite(double loss, const StepSettings& settings, const data::Batch& batch) {
  if (std::isfinite(loss)) return;
  throw Error(
      fmt::format("the loss of iteration {} is {} on rank {} (samples {} of the training data): lower the "
                  "learning rate, or look at these samples with `primus-cli data inspect`",
                  settings.iteration, loss, settings.rank, fmt::join(batch.samples, ", ")));
}

}  // namespace

LossSums forward_backward(const model::GPTModel& model, data::DataLoader& loader,
                          const StepSettings& settings) {
  LossSums sums;
  for (std::int64_t m = 0; m < settings.num_microbatches; ++m) {
    const data::Batch batch = loader.next();
    MicroBatch micro_batch = to_micro_batch(batch, model.parameters().device());
    micro_batch.input.training = true;
    micro_batch.input.step = settings.iteration;
    micro_batch.input.first_sample =
        (m * settings.data_parallel_size + settings.data_parallel_rank) * settings.micro_batch_size;

    const double tokens = micro_batch.loss_mask.sum().item<double>();
    const double weight =
        settings.calculate_per_token_loss
            ? 1.0
            : 1.0 / (std::max(tokens, 1.0) * static_cast<double>(settings.num_microbatches));
    micro_batch.input.loss_gradient = micro_batch.loss_mask * weight;
    const at::Tensor losses = model.forward(micro_batch.input);
    const double loss = (losses.detach() * micro_batch.loss_mask).sum().item<double>();
    if (settings.check_for_nan_in_loss) check_finite(loss, settings, batch);

    if (m + 1 == settings.num_microbatches && settings.before_last_backward) settings.before_last_backward();
    torch::autograd::backward({losses}, {micro_batch.input.loss_gradient});
    sums.loss += loss;
    sums.tokens += tokens;
  }
  return sums;
}

LossSums sum_over(const parallel::Group& group, const LossSums& sums) {
  const at::Tensor both = at::tensor({sums.loss, sums.tokens}, at::kDouble);
  group.all_reduce(both);
  return {both[0].item<double>(), both[1].item<double>()};
}

void forward_only(const model::GPTModel& model, data::DataLoader& loader, std::int64_t num_microbatches,
                  LossSums& sums) {
  const at::NoGradGuard no_grad;
  for (std::int64_t m = 0; m < num_microbatches; ++m) {
    const MicroBatch micro_batch = to_micro_batch(loader.next(), model.parameters().device());
    sums.loss += (model.forward(micro_batch.input) * micro_batch.loss_mask).sum().item<double>();
    sums.tokens += micro_batch.loss_mask.sum().item<double>();
  }
}

}  // namespace primus::train
