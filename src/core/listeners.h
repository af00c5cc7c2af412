#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace primus {

/// Functions that are called whenever something happens, in the order in which they were added.
class Listeners {
 public:
  /// Keeps its function among the listeners for as long as it lives.
  using Subscription = std::shared_ptr<const std::function<void()>>;

  [[nodiscard]] Subscription add(std::function<void()> listener) {
    auto subscription = std::make_shared<const std::function<void()>>(std::move(listener));
    listeners_.push_back(subscription);
    return subscription;
  }

  void notify() const {
    for (const auto& listener : listeners_) {
      if (const Subscription subscribed = listener.lock()) (*subscribed)();
    }
  }

 private:
  std::vector<std::weak_ptr<const std::function<void()>>> listeners_;
};

}  // namespace primus
