#include "launch/master_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/message_of.h"

namespace primus::launch {
namespace {

using primus::testing::message_of;
using ::testing::HasSubstr;

TEST(World, FirstHostOfANodeList) {
  EXPECT_EQ(first_host("login"), "login");
  EXPECT_EQ(first_host("a,b"), "a");
  EXPECT_EQ(first_host("gpu[007-009,12],login"), "gpu007");
  EXPECT_EQ(first_host("rack[3,5]-n,x"), "rack3-n");
  EXPECT_EQ(first_host("rack[1-2]n[03-04]"), "rack1n03");
  EXPECT_EQ(first_host("rack[1-2,7]n[03-04]-ib,login[1-3]"), "rack1n03-ib");
  EXPECT_EQ(first_host("r[08]c[0-3]s[15,17]b"), "r08c0s15b");
  EXPECT_EQ(first_host("[10-12]"), "10");
  for (const char* broken :
       {"gpu[1-2", "gpu1]",  "gpu[1-]",  "gpu[a-c]", "gpu[1-2]n[", "gpu[1,,2]", "gpu[[1]]", "gpu[]",
        "",        "n[2-1]", "n[010-9]", "n[1,3-2]", "n[1-2-3]",   "a,",        ",a",       "a,,b",
        "a b",     " a",     "a,n[2-1]", "a,n[1",    "n{1-2}",     "n*"})
    EXPECT_THROW(first_host(broken), UserError) << broken;
  EXPECT_EQ(first_host("n[08-10]"), "n08");
  EXPECT_EQ(first_host("n[5-5]"), "n5");
  EXPECT_THAT(message_of([] { first_host("n[2-1]"); }),
              HasSubstr("'n[2-1]': the range '2-1' runs backwards"));
}

TEST(World, TheNodeListIsTheStepsElseTheJobs) {
  EXPECT_EQ(slurm_node_list(environment_of({})), std::nullopt);
  EXPECT_EQ(slurm_node_list(environment_of({{"SLURM_JOB_NODELIST", "a[1-4]"}})), "a[1-4]");
  EXPECT_EQ(
      slurm_node_list(environment_of({{"SLURM_JOB_NODELIST", "a[1-4]"}, {"SLURM_STEP_NODELIST", "a[3-4]"}})),
      "a[3-4]");
}

/// An address that is kept for examples: no machine has it.
constexpr const char* elsewhere = "203.0.113.7";

TEST(MasterHost, TellsThisMachineFromOthers) {
  EXPECT_TRUE(is_this_machine("127.0.0.1"));
  EXPECT_FALSE(is_this_machine(elsewhere));
  EXPECT_FALSE(is_this_machine("no such host"));
}

TEST(MasterHost, DefaultsToTheFirstNodeAlsoWhenTheShellSaysLocalhost) {
  EXPECT_EQ(slurm_master_address(std::nullopt, "gpu[3-6]", 2), "gpu3");
  EXPECT_EQ(slurm_master_address("localhost", "gpu[3-6]", 2), "gpu3");
  EXPECT_EQ(slurm_master_address("127.0.0.1", "gpu[3-6]", 0), "gpu3");
}

TEST(MasterHost, TakesTheFirstNodeUnderAnyOfItsNames) {
  EXPECT_EQ(slurm_master_address("gpu3.cluster.org", "gpu[3-6]", 0), "gpu3.cluster.org");
  EXPECT_EQ(slurm_master_address("0.0.0.0", "gpu[3-6]", 0), "0.0.0.0")
      << "an address of this, the first, node";
  EXPECT_EQ(slurm_master_address(elsewhere, "gpu[3-6]", 1), elsewhere) << "perhaps the first node's";
}

TEST(MasterHost, RefusesAnotherMachine) {
  const auto refusal = [](const char* given, int node) {
    return message_of([&] { slurm_master_address(given, "gpu[3-6]", node); });
  };
  EXPECT_THAT(refusal(elsewhere, 0), HasSubstr("MASTER_ADDR=203.0.113.7 is not the address of gpu3"));
  EXPECT_THAT(refusal("10.0.0.4", 0), HasSubstr("unset it"));
  EXPECT_THAT(refusal("0.0.0.0", 1), HasSubstr("is not the address of gpu3"))
      << "this machine is not the first";
}

}  // namespace
}  // namespace primus::launch
