#include "parallel/lifeline.h"

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <exception>

#include "core/error.h"

namespace primus::parallel {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds interval{1000};
/// Many intervals: a rank on a busy machine may be late, and no rank must be thought dead that is not.
constexpr milliseconds patience{10'000};

std::string sign_key(int rank) { return fmt::format("alive/{}", rank); }

std::string arrival_key(const std::string& place, int rank) {
  return fmt::format("arrived/{}/{}", place, rank);
}

/// Whether `key` was set within one interval.
bool appears(c10d::Store& store, const std::string& key) {
  try {
    store.wait({key}, interval);
    return true;
  } catch (const std::exception&) {
    return store.check({key});  // Throws when it was not the time-out but the store that is gone.
  }
}

/// Waits for one rank's arrival.
void await(c10d::Store& store, const std::string& place, int rank, Clock::time_point deadline) {
  std::string last_sign;
  auto signed_at = Clock::now();
  while (!appears(store, arrival_key(place, rank))) {
    std::string sign;
    if (store.check({sign_key(rank)})) sign = store.get_to_str(sign_key(rank));
    const auto now = Clock::now();
    if (sign != last_sign) signed_at = now;
    last_sign = std::move(sign);
    if (now - signed_at > patience) {
      throw Error(fmt::format("rank {} has died: no sign of life for {} s", rank, patience.count() / 1000));
    }
    if (now > deadline) throw Error(fmt::format("rank {} is alive, but did not arrive in time", rank));
  }
}

}  // namespace

Lifeline::Lifeline(const c10::intrusive_ptr<c10d::Store>& store, int rank)
    : store_(store), rank_(rank), thread_([this, own = store->clone()] { sign_until_stopped(own); }) {}

Lifeline::~Lifeline() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Lifeline::sign_until_stopped(const c10::intrusive_ptr<c10d::Store>& store) {
  std::unique_lock lock(mutex_);
  for (std::uint64_t count = 0; !stopping_; ++count) {
    lock.unlock();
    try {
      store->set(sign_key(rank_), std::to_string(count));
    } catch (const std::exception&) {
      return;  // Rank 0 has ended, and its store with it: nobody reads signs any more.
    }
    lock.lock();
    changed_.wait_for(lock, interval, [this] { return stopping_; });
  }
}

void Lifeline::gather(const std::string& place, const std::vector<int>& ranks, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  store_->set(arrival_key(place, rank_), std::string("1"));
  for (const int rank : ranks) await(*store_, place, rank, deadline);
}

}  // namespace primus::parallel
