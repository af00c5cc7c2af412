#include "launch/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "tests/message_of.h"

namespace primus::launch {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

World world_of(const Variables& variables) { return world_from_environment(environment_of(variables)); }

std::string error_of(const Variables& variables) {
  return primus::testing::message_of([&] { world_of(variables); });
}

TEST(World, AnEmptyEnvironmentIsOneProcessAlone) {
  const World world = world_of({});
  EXPECT_EQ(world.rank, 0);
  EXPECT_EQ(world.size, 1);
  EXPECT_EQ(world.starter, Starter::nobody);
}

TEST(World, ReadsTorchrun) {
  const World world = world_of({{"RANK", "5"},
                                {"WORLD_SIZE", "8"},
                                {"LOCAL_RANK", "1"},
                                {"LOCAL_WORLD_SIZE", "4"},
                                {"MASTER_ADDR", "node0"},
                                {"MASTER_PORT", "29400"}});
  EXPECT_EQ(world.rank, 5);
  EXPECT_EQ(world.size, 8);
  EXPECT_EQ(world.local_rank, 1);
  EXPECT_EQ(world.local_size, 4);
  EXPECT_EQ(world.master_address, "node0");
  EXPECT_EQ(world.master_port, 29400);
  EXPECT_EQ(world.starter, Starter::torchrun);
}

TEST(World, ReadsMpirunAndGivesAllRanksOnePort) {
  Variables variables = {{"OMPI_COMM_WORLD_RANK", "2"},       {"OMPI_COMM_WORLD_SIZE", "4"},
                         {"OMPI_COMM_WORLD_LOCAL_RANK", "2"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                         {"PMIX_NAMESPACE", "4711"},          {"SLURM_PROCID", "0"},
                         {"SLURM_STEP_NUM_TASKS", "1"}};
  const World world = world_of(variables);
  EXPECT_EQ(world.starter, Starter::open_mpi);
  EXPECT_EQ(world.rank, 2);
  EXPECT_EQ(world.master_address, "127.0.0.1");
  variables["OMPI_COMM_WORLD_RANK"] = "3";
  EXPECT_EQ(world_of(variables).master_port, world.master_port);
  variables["PMIX_NAMESPACE"] = "4712";
  EXPECT_NE(world_of(variables).master_port, world.master_port);
}

TEST(World, MpirunOverSeveralMachinesNeedsAnAddress) {
  EXPECT_THAT(error_of({{"PMI_RANK", "2"}, {"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "2"}}),
              HasSubstr("MASTER_ADDR is not set"));
}

TEST(World, ReadsASlurmStepAndIgnoresABatchScript) {
  Variables variables = {{"SLURM_PROCID", "3"},
                         {"SLURM_LOCALID", "1"},
                         {"SLURM_STEP_NUM_TASKS", "4"},
                         {"SLURM_STEP_TASKS_PER_NODE", "2(x2)"},
                         {"SLURM_STEP_NODELIST", "gpu[07-08]"},
                         {"SLURM_JOB_ID", "99"}};
  const World world = world_of(variables);
  EXPECT_EQ(world.starter, Starter::slurm);
  EXPECT_EQ(world.rank, 3);
  EXPECT_EQ(world.local_size, 2);
  EXPECT_EQ(world.master_address, "gpu07");
  variables.erase("SLURM_STEP_NUM_TASKS");
  EXPECT_EQ(world_of(variables).starter, Starter::nobody);
}

TEST(World, ANumberOfRanksThatIsLeftOverIsRefusedWithWhatToDo) {
  EXPECT_THAT(error_of({{"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node1"}}),
              AllOf(HasSubstr("WORLD_SIZE is set in the environment but RANK is not"),
                    HasSubstr("(found: WORLD_SIZE=2, MASTER_ADDR=node1)"), HasSubstr("unset WORLD_SIZE"),
                    HasSubstr("primus-cli direct --nproc_per_node N")));
  EXPECT_THAT(error_of({{"RANK", "1"}}), HasSubstr("RANK is set in the environment but WORLD_SIZE is not"));
  EXPECT_THAT(error_of({{"OMPI_COMM_WORLD_SIZE", "2"}}), HasSubstr("unset OMPI_COMM_WORLD_SIZE"));
  EXPECT_THAT(error_of({{"PMI_SIZE", "2"}}), HasSubstr("unset PMI_SIZE"));
  EXPECT_THAT(error_of({{"SLURM_STEP_NUM_TASKS", "2"}}), HasSubstr("unset SLURM_STEP_NUM_TASKS"));
}

TEST(World, ALeftOverOfAnotherLauncherDoesNotHideTheWholeWorldOfThisOne) {
  const World world =
      world_of({{"WORLD_SIZE", "2"}, {"PMI_RANK", "1"}, {"PMI_SIZE", "4"}, {"MPI_LOCALNRANKS", "4"}});
  EXPECT_EQ(world.rank, 1);
  EXPECT_EQ(world.size, 4);
}

TEST(World, NamesTheVariableThatIsWrong) {
  EXPECT_EQ(error_of({{"RANK", "two"}, {"WORLD_SIZE", "2"}}), "RANK=two is not a whole number");
  EXPECT_EQ(error_of({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
            "RANK=2 is out of range: it must be between 0 and 1");
  EXPECT_EQ(error_of({{"RANK", "0"}, {"WORLD_SIZE", "0"}}),
            "WORLD_SIZE=0 is out of range: it must be at least 1");
  EXPECT_THAT(error_of({{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"MASTER_PORT", "70000"}}),
              HasSubstr("MASTER_PORT=70000 is out of range"));
  EXPECT_THAT(error_of({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_WORLD_SIZE", "4"}}),
              HasSubstr("more than all 2 ranks"));
}

}  // namespace
}  // namespace primus::launch
