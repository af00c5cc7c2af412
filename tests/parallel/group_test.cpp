#include "parallel/group.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/ranks.h"

namespace primus::parallel {
namespace {

using testing::HasSubstr;

/// A tensor that every rank can compute for every other: normal numbers from the rank as seed.
at::Tensor tensor_of(int rank, at::IntArrayRef shape, at::ScalarType dtype = at::kFloat) {
  at::manual_seed(100 + rank);
  return at::randn(shape, at::kFloat).mul(8).to(dtype);
}

/// The reference: added in rank order in fp32 for 16-bit types, else in the type itself.
at::Tensor sum_of(int ranks, at::IntArrayRef shape, at::ScalarType dtype) {
  const bool narrow = dtype == at::kBFloat16 || dtype == at::kHalf;
  at::Tensor sum = tensor_of(0, shape, dtype).to(narrow ? at::kFloat : dtype);
  for (int r = 1; r < ranks; ++r) sum += tensor_of(r, shape, dtype);
  return sum.to(dtype);
}

constexpr std::array<std::int64_t, 2> small = {3, 5}, large = {333, 257};

class GroupOfSize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, GroupOfSize, testing::Values(1, 2, 3, 4));

TEST_P(GroupOfSize, AllReduceAddsInRankOrderToTheLastBit) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    for (const at::ScalarType dtype :
         {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt}) {
      for (const at::IntArrayRef shape : {at::IntArrayRef(small), at::IntArrayRef(large)}) {
        const at::Tensor tensor = tensor_of(group.rank(), shape, dtype);
        group.all_reduce(tensor);
        EXPECT_TRUE(at::equal(tensor, sum_of(n, shape, dtype))) << at::toString(dtype) << " " << shape;
      }
    }
  });
}

TEST_P(GroupOfSize, AverageAndMaximumOfAnyLayoutInMemory) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    const at::Tensor average = tensor_of(group.rank(), large).t();
    group.all_reduce(average, Reduction::average);
    EXPECT_TRUE(at::allclose(average.t(), sum_of(n, large, at::kFloat).div(n)));
    const at::Tensor maximum = tensor_of(group.rank(), small);
    group.all_reduce(maximum, Reduction::maximum);
    at::Tensor expected = tensor_of(0, small);
    for (int r = 1; r < n; ++r) expected = at::maximum(expected, tensor_of(r, small));
    EXPECT_TRUE(at::equal(maximum, expected));
  });
}

TEST_P(GroupOfSize, GatherAndReduceScatterAlongAnyDimension) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    const std::vector<std::int64_t> shape = {12, 24, 3};
    for (const std::int64_t dim : {0, 1}) {
      std::vector<at::Tensor> all;
      for (int r = 0; r < n; ++r) all.push_back(tensor_of(r, shape, at::kBFloat16));
      EXPECT_TRUE(at::equal(group.all_gather(all[group.rank()], dim), at::cat(all, dim)));
      const at::Tensor sum = sum_of(n, shape, at::kFloat);
      EXPECT_TRUE(at::equal(group.reduce_scatter(tensor_of(group.rank(), shape), dim),
                            sum.chunk(n, dim)[group.rank()]));
    }
  });
}

TEST_P(GroupOfSize, AllToAllDeliversUnevenRows) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    const int me = group.rank();
    // Rank s sends s + r rows to rank r, each filled with 10 s + r.
    std::vector<std::int64_t> send, receive;
    std::vector<at::Tensor> rows, expected;
    for (int r = 0; r < n; ++r) {
      send.push_back(me + r);
      receive.push_back(r + me);
      rows.push_back(at::full({me + r, 2}, 10. * me + r, at::kBFloat16));
      expected.push_back(at::full({r + me, 2}, 10. * r + me, at::kBFloat16));
    }
    if (n == 1) return;
    EXPECT_TRUE(at::equal(group.all_to_all(at::cat(rows), send, receive), at::cat(expected)));
  });
}

TEST_P(GroupOfSize, BroadcastTextAndBarrier) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    const at::Tensor tensor = tensor_of(group.rank(), large);
    group.broadcast(tensor, n - 1);
    EXPECT_TRUE(at::equal(tensor, tensor_of(n - 1, large)));
    group.barrier();
    const auto texts = group.all_gather_text(std::string(group.rank(), 'x'));
    ASSERT_EQ(static_cast<int>(texts.size()), n);
    for (int r = 0; r < n; ++r) EXPECT_EQ(texts[r], std::string(r, 'x'));
  });
}

