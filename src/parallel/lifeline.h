#pragma once

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace c10d {
class Store;
}

namespace primus::parallel {

/// Signs of life that the ranks leave in the store where they met. Once two ranks are connected, each hears
/// at once when the other dies; before that, whoever waits for a rank learns only from here that it never
/// comes.
class Lifeline {
 public:
  /// Signs for `rank` until destruction, from a thread of its own over a connection of its own to `store`.
  Lifeline(const c10::intrusive_ptr<c10d::Store>& store, int rank);
  ~Lifeline();
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;

  /// Returns when all of `ranks` have called it with the same `place`, which all of them do once. Throws
  /// Error that names a rank that has given no sign for ten seconds, or that has not come within `timeout`.
  void gather(const std::string& place, const std::vector<int>& ranks, std::chrono::milliseconds timeout);

 private:
  void sign_until_stopped(const c10::intrusive_ptr<c10d::Store>& store);

  c10::intrusive_ptr<c10d::Store> store_;
  int rank_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace primus::parallel
