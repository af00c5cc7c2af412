#include "launch/direct.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "core/file.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::launch {
namespace {

using primus::testing::message_of;
using primus::testing::TemporaryDirectory;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

SupervisorOptions plan(DirectOptions options, const Variables& variables = {},
                       const LauncherFile& file = {}) {
  options.command = {"primus-cli", "train"};
  return plan_direct(options, file, environment_of(variables));
}

LauncherFile file_with(const std::string& text) {
  const TemporaryDirectory directory;
  write_file_atomically(directory.path() / "launcher.yaml", text);
  return LauncherFile(directory.path() / "launcher.yaml");
}

TEST(Direct, CommandLineBeatsEnvironmentBeatsFile) {
  const LauncherFile file =
      file_with("direct:\n  gpus_per_node: 2\n  nnodes: 3\n  master_addr: a\n  master_port: 7\n");
  EXPECT_EQ(plan({}, {}, file).local_ranks, 2);
  EXPECT_EQ(plan({}, {{"GPUS_PER_NODE", "4"}}, file).local_ranks, 4);
  EXPECT_EQ(plan({.local_ranks = 8}, {{"GPUS_PER_NODE", "4"}}, file).local_ranks, 8);
  EXPECT_EQ(plan({}, {}, file).nodes, 3);
  EXPECT_EQ(plan({}, {}, file).master_port, 7);
}

TEST(Direct, DefaultsToOneRankOnAFreePort) {
  const SupervisorOptions options = plan({});
  EXPECT_EQ(options.local_ranks, 1);
  EXPECT_EQ(options.nodes, 1);
  EXPECT_EQ(options.master_address, "localhost");
  EXPECT_EQ(options.master_port, 0);
  EXPECT_EQ(plan({.nodes = 2, .master_address = "node0"}).master_port, 1234);
}

TEST(Direct, UnsetValuesComeFromTheSlurmJob) {
  const Variables slurm = {
      {"SLURM_JOB_ID", "1"}, {"SLURM_NNODES", "4"}, {"SLURM_NODEID", "2"}, {"SLURM_NODELIST", "gpu[3-6]"}};
  const SupervisorOptions options = plan({}, slurm);
  EXPECT_EQ(options.nodes, 4);
  EXPECT_EQ(options.node, 2);
  EXPECT_EQ(options.master_address, "gpu3");
  Variables outside = slurm;
  outside.erase("SLURM_JOB_ID");
  EXPECT_EQ(plan({}, outside).nodes, 1);
}

TEST(Direct, SeveralNodesNeedTheFirstOnesAddress) {
  EXPECT_THAT(message_of([] { plan({.nodes = 2}); }), HasSubstr("MASTER_ADDR is not set: 2 nodes"));
  EXPECT_EQ(plan({.nodes = 2, .master_address = "localhost"}).master_address, "localhost");
}

TEST(Direct, AnotherJobsMasterAddressIsRefusedInASlurmJob) {
  Variables slurm = {
      {"SLURM_JOB_ID", "1"}, {"SLURM_NNODES", "2"}, {"SLURM_NODEID", "0"}, {"SLURM_NODELIST", "gpu[3-4]"}};
  slurm["MASTER_ADDR"] = "203.0.113.7";
  EXPECT_THAT(message_of([&] { plan({}, slurm); }),
              HasSubstr("MASTER_ADDR=203.0.113.7 is not the address of gpu3"));
  slurm["SLURM_NNODES"] = "1";
  EXPECT_EQ(plan({}, slurm).master_address, "203.0.113.7");
}

TEST(Direct, RefusesWhatCannotBe) {
  EXPECT_THROW(plan({.nodes = 0}), UserError);
  EXPECT_THROW(plan({.nodes = 2, .node = 2}), UserError);
  EXPECT_THROW(plan({}, {{"MASTER_PORT", "many"}}), UserError);
  EXPECT_THROW(plan({.master_port = 70000}), UserError);
  EXPECT_THROW(plan({.local_ranks = 2, .single = true}), UserError);
  EXPECT_THROW(plan({.nodes = 2, .max_restarts = 1}), UserError);
  EXPECT_THROW(plan({.master_address = ""}), UserError);
  EXPECT_THROW(plan_direct({.command = {"primus-cli"}}, {}, environment_of({})), UserError);
}

TEST(Direct, ValuesBeatFilesOfVariables) {
  const TemporaryDirectory directory;
  const std::string script = (directory.path() / "env.sh").string();
  write_file_atomically(script, "export A=1\nB=\"x y\"\nC=$((1+2))\n");
  const auto variables = plan({.env = {"A=2", script, "D=p=q"}}).environment;
  EXPECT_EQ(variables.at("A"), "2");
  EXPECT_EQ(variables.at("B"), "x y");
  EXPECT_EQ(variables.at("C"), "3");
  EXPECT_EQ(variables.at("D"), "p=q");
  EXPECT_THROW(plan({.env = {"/no/such/file"}}), UserError);
  EXPECT_THROW(plan({.env = {"=x"}}), UserError);
}

TEST(Direct, PatchesMaySkipButNotFail) {
  const TemporaryDirectory directory;
  const auto script = [&](int code) {
    const std::string path = (directory.path() / std::to_string(code)).string();
    write_file_atomically(path, "exit " + std::to_string(code) + "\n");
    return path;
  };
  EXPECT_NO_THROW(run_patches({.patches = {script(0), script(2)}}, {}));
  EXPECT_THROW(run_patches({.patches = {script(1)}}, {}), Error);
}

TEST(LauncherFile, SaysWhereItIsWrong) {
  const auto error_of = [](const std::string& text) {
    return message_of([&] { plan({}, {}, file_with(text)); });
  };
  EXPECT_EQ(error_of("direct:\n  numa: true\nmain:\n  debug: true\n"), "accepted");
  EXPECT_THAT(error_of("direct:\n  nmua: true\n"), HasSubstr("launcher.yaml:2: unknown key 'nmua'"));
  EXPECT_THAT(error_of("direkt:\n  numa: true\n"), HasSubstr("launcher.yaml:1: unknown section 'direkt'"));
  EXPECT_THAT(error_of("direct:\n  numa: 3\n"), HasSubstr("launcher.yaml:2: 'numa' must be true or false"));
  EXPECT_THAT(error_of("direct:\n  numa: [\n"), HasSubstr("launcher.yaml:"));
  EXPECT_THAT(error_of("direct:\n  nnodes: [1, 2]\n"),
              HasSubstr("launcher.yaml:2: 'nnodes' takes one value"));
  EXPECT_THAT(error_of("3"), HasSubstr("expected the sections"));
}

TEST(LauncherFile, KeepsListsAndOrder) {
  const LauncherFile file = file_with(
      "container:\n  options:\n    image: x\n    device: [/dev/kfd, /dev/dri]\n  debug: false\nslurm:\n  "
      "nodes: 2\n");
  EXPECT_THAT(file.values("container", "options.device"), ::testing::ElementsAre("/dev/kfd", "/dev/dri"));
  EXPECT_THAT(file.keys("container"), ::testing::ElementsAre("options.image", "options.device", "debug"));
}

}  // namespace
}  // namespace primus::launch
