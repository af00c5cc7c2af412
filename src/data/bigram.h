#pragma once

#include <cstdint>

#include "data/dataset.h"

namespace primus::data {

struct BigramReport {
  /// Nats per token of the evaluation samples.
  double loss = 0;
  /// The same of the unigram model alone.
  double unigram_loss = 0;
  std::int64_t train_tokens = 0;
  std::int64_t valid_tokens = 0;
};

/// The loss on `valid` of an interpolated bigram model of `train`: a baseline that a trained language model
/// must beat. All labels of all samples count, padding excepted.
///
/// p(w | v) = a(c(v)) c(v, w) / c(v) + (1 - a(c(v))) (b c(w) / N + (1 - b) / vocab_size), Jelinek-Mercer
/// smoothing with the weight `a` depending on how often the context v was seen, in powers of two (Chen and
/// Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1999). The weights are found
/// by expectation maximization on the last tenth of `train` with counts from the first nine tenths (deleted
/// interpolation); then everything in `train` is counted. Throws UserError when `train` has fewer than ten
/// samples, or a token lies outside the vocabulary.
BigramReport bigram_baseline(const Dataset& train, const Dataset& valid, std::int64_t vocab_size);

}  // namespace primus::data
