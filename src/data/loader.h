#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "data/batch.h"
#include "data/sampler.h"

namespace primus::data {

/// Makes micro-batches one after the other, in a thread that runs a few ahead. What comes out depends only on
/// dataset, sampler and options, never on timing.
class DataLoader {
 public:
  /// `dataset` must outlive the loader. With `prefetch` 0 there is no thread.
  DataLoader(const Dataset& dataset, std::unique_ptr<Sampler> sampler, const BatchOptions& options,
             std::size_t prefetch = 4);
  ~DataLoader();
  DataLoader(const DataLoader&) = delete;
  DataLoader& operator=(const DataLoader&) = delete;

  /// The next micro-batch. Throws what making it threw; after that, the same again.
  Batch next();

 private:
  Batch make();
  void run(const std::stop_token& stop);

  const Dataset& dataset_;
  std::unique_ptr<Sampler> sampler_;
  BatchOptions options_;
  std::size_t prefetch_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> ready_;
  std::exception_ptr failure_;
  std::jthread thread_;
};

}  // namespace primus::data
