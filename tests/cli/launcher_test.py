"""What the launchers would run: --dry-run of direct, slurm and container."""

import os
import unittest

from program import ProgramTest, run

CLEAN = {name: "" for name in os.environ if name.startswith(("SLURM_", "PRIMUS_LOG")) or
         name in ("NNODES", "NODE_RANK", "GPUS_PER_NODE", "MASTER_ADDR", "MASTER_PORT", "DOCKER_IMAGE")}
TRAIN = ["train", "pretrain", "--config", "exp.yaml", "lr=1"]


class Launchers(ProgramTest):
    def plan(self, *words, environment=None):
        result = run(*words, environment={**CLEAN, "HOME": str(self.folder), **(environment or {})}, cwd=self.folder)
        self.assert_success(result)
        return [line for line in result.stdout.splitlines() if not line.startswith("#")]

    def refused(self, words, *texts, environment=None):
        result = run(*words, environment={**CLEAN, "HOME": str(self.folder), **(environment or {})}, cwd=self.folder)
        self.assert_refused(result, *texts)


class Direct(Launchers):
    def test_prints_a_command_for_each_rank(self):
        lines = self.plan("direct", "--dry-run", "--nproc_per_node", "2", "--", *TRAIN)
        self.assertEqual(len(lines), 2)
        for rank, line in enumerate(lines):
            for text in (f"RANK={rank} ", f"LOCAL_RANK={rank} ", "WORLD_SIZE=2 ", " train pretrain --config exp.yaml lr=1"):
                self.assertIn(text, line)

    def test_options_may_stand_in_front_and_the_separator_may_be_left_out(self):
        wanted = self.plan("direct", "--debug", "--dry-run", "--", *TRAIN)
        self.assertIn("PRIMUS_LOG_LEVEL=DEBUG", wanted[0])
        self.assertEqual(self.plan("--debug", "--dry-run", "direct", *TRAIN), wanted)

    def test_variables_of_the_cluster_count_and_options_beat_them(self):
        cluster = {"NNODES": "2", "NODE_RANK": "1", "GPUS_PER_NODE": "2", "MASTER_ADDR": "head", "MASTER_PORT": "9000"}
        first, second = self.plan("direct", "--dry-run", "--", *TRAIN, environment=cluster)
        for text in ("RANK=2 ", "WORLD_SIZE=4 ", "MASTER_ADDR=head ", "MASTER_PORT=9000 "):
            self.assertIn(text, first)
        self.assertIn("RANK=3 ", second)
        line, = self.plan("direct", "--dry-run", "--nproc_per_node", "1", "--master_port", "9001", "--", *TRAIN,
                          environment=cluster)
        self.assertIn("MASTER_PORT=9001 ", line)

    def test_the_launchers_file_is_the_weakest(self):
        (self.folder / ".primus.yaml").write_text("direct:\n  gpus_per_node: 3\n  env:\n    - A=1\n    - B=2\n")
        lines = self.plan("direct", "--dry-run", "--env", "B=3", "--", *TRAIN)
        self.assertEqual(len(lines), 3)
        self.assertIn("A=1 B=3 ", lines[0])

    def test_a_shell_file_gives_variables(self):
        (self.folder / "vars.sh").write_text("export DEEP=$((40 + 2))\n")
        line, = self.plan("direct", "--dry-run", "--env", "vars.sh", "--", *TRAIN)
        self.assertIn("DEEP=42 ", line)

    def test_what_cannot_be_is_refused_with_the_reason(self):
        for words, texts in ((["direct", "--dry-run"], ["nothing to run"]),
                             (["direct", "--script", "main.py", "--", "train"], ["--script", "this program itself"]),
                             (["direct", "--env", "NAME", "--dry-run", "--", "train"], ["NAME", "neither KEY=VALUE nor a file"]),
                             (["direct", "--patch", "none.sh", "--", "train"], ["none.sh", "no such file"]),
                             (["direct", "--nnodes", "2", "--node_rank", "2", "--", "train"], ["NODE_RANK=2", "between 0 and 1"]),
                             (["direct", "--single", "--nproc_per_node", "2", "--", "train"], ["--single"]),
                             (["direct", "--dry-run", "--master_port", "99999", "--", "train"], ["MASTER_PORT=99999"]),
                             (["--dry-run", "train", "pretrain"], ["--dry-run", "not with train"]),
                             (["deps", "sync"], ["nothing to fetch"])):
            with self.subTest(words=words):
                self.refused(words, *texts)
        self.refused(["direct", "--dry-run", "--", "train"], "NNODES=x", environment={"NNODES": "x"})


class Slurm(Launchers):
    def test_runs_one_launcher_on_each_node(self):
        line, = self.plan("slurm", "--dry-run", "-N", "2", "--", "direct", "--nproc_per_node", "4", "--", *TRAIN)
        self.assertRegex(line, r"^srun -N 2 --ntasks-per-node=1 --kill-on-bad-exit=1 \S+ direct --nproc_per_node 4 -- train pretrain --config exp.yaml lr=1$")
        line, = self.plan("--dry-run", "slurm", "sbatch", "-p", "long", "--", *TRAIN)
        self.assertRegex(line, r"^sbatch -p long --ntasks-per-node=1 --wrap 'srun --kill-on-bad-exit=1 \S+ direct -- train pretrain .*'$")

    def test_refuses_what_would_start_ranks_twice(self):
        self.refused(["slurm", "--dry-run", "-N", "2", "-n", "8", "--", *TRAIN], "--nproc_per_node")
        self.refused(["slurm", "--dry-run", "-N", "2"], "the command is missing")


class Container(Launchers):
    def test_composes_the_runtimes_command(self):
        line, = self.plan("container", "--dry-run", "--image", "rocm", "--volume", "/a:/b", "--cap-add", "A", "--cap-add", "B",
                          "--memory", "8g", "--memory", "16g", "--", *TRAIN, environment={"NCCL_DEBUG": "INFO"})
        for text in ("run --rm ", "--cap-add A --cap-add B ", "--memory 16g ", "--volume /a:/b ", " rocm ",
                     " direct --env NCCL_DEBUG=INFO ", " -- train pretrain --config exp.yaml lr=1"):
            self.assertIn(text, line)
        self.assertNotIn("8g", line)

    def test_refuses_with_the_reason(self):
        for words, texts in ((["--image", "i", "--memory", "10x"], ["--memory 10x", "256G"]),
                             (["--image", "i", "--clean"], ["--clean", "docker rm"]),
                             ([], ["no image", "--image"])):
            with self.subTest(words=words):
                self.refused(["container", "--dry-run", *words, "--", *TRAIN], *texts)


if __name__ == "__main__":
    unittest.main()
