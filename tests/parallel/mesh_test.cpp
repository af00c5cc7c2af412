#include "parallel/mesh.h"

#include <ATen/Functions.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/ranks.h"

namespace primus::parallel {
namespace {

using testing::ElementsAre;

TEST(Mesh, OfOneProcessHasGroupsOfOne) {
  const Mesh mesh;
  for (const GroupKind kind : all_group_kinds) EXPECT_EQ(mesh.group(kind).size(), 1);
  EXPECT_TRUE(mesh.is_first_stage() && mesh.is_last_stage());
}

TEST(Mesh, GroupsConnectInAnyOrderOfFirstUse) {
  run_ranks(4, [](auto communicator) {
    const Mesh mesh(communicator, {.world = 4, .tensor = 2, .expert = 2, .expert_tensor = 1});
    const int me = communicator->world().rank;
    EXPECT_EQ(mesh.tensor().rank(), me % 2);
    EXPECT_EQ(mesh.data().rank(), me / 2);
    const auto sum_over = [me](const Group& group) {
      const at::Tensor value = at::full({1}, 1 << me, at::kInt);
      group.all_reduce(value);
      return value.item<int>();
    };
    // Pairs use their groups at different moments.
    if (me < 2) {
      EXPECT_EQ(sum_over(mesh.tensor()), 3);
    }
    EXPECT_EQ(sum_over(mesh.data()), me % 2 == 0 ? 5 : 10);
    if (me >= 2) {
      EXPECT_EQ(sum_over(mesh.tensor()), 12);
    }
    EXPECT_EQ(sum_over(mesh.world()), 15);
    EXPECT_EQ(sum_over(mesh.expert()), me < 2 ? 3 : 12);
  });
}

TEST(Mesh, RefusesALayoutOfAnotherWorld) {
  EXPECT_THROW(Mesh(Communicator::join({}, {}), {.world = 2}), Error);
}

}  // namespace
}  // namespace primus::parallel
