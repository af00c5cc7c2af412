#pragma once

#include <cstdint>

#include "kernels/cpu/features.h"

namespace primus::kernels::cpu {

/// Rows of logits [rows, width], contiguous, of which columns first_column .. first_column + width of the
/// vocabulary are here. All sums in fp32.
template <class T>
struct LogitRows {
  std::int64_t width = 0;
  std::int64_t first_column = 0;
  /// > 0: what stands in `logits` becomes softcap·tanh(logits / softcap) first.
  float softcap = 0.0F;
  const T* logits = nullptr;
  const std::int64_t* labels = nullptr;
  /// fp32 [rows]: see LogitStatistics.
  float* maximum = nullptr;
  float* sum_of_exponentials = nullptr;
  float* label_logit = nullptr;
  /// Backward only: gradient of each row's loss, and where the logits' gradients go, which may be the logits.
  const float* loss_gradient = nullptr;
  T* gradient = nullptr;
};

template <Isa isa, class T>
void logit_statistics(const LogitRows<T>& call, std::int64_t first_row, std::int64_t last_row);

/// From the statistics over the whole vocabulary.
template <Isa isa, class T>
void logit_gradients(const LogitRows<T>& call, std::int64_t first_row, std::int64_t last_row);

}  // namespace primus::kernels::cpu
