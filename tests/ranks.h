#pragma once

#include <functional>
#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace primus::parallel {

/// How one rank of a test ended.
struct RankResult {
  bool passed = false;
  /// Of the exception that ended it; empty without one.
  std::string error;
};

struct RankOptions {
  int ranks = 2;
  JoinOptions join = {};
  /// Changes what a rank believes of the world before it joins.
  std::function<void(launch::World&, JoinOptions&)> adjust = {};
};

/// Runs `body` in `ranks` processes of one thread each that have joined each other, and returns how each
/// ended; failed expectations of a rank are printed and count as not passed. Call it before anything in this
/// process has used threads: the processes are forked.
std::vector<RankResult> run_ranks_to_end(const RankOptions& options,
                                         const std::function<void(std::shared_ptr<Communicator>)>& body);

/// As above, and expects every rank to pass.
void run_ranks(int ranks, const std::function<void(std::shared_ptr<Communicator>)>& body);

/// The ranks 0 to n-1.
std::vector<int> all_ranks(int n);

}  // namespace primus::parallel
