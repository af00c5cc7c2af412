#include "launch/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/error.h"
#include "core/file.h"
#include "launch/process.h"
#include "tests/message_of.h"
#include "tests/temporary_directory.h"

namespace primus::launch {
namespace {

using primus::testing::message_of;
using primus::testing::TemporaryDirectory;
using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

std::string slurm(const std::vector<std::string>& words, const Variables& variables = {}) {
  return shell_line(compose_slurm(words, environment_of(variables), "/p/primus-cli").words);
}

std::string container(const std::vector<std::string>& words, Variables variables = {}) {
  std::vector<std::string> names;
  for (const auto& [name, value] : variables) names.push_back(name);
  std::vector<std::string> all = words;
  all.insert(all.begin(), "--dry-run");
  return shell_line(compose_container(all, environment_of(variables), names, "/p").words);
}

TEST(Slurm, StartsOneLauncherOnEveryNode) {
  EXPECT_EQ(slurm({"srun", "-N", "2", "-p", "mi300", "--", "direct", "--nproc_per_node", "8", "--", "train",
                   "x y"}),
            "srun -N 2 -p mi300 --ntasks-per-node=1 --kill-on-bad-exit=1 /p/primus-cli direct "
            "--nproc_per_node 8 -- train 'x y'");
}

TEST(Slurm, DefaultsToSrunAndToAContainerWhenAnImageIsKnown) {
  EXPECT_EQ(slurm({"--", "train"}),
            "srun --ntasks-per-node=1 --kill-on-bad-exit=1 /p/primus-cli direct -- train");
  EXPECT_EQ(slurm({"--", "train"}, {{"DOCKER_IMAGE", "i"}}),
            "srun --ntasks-per-node=1 --kill-on-bad-exit=1 /p/primus-cli container -- train");
}

TEST(Slurm, WrapsABatchScript) {
  EXPECT_EQ(
      slurm({"sbatch", "-N2", "--", "direct", "--", "train", "it's"}),
      R"(sbatch -N2 --ntasks-per-node=1 --wrap 'srun --kill-on-bad-exit=1 /p/primus-cli direct -- train '\''it'\''\'\'''\''s'\''')");
}

TEST(Slurm, LeavesItToTheUserWhetherOneFailureEndsAll) {
  EXPECT_EQ(slurm({"-K0", "--", "train"}), "srun -K0 --ntasks-per-node=1 /p/primus-cli direct -- train");
}

TEST(Slurm, OptionsOfTheFileGiveWayToTheCommandLine) {
  const TemporaryDirectory directory;
  const std::string file = (directory / "launcher.yaml").string();
  write_file_atomically(file, "slurm:\n  nodes: 4\n  time: \"4:00:00\"\n  gpus_per_node: 8\n");
  EXPECT_EQ(slurm({"--config", file, "-N", "2", "--", "direct", "--", "train"}),
            "srun -N 2 --time=4:00:00 --gpus-per-node=8 --ntasks-per-node=1 --kill-on-bad-exit=1 "
            "/p/primus-cli direct --config " +
                file + " -- train");
}

TEST(Slurm, RefusesWhatCannotWork) {
  EXPECT_THAT(message_of([] { slurm({"srun", "train"}); }), HasSubstr("the command is missing"));
  EXPECT_THAT(message_of([] { slurm({"--", "direct", "--"}); }), HasSubstr("nothing to run"));
  EXPECT_THAT(message_of([] { slurm({"--ntasks-per-node=8", "--", "train"}); }),
              HasSubstr("--nproc_per_node"));
  EXPECT_THAT(message_of([] { slurm({"-n", "4", "-N", "2", "--", "train"}); }),
              HasSubstr("4 tasks on 2 nodes"));
  EXPECT_EQ(message_of([] { slurm({"-n", "2", "-N", "2", "--", "train"}); }), "accepted");
}

TEST(Container, MountsTheProjectAndPassesVariablesOn) {
  EXPECT_EQ(
      container({"--image", "rocm/primus", "--env", "HF_TOKEN", "--env", "A=1", "--device", "/dev/kfd",
                 "--device", "/dev/dri", "--privileged", "--ipc=host", "--", "train", "pretrain"},
                {{"HF_TOKEN", "t"}, {"NCCL_DEBUG", "INFO"}, {"OTHER", "x"}}),
      "docker run --rm --volume /p:/p --workdir /p --device /dev/kfd --device /dev/dri --ipc host "
      "--privileged "
      "rocm/primus /p/primus-cli direct --env A=1 --env HF_TOKEN=t --env NCCL_DEBUG=INFO -- train pretrain");
}

TEST(Container, TakesTheImageAndListsFromTheFile) {
  const TemporaryDirectory directory;
  const std::string file = (directory / "launcher.yaml").string();
  write_file_atomically(
      file,
      "container:\n  options:\n    image: from-file\n    name: n\n    privileged: \"true\"\n"
      "    cap-add: [SYS_PTRACE]\n    volume: []\n");
  EXPECT_EQ(
      container({"--config", file, "--cap-add", "CAP_SYS_ADMIN", "--name", "mine", "--", "train"}),
      "docker run --rm --volume /p:/p --workdir /p --cap-add SYS_PTRACE --cap-add CAP_SYS_ADMIN --name mine "
      "--privileged from-file /p/primus-cli direct -- train");
}

TEST(Container, RefusesMalformedOptions) {
  const auto with = [](std::vector<std::string> words) {
    return message_of([&] {
      words.insert(words.end(), {"--image", "i", "--", "train"});
      container(words);
    });
  };
  EXPECT_EQ(with({"--memory", "256G", "--cpus", "1.5", "--volume", "/a:/b:ro"}), "accepted");
  EXPECT_THAT(with({"--memory", "much"}), HasSubstr("--memory much: expected a size"));
  EXPECT_THAT(with({"--cpus", "x"}), HasSubstr("--cpus x: expected a number"));
  EXPECT_THAT(with({"--device", "kfd"}), HasSubstr("--device kfd"));
  EXPECT_THAT(with({"--volume", "/a"}), HasSubstr("--volume /a"));
  EXPECT_THAT(with({"--clean"}), HasSubstr("--clean would remove"));
  EXPECT_THAT(with({"stray"}), HasSubstr("'stray' is not an option"));
  EXPECT_THAT(message_of([] { container({"--", "train"}); }), HasSubstr("no image"));
  EXPECT_THAT(message_of([] { container({"--image", "i"}); }), HasSubstr("the command is missing"));
}

}  // namespace
}  // namespace primus::launch
