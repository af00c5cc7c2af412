#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "parallel/reduction.h"
#include "parallel/task_queue.h"

namespace primus::parallel {

class Communicator;

/// An ordered set of ranks that communicate. A group of one rank makes every collective a no-op, so the
/// single-process path runs the same code as all others. Copies are handles of the same group.
///
/// All members must make the same calls in the same order; `start_` calls, which go on in the background, run
/// in the order in which they are started. Reductions add in rank order (see reduction.h), so on every rank
/// and for every way of cutting a tensor the result is the same to the last bit.
///
/// Every call throws Error, naming the call, the group and the reason, when another rank fails or the
/// time-out passes. Tensors need not be contiguous unless it is said. None of the calls records autograd
/// history.
class Group {
 public:
  /// The group that holds this process alone.
  Group() = default;

  int rank() const;
  int size() const;
  /// The members as ranks of the world, in the group's order.
  const std::vector<int>& ranks() const;
  const std::string& name() const;

  /// Replaces `tensor` on every rank by the reduction of all.
  void all_reduce(const at::Tensor& tensor, Reduction reduction = Reduction::sum) const;
  /// All ranks' tensors, which have one shape, concatenated along `dim` in rank order.
  at::Tensor all_gather(const at::Tensor& local, std::int64_t dim = 0) const;
  /// This rank's part, along `dim`, of the sum of all ranks' `whole`. `dim` must divide by the group's size.
  at::Tensor reduce_scatter(const at::Tensor& whole, std::int64_t dim = 0) const;
  /// Sends the first `send_rows[0]` rows of `rows` to rank 0, the next to rank 1, ...; returns the received
  /// rows in rank order, `receive_rows[r]` of them from rank r.
  at::Tensor all_to_all(const at::Tensor& rows, at::IntArrayRef send_rows,
                        at::IntArrayRef receive_rows) const;
  /// Replaces `tensor` on every rank by that of the member `root`.
  void broadcast(const at::Tensor& tensor, int root) const;
  /// Returns when all members have called it.
  void barrier() const;
  /// Every member's text, in rank order.
  std::vector<std::string> all_gather_text(const std::string& text) const;

  /// In the background; the contiguous tensors must be left alone until `wait()` returns.
  Pending start_all_reduce(const at::Tensor& tensor, Reduction reduction = Reduction::sum) const;
  /// `whole`: size() times the elements of `local`, which may be this rank's part of `whole`.
  Pending start_all_gather(const at::Tensor& whole, const at::Tensor& local) const;
  /// `local` may be this rank's part of `whole`, whose other parts keep their values.
  Pending start_reduce_scatter(const at::Tensor& local, const at::Tensor& whole) const;
  /// Messages between two members arrive in the order in which they were sent.
  Pending start_send(const at::Tensor& tensor, int to) const;
  Pending start_receive(const at::Tensor& tensor, int from) const;

 private:
  friend class Communicator;
  struct State;
  Group(std::shared_ptr<Communicator> communicator, std::string name, std::vector<int> ranks);

  /// Null for the process alone.
  std::shared_ptr<State> state_;
};

}  // namespace primus::parallel
