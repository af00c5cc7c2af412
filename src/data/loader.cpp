#include "data/loader.h"

namespace primus::data {

DataLoader::DataLoader(const Dataset& dataset, std::unique_ptr<Sampler> sampler, const BatchOptions& options,
                       std::size_t prefetch)
    : dataset_(dataset), sampler_(std::move(sampler)), options_(options), prefetch_(prefetch) {
  if (prefetch_ > 0) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

DataLoader::~DataLoader() = default;

Batch DataLoader::make() { return make_batch(dataset_, sampler_->next(), options_); }

void DataLoader::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      Batch batch = make();
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return ready_.size() < prefetch_; })) return;
      ready_.push_back(std::move(batch));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    changed_.notify_all();
    if (failure_) return;
  }
}

Batch DataLoader::next() {
  if (prefetch_ == 0) return make();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !ready_.empty() || failure_; });
  if (ready_.empty()) std::rethrow_exception(failure_);
  Batch batch = std::move(ready_.front());
  ready_.pop_front();
  lock.unlock();
  changed_.notify_all();
  return batch;
}

}  // namespace primus::data
