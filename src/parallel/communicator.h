#pragma once

#include <c10/core/Device.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "launch/status_board.h"
#include "launch/world.h"
#include "parallel/traffic.h"
#include "parallel/transport.h"

namespace primus::parallel {

class Group;
class Lifeline;

struct JoinOptions {
  c10::DeviceType device = c10::DeviceType::CPU;
  /// How long a collective may take before it fails (`distributed_timeout_minutes`).
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  /// How long to wait for all ranks to appear.
  std::chrono::milliseconds rendezvous_timeout = std::chrono::minutes(5);
  /// What must be the same on every rank, e.g. a checksum of the resolved configuration.
  std::string fingerprint;
  /// Hears, from any thread, for whom and where this rank waits, when that is not over at once.
  std::function<void(const std::string& text)> on_wait = {};
};

/// This process's membership in the run: the store where the ranks met, the transport, the account of its
/// communication, and what it is doing at the moment.
class Communicator : public std::enable_shared_from_this<Communicator> {
 public:
  /// Meets the other ranks at rank 0's store and makes sure that each rank came once, that all agree on the
  /// number of ranks and that all have the same fingerprint. A world of one process meets nobody. Throws
  /// UserError when the ranks contradict each other, when the port is taken, when rank 0 cannot be reached,
  /// or when ranks are missing (naming them).
  static std::shared_ptr<Communicator> join(const launch::World& world, const JoinOptions& options);
  ~Communicator();

  const launch::World& world() const { return world_; }
  Traffic& traffic() { return traffic_; }
  /// Where the tensors are that this rank communicates: the CPU, or the GPU of its number on the machine.
  c10::Device device() const;

  /// The group of the given ranks of the world, of which this process must be one. It connects at its first
  /// collective, so a group that is never used costs nothing. All members must use the same name, and a name
  /// with these ranks only once.
  Group group(const std::string& name, const std::vector<int>& ranks);

  /// Tells the supervisor that this rank lives and what it is at, e.g. "iteration 12".
  void heartbeat(const std::string& text);

  /// Tells the supervisor that this rank fails because of another one.
  void blame_others();

  /// Marks an operation that may take long, for as long as the returned object lives; the supervisor prints
  /// it when the run hangs.
  class Mark;

 private:
  friend class Group;
  Communicator(const launch::World& world, const JoinOptions& options);
  void meet();
  void agree();
  void say_who_is_missing() const;
  std::string judge_all() const;
  std::string problem_of(const std::string& hello) const;
  void wait_until_heard() const;
  void publish();

  launch::World world_;
  JoinOptions options_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::unique_ptr<Lifeline> lifeline_;
  std::unique_ptr<Transport> transport_;
  Traffic traffic_;
  std::optional<launch::StatusBoard> board_;
  int board_slot_ = 0;
  std::mutex mutex_;
  std::map<int, std::string> active_;
  int next_mark_ = 0;
  std::string last_text_;
};

class Communicator::Mark {
 public:
  Mark(Communicator& communicator, std::string text);
  ~Mark();
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;

 private:
  Communicator& communicator_;
  int id_;
};

}  // namespace primus::parallel
