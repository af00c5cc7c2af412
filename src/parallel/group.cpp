#include "parallel/group.h"

#include <ATen/Functions.h>
#include <fmt/ranges.h>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>

#include <chrono>
#include <cstring>
#include <mutex>

#include "core/error.h"
#include "core/hash.h"
#include "parallel/communicator.h"
#include "parallel/lifeline.h"
#include "parallel/side_stream.h"

namespace primus::parallel {

namespace {

/// Below this size all ranks exchange whole tensors and each reduces all of it, which takes one exchange;
/// above it each reduces a part and the parts are gathered, which moves the fewest bytes.
constexpr std::int64_t small_bytes = 64 << 10;

/// The memory of a contiguous tensor as bytes: transports only move them, whatever the type.
at::Tensor bytes_of(const at::Tensor& tensor) {
  return at::from_blob(
      tensor.data_ptr(), {static_cast<std::int64_t>(tensor.nbytes())}, [keep = tensor](void*) {},
      at::TensorOptions().dtype(at::kByte).device(tensor.device()));
}

std::int64_t size_of(const at::Tensor& tensor) { return static_cast<std::int64_t>(tensor.nbytes()); }

at::Tensor contiguous(const at::Tensor& tensor) { return tensor.detach().contiguous(); }

}  // namespace

struct Group::State : std::enable_shared_from_this<Group::State> {
  std::shared_ptr<Communicator> communicator;
  std::string name;
  std::vector<int> ranks;
  int rank = 0;
  std::mutex mutex;
  c10::intrusive_ptr<c10d::Backend> connected;
  TaskQueue queue;

  int size() const { return static_cast<int>(ranks.size()); }
  c10d::Backend& backend();
  std::string describe(Collective collective, std::int64_t bytes) const;
  template <typename Operation>
  void perform(Collective collective, std::int64_t bytes, const Operation& operation);
  template <typename Operation>
  void finish(Collective collective, std::int64_t bytes, const Operation& operation);
  template <typename Operation>
  Pending start(Collective collective, const at::Tensor& whole, Operation operation);