TEST_P(GroupOfSize, BackgroundOperationsGiveTheSameBits) {
  const int n = GetParam();
  run_ranks(n, [n](auto communicator) {
    const Group group = communicator->group("all", all_ranks(n));
    const std::int64_t part = 30000;
    std::vector<at::Tensor> buffers;
    std::vector<Pending> pending;
    for (int i = 0; i < 4; ++i) {
      buffers.push_back(tensor_of(group.rank(), {n * part}));
      const at::Tensor mine = buffers.back().narrow(0, group.rank() * part, part);
      if (i % 2 == 0) {
        pending.push_back(group.start_all_reduce(buffers.back()));
      } else {
        pending.push_back(group.start_reduce_scatter(mine, buffers.back()));
        pending.push_back(group.start_all_gather(buffers.back(), mine));
      }
    }
    const at::Tensor direct = tensor_of(group.rank(), {n * part});
    group.all_reduce(direct);
    for (const Pending& operation : pending) operation.wait();
    for (const at::Tensor& buffer : buffers) EXPECT_TRUE(at::equal(buffer, direct));
  });
}

TEST(Group, NeighboursExchangeMessagesWithoutDeadlock) {
  run_ranks(3, [](auto communicator) {
    const Group group = communicator->group("ring", all_ranks(3));
    const int next = (group.rank() + 1) % 3, previous = (group.rank() + 2) % 3;
    const at::Tensor first = at::empty(large), second = at::empty(small);
    const Pending a = group.start_send(tensor_of(group.rank(), large), next);
    const Pending b = group.start_send(tensor_of(group.rank() + 10, small), next);
    group.start_receive(first, previous).wait();
    group.start_receive(second, previous).wait();
    a.wait();
    b.wait();
    EXPECT_TRUE(at::equal(first, tensor_of(previous, large)));
    EXPECT_TRUE(at::equal(second, tensor_of(previous + 10, small)));
  });
}

TEST(Group, OverlappingGroupsOfOneWorldDoNotMix) {
  run_ranks(4, [](auto communicator) {
    const int me = communicator->world().rank;
    const Group row = communicator->group("row", me < 2 ? std::vector{0, 1} : std::vector{2, 3});
    const Group column = communicator->group("column", {me % 2, me % 2 + 2});
    const at::Tensor tensor = at::full({1}, 1 << me, at::kInt);
    row.all_reduce(tensor);
    EXPECT_EQ(tensor.item<int>(), me < 2 ? 3 : 12);
    column.all_reduce(tensor);
    EXPECT_EQ(tensor.item<int>(), 15);
  });
}

TEST(Group, TrafficCountsCallsAndBytesOfEveryKind) {
  run_ranks(2, [](auto communicator) {
    const Group group = communicator->group("all", all_ranks(2));
    group.all_reduce(at::zeros({10}));
    group.all_reduce(at::zeros({10}, at::kBFloat16));
    group.all_gather(at::zeros({10}));
    group.reduce_scatter(at::zeros({10}));
    const auto totals = communicator->traffic().take();
    const auto of = [&](Collective kind) { return totals[static_cast<std::size_t>(kind)]; };
    EXPECT_EQ(of(Collective::all_reduce).calls, 2);
    EXPECT_EQ(of(Collective::all_reduce).bytes, 60);
    EXPECT_EQ(of(Collective::all_gather).bytes, 80);
    EXPECT_EQ(of(Collective::reduce_scatter).bytes, 40);
    EXPECT_GT(of(Collective::all_reduce).seconds, 0);
    EXPECT_EQ(communicator->traffic().take()[0].calls, 0);
  });
}

TEST(Group, ADeadPeerEndsTheCollectiveWithItsName) {
  const auto results = run_ranks_to_end({.ranks = 3}, [](auto communicator) {
    const Group group = communicator->group("dp", all_ranks(3));
    group.barrier();
    if (group.rank() == 1) std::_Exit(0);
    group.all_reduce(at::zeros({4}));
  });
  for (const int rank : {0, 2}) {
    EXPECT_THAT(results[rank].error, HasSubstr("all_reduce of 16 bytes in group dp (ranks 0 1 2) failed"));
  }
}

TEST(Group, ASilentPeerEndsTheCollectiveAfterTheTimeOut) {
  RankOptions options;
  options.join.timeout = std::chrono::milliseconds(500);
  const auto results = run_ranks_to_end(options, [](auto communicator) {
    const Group group = communicator->group("dp", all_ranks(2));
    group.barrier();
    if (group.rank() == 0) std::this_thread::sleep_for(std::chrono::seconds(2));
    if (group.rank() == 1) group.start_all_reduce(at::zeros({4})).wait();
  });
  EXPECT_TRUE(results[0].passed);
  EXPECT_THAT(results[1].error, HasSubstr("all_reduce of 16 bytes in group dp (ranks 0 1) failed after 0."));
}

TEST(Group, ARankThatIsNoMemberIsRefused) {
  const auto communicator = Communicator::join({}, {});
  EXPECT_THROW(communicator->group("x", {1, 2}), Error);
  EXPECT_EQ(communicator->group("x", {0}).size(), 1);
}

}  // namespace
}  // namespace primus::parallel