  void gather_bytes(at::Tensor whole, at::Tensor local);
  at::Tensor exchange_parts(const at::Tensor& whole);
  void all_reduce(const at::Tensor& tensor, Reduction reduction);
  void reduce_scatter(const at::Tensor& local, const at::Tensor& whole);
  void all_gather(const at::Tensor& whole, const at::Tensor& local);
  Pending message(Collective collective, const at::Tensor& tensor, int peer);
};

/// Connects at the first use: the first collective is one that all members make, so all arrive here.
c10d::Backend& Group::State::backend() {
  const std::lock_guard lock(mutex);
  if (!connected) {
    // The name and the ranks tell the meeting places of equally named groups apart.
    const std::string place =
        fmt::format("group/{}/{}", name, checksum(fmt::format("{}", fmt::join(ranks, ","))));
    const Communicator::Mark mark(*communicator,
                                  fmt::format("connecting group {} (ranks {})", name, fmt::join(ranks, " ")));
    communicator->lifeline_->gather(place, ranks, communicator->options_.timeout);
    connected =
        communicator->transport_->connect(c10::make_intrusive<c10d::PrefixStore>(place, communicator->store_),
                                          rank, size(), communicator->options_.timeout);
  }
  return *connected;
}

std::string Group::State::describe(Collective collective, std::int64_t bytes) const {
  return fmt::format("{} of {} bytes in group {} (ranks {})", to_string(collective), bytes, name,
                     fmt::join(ranks, " "));
}

/// Runs one operation under its mark and adds its time to the account.
template <typename Operation>
void Group::State::perform(Collective collective, std::int64_t bytes, const Operation& operation) {
  const Communicator::Mark mark(*communicator, describe(collective, bytes));
  const auto start = std::chrono::steady_clock::now();
  try {
    operation();
  } catch (const std::exception& error) {
    const std::string_view what = error.what();
    communicator->blame_others();
    throw Error(fmt::format("rank {}: {} failed after {:.1f} s, as another rank ended or hangs: {}",
                            communicator->world().rank, describe(collective, bytes),
                            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                            what.substr(0, what.find('\n'))));
  }
  communicator->traffic().took(
      collective, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

/// On this thread, after what was started before.
template <typename Operation>
void Group::State::finish(Collective collective, std::int64_t bytes, const Operation& operation) {
  communicator->traffic().asked(collective, bytes);
  queue.run([&] { perform(collective, bytes, operation); });
}

/// In the background; `whole` is the tensor that counts for the account, and tells the device.
template <typename Operation>
Pending Group::State::start(Collective collective, const at::Tensor& whole, Operation operation) {
  communicator->traffic().asked(collective, size_of(whole));
  return queue.add([self = shared_from_this(), collective, bytes = size_of(whole), operation,
                    side = std::make_shared<SideStream>(whole)] {
    side->run([&] { self->perform(collective, bytes, [&] { operation(*self); }); });
  });
}

void Group::State::gather_bytes(at::Tensor whole, at::Tensor local) {
  backend()._allgather_base(whole, local)->wait();
}

/// This rank's part of every rank's `whole`: [ranks, numel / ranks].
at::Tensor Group::State::exchange_parts(const at::Tensor& whole) {
  at::Tensor received = at::empty({size(), whole.numel() / size()}, whole.options());
  at::Tensor out = bytes_of(received), in = bytes_of(whole);
  std::vector<std::int64_t> equal_splits;
  backend().alltoall_base(out, in, equal_splits, equal_splits)->wait();
  return received;
}

void Group::State::all_reduce(const at::Tensor& tensor, Reduction reduction) {
  const std::int64_t count = tensor.numel();
  if (size_of(tensor) <= small_bytes) {
    const at::Tensor parts = at::empty({size(), count}, tensor.options());
    gather_bytes(bytes_of(parts), bytes_of(tensor));
    reduce_in_rank_order(tensor, parts, reduction);
    return;
  }
  // The part that all ranks share evenly, and the few elements that are left over.
  const at::Tensor flat = tensor.view({count});
  const std::int64_t share = count / size();
  const at::Tensor even = flat.narrow(0, 0, share * size());
  const at::Tensor parts = exchange_parts(even);
  const at::Tensor mine = parts.select(0, 0);
  reduce_in_rank_order(mine, parts, reduction);
  gather_bytes(bytes_of(even), bytes_of(mine));
  if (share * size() < count) all_reduce(flat.narrow(0, share * size(), count - share * size()), reduction);
}

void Group::State::reduce_scatter(const at::Tensor& local, const at::Tensor& whole) {
  reduce_in_rank_order(local, exchange_parts(whole), Reduction::sum);
}

void Group::State::all_gather(const at::Tensor& whole, const at::Tensor& local) {
  gather_bytes(bytes_of(whole), bytes_of(local));
}

Pending Group::State::message(Collective collective, const at::Tensor& tensor, int peer) {
  const std::int64_t bytes = size_of(tensor);
  std::vector<at::Tensor> message = {bytes_of(tensor)};
  communicator->traffic().asked(collective, bytes);
  const auto start = std::chrono::steady_clock::now();
  c10::intrusive_ptr<c10d::Work> work =
      collective == Collective::send ? backend().send(message, peer, 0) : backend().recv(message, peer, 0);
  // Messages pass each other freely, so they are not queued: whoever waits completes them.
  auto self = shared_from_this();
  return Pending(std::async(std::launch::deferred, [self, work, collective, bytes, start, message] {
                   self->perform(collective, bytes, [&] { work->wait(); });
                 }).share());
}

Group::Group(std::shared_ptr<Communicator> communicator, std::string name, std::vector<int> ranks) {
  const int world_rank = communicator->world().rank;
  const auto place = std::find(ranks.begin(), ranks.end(), world_rank);
  if (place == ranks.end()) {
    throw Error(fmt::format("rank {} is not a member of group {} (ranks {})", world_rank, name,
                            fmt::join(ranks, " ")));
  }
  state_ = std::make_shared<State>();
  state_->rank = static_cast<int>(place - ranks.begin());
  state_->communicator = std::move(communicator);
  state_->name = std::move(name);
  state_->ranks = std::move(ranks);
}

int Group::rank() const { return state_ ? state_->rank : 0; }

int Group::size() const { return state_ ? state_->size() : 1; }

const std::vector<int>& Group::ranks() const {
  static const std::vector<int> alone = {0};
  return state_ ? state_->ranks : alone;
}

const std::string& Group::name() const {
  static const std::string alone = "alone";
  return state_ ? state_->name : alone;
}

void Group::all_reduce(const at::Tensor& tensor, Reduction reduction) const {
  if (size() == 1) return;
  const at::Tensor target = tensor.detach();
  const at::Tensor work = contiguous(target);
  state_->finish(Collective::all_reduce, size_of(work), [&] { state_->all_reduce(work, reduction); });
  if (!target.is_contiguous()) target.copy_(work);
}

at::Tensor Group::all_gather(const at::Tensor& local, std::int64_t dim) const {
  if (size() == 1) return local.detach();
  const at::Tensor part = contiguous(local);
  std::vector<std::int64_t> shape = part.sizes().vec();
  shape.insert(shape.begin(), size());
  const at::Tensor whole = at::empty(shape, part.options());
  state_->finish(Collective::all_gather, size_of(whole), [&] { state_->all_gather(whole, part); });
  if (dim == 0) return whole.flatten(0, 1);
  return at::cat(whole.unbind(0), dim);
}

at::Tensor Group::reduce_scatter(const at::Tensor& whole, std::int64_t dim) const {
  if (size() == 1) return whole.detach();
  if (whole.size(dim) % size() != 0) {
    throw Error(fmt::format("reduce_scatter: {} elements of dimension {} over {} ranks", whole.size(dim), dim,
                            size()));
  }
  const at::Tensor input = dim == 0 ? contiguous(whole) : at::stack(whole.detach().chunk(size(), dim));
  std::vector<std::int64_t> shape = whole.sizes().vec();
  shape[dim] /= size();
  const at::Tensor local = at::empty(shape, input.options());
  state_->finish(Collective::reduce_scatter, size_of(input), [&] { state_->reduce_scatter(local, input); });
  return local;
}

at::Tensor Group::all_to_all(const at::Tensor& rows, at::IntArrayRef send_rows,
                             at::IntArrayRef receive_rows) const {
  if (size() == 1) return rows.detach();
  at::Tensor input = contiguous(rows);
  std::vector<std::int64_t> shape = input.sizes().vec();
  shape[0] = 0;
  for (const std::int64_t count : receive_rows) shape[0] += count;
  at::Tensor output = at::empty(shape, input.options());
  std::int64_t row_bytes = static_cast<std::int64_t>(input.element_size());
  for (std::size_t d = 1; d < shape.size(); ++d) row_bytes *= shape[d];
  std::vector<std::int64_t> sent, received;
  for (const std::int64_t count : send_rows) sent.push_back(count * row_bytes);
  for (const std::int64_t count : receive_rows) received.push_back(count * row_bytes);
  state_->finish(Collective::all_to_all, size_of(input), [&] {
    at::Tensor out = bytes_of(output), in = bytes_of(input);
    state_->backend().alltoall_base(out, in, received, sent)->wait();
  });
  return output;
}

void Group::broadcast(const at::Tensor& tensor, int root) const {
  if (size() == 1) return;
  const at::Tensor target = tensor.detach();
  const at::Tensor work = contiguous(target);
  state_->finish(Collective::broadcast, size_of(work), [&] {
    std::vector<at::Tensor> bytes = {bytes_of(work)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    state_->backend().broadcast(bytes, options)->wait();
  });
  if (!target.is_contiguous()) target.copy_(work);
}

void Group::barrier() const {
  if (size() == 1) return;
  state_->finish(Collective::barrier, 0, [&] { state_->backend().barrier()->wait(); });
}

std::vector<std::string> Group::all_gather_text(const std::string& text) const {
  const c10::Device device = state_ ? state_->communicator->device() : c10::Device(at::kCPU);
  const at::Tensor length = at::full({1}, static_cast<std::int64_t>(text.size()), at::kLong);
  const at::Tensor lengths = all_gather(length.to(device)).cpu();
  const std::int64_t longest = std::max<std::int64_t>(lengths.max().item<std::int64_t>(), 1);
  at::Tensor padded = at::zeros({1, longest}, at::kByte);
  std::memcpy(padded.data_ptr(), text.data(), text.size());
  const at::Tensor all = all_gather(padded.to(device)).cpu();
  std::vector<std::string> texts;
  for (std::int64_t r = 0; r < size(); ++r) {
    texts.emplace_back(static_cast<const char*>(all[r].const_data_ptr()),
                       static_cast<std::size_t>(lengths[r].item<std::int64_t>()));
  }
  return texts;
}

Pending Group::start_all_reduce(const at::Tensor& tensor, Reduction reduction) const {
  if (size() == 1) return {};
  return state_->start(Collective::all_reduce, tensor, [work = tensor.detach(), reduction](State& state) {
    state.all_reduce(work, reduction);
  });
}

Pending Group::start_all_gather(const at::Tensor& whole, const at::Tensor& local) const {
  if (size() == 1) {
    if (!local.is_alias_of(whole)) whole.detach().view(-1).copy_(local.detach().view(-1));
    return {};
  }
  return state_->start(
      Collective::all_gather, whole,
      [out = whole.detach(), in = local.detach()](State& state) { state.all_gather(out, in); });
}

Pending Group::start_reduce_scatter(const at::Tensor& local, const at::Tensor& whole) const {
  if (size() == 1) {
    if (!local.is_alias_of(whole)) local.detach().view(-1).copy_(whole.detach().view(-1));
    return {};
  }
  return state_->start(
      Collective::reduce_scatter, whole,
      [out = local.detach(), in = whole.detach()](State& state) { state.reduce_scatter(out, in); });
}

Pending Group::start_send(const at::Tensor& tensor, int to) const {
  return state_->message(Collective::send, contiguous(tensor), to);
}

Pending Group::start_receive(const at::Tensor& tensor, int from) const {
  return state_->message(Collective::receive, tensor.detach(), from);
}

}  // namespace primus::parallel
