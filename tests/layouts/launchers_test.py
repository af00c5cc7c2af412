"""The same training, started by everything that starts ranks: equal to one process to rounding.

A starter that this machine does not have is skipped, and says so.
"""

import os
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from program import CLI, ENVIRONMENT, Experiment, ProgramTest, find_torchrun, run

# The cyclic loader of the preset shuffles each data-parallel rank's share by itself, so its order depends on the layout.
ORDER = {"dataloader_type": "single"}
LAYOUT = {**ORDER, "tensor_model_parallel_size": 2, "sequence_parallel": True, "use_distributed_optimizer": True,
          "overlap_grad_reduce": True}


class LaunchTest(ProgramTest):
    """A test that compares four ranks, however they were started, with one process."""

    def reference(self):
        experiment = Experiment(self.folder / "alone", **ORDER)
        self.assert_success(experiment.train())
        return experiment.trajectory()

    def launched(self, command, environment=None, **overrides):
        """Runs `command` + the training of an experiment of four ranks; returns its trajectory."""
        experiment = Experiment(self.folder / "ranks", **{**LAYOUT, **overrides})
        words = [*command, CLI, "train", "pretrain", "--config", str(experiment.config)]
        result = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=self.folder,
                                env={**ENVIRONMENT, **(environment or {})})
        self.assert_success(result)
        return experiment.trajectory()

    def assert_equal_training(self, trained, expected):
        self.assertEqual(len(trained), len(expected))
        for ours, theirs in zip(trained, expected):
            self.assertEqual(ours[0], theirs[0])
            self.assertAlmostEqual(ours[1], theirs[1], delta=2e-6 * theirs[1], msg=f"loss of iteration {ours[0]}")
            self.assertAlmostEqual(ours[2], theirs[2], delta=2e-6 * theirs[2], msg=f"norm of iteration {ours[0]}")


class Launchers(LaunchTest):
    def test_direct(self):
        experiment = Experiment(self.folder / "direct", **LAYOUT)
        result = run("direct", "--nproc_per_node", 4, "--", "train", "pretrain", "--config", experiment.config,
                     cwd=self.folder)
        self.assert_success(result)
        self.assert_equal_training(experiment.trajectory(), self.reference())
        # What the ranks say is kept, each line with its rank: the first and the last one speak.
        log = next((self.folder / "logs").glob("log_*.txt")).read_text()
        self.assertRegex(log, r"(?m)^\[0\] ")
        self.assertRegex(log, r"(?m)^\[3\] ")

    def test_torchrun(self):
        program = find_torchrun()
        if program is None:
            self.skipTest("no torchrun that starts is installed")
        trained = self.launched([program, "--no-python", "--nproc_per_node", "4", "--master_port", "0",
                                 "--rdzv_backend", "c10d", "--rdzv_endpoint", "127.0.0.1:0"])
        self.assert_equal_training(trained, self.reference())

    def test_mpirun(self):
        program = shutil.which("mpirun")
        if program is None:
            self.skipTest("mpirun is not installed")
        trained = self.launched([program, "--allow-run-as-root", "--oversubscribe", "-np", "4"])
        self.assert_equal_training(trained, self.reference())


class TwoHosts(LaunchTest):
    """Two hosts made of network namespaces, joined by a cable: each can reach the other over it alone."""

    NAMES = ("primus-test-a", "primus-test-b")

    def ip(self, *words, check=True):
        return subprocess.run(["ip", *words], capture_output=True, text=True, check=check)

    def make_hosts(self):
        if shutil.which("ip") is None:
            self.skipTest("ip (iproute2) is not installed")
        for name in self.NAMES:
            made = self.ip("netns", "add", name, check=False)
            self.addCleanup(self.ip, "netns", "del", name, check=False)
            if made.returncode != 0:
                self.skipTest(f"no network namespaces here: {made.stderr.strip()}")
        made = self.ip("link", "add", "primus-a", "netns", self.NAMES[0], "type", "veth", "peer", "name", "primus-b",
                       "netns", self.NAMES[1], check=False)
        if made.returncode != 0:
            self.skipTest(f"no veth pairs here: {made.stderr.strip()}")
        for name, device, address in zip(self.NAMES, ("primus-a", "primus-b"), ("10.77.0.1/24", "10.77.0.2/24")):
            self.ip("-n", name, "addr", "add", address, "dev", device)
            self.ip("-n", name, "link", "set", device, "up")
            self.ip("-n", name, "link", "set", "lo", "up")

    def test_two_by_two_ranks(self):
        self.make_hosts()
        experiment = Experiment(self.folder / "ranks", **LAYOUT)
        processes = []
        for rank in range(4):
            host = rank // 2
            environment = {**ENVIRONMENT, "RANK": str(rank), "WORLD_SIZE": "4", "LOCAL_RANK": str(rank % 2),
                           "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "10.77.0.1", "MASTER_PORT": "29555"}
            words = ["ip", "netns", "exec", self.NAMES[host], CLI, "train", "pretrain", "--config",
                     str(experiment.config)]
            processes.append(subprocess.Popen(words, env=environment, stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, text=True, cwd=self.folder))
        for process in processes:
            _, errors = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, errors[-3000:])
        self.assert_equal_training(experiment.trajectory(), self.reference())


class Slurm(LaunchTest):
    """A real Slurm of one node, started here."""

    CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost
AuthType={auth}
CredType=cred/none
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
NodeName=localhost CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""

    def start_daemon(self, *words):
        log = self.folder / f"{words[0]}.txt"
        with log.open("w") as output:
            process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env=self.environment)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        time.sleep(1)
        if process.poll() is not None:
            self.skipTest(f"{words[0]} does not start here: {log.read_text()[-500:]}")

    def start_slurm(self):
        for program in ("slurmctld", "slurmd", "srun", "munged"):
            if shutil.which(program) is None:
                self.skipTest(f"{program} is not installed")
        folder = self.folder / "slurm"
        for name in ("state", "spool"):
            (folder / name).mkdir(parents=True)
        configuration = folder / "slurm.conf"
        configuration.write_text(self.CONFIGURATION.format(folder=folder, auth="auth/munge", cpus=os.cpu_count()))
        self.environment = {**ENVIRONMENT, "SLURM_CONF": str(configuration)}
        if subprocess.run(["munge", "-n"], capture_output=True).returncode != 0:
            Path("/run/munge").mkdir(exist_ok=True)
            self.start_daemon("munged", "--foreground", "--force")
        self.start_daemon("slurmctld", "-D", "-f", str(configuration))
        self.start_daemon("slurmd", "-D", "-f", str(configuration), "-N", "localhost")
        for _ in range(40):
            state = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, env=self.environment)
            if state.stdout.strip() in ("idle", "mix"):
                return
            time.sleep(0.5)
        self.skipTest(f"the Slurm node does not become idle: {state.stdout} {state.stderr}")

    def test_srun_starts_the_ranks(self):
        self.start_slurm()
        trained = self.launched(["srun", "--overcommit", "-n", "4"], environment=self.environment)
        self.assert_equal_training(trained, self.reference())

    def test_the_slurm_mode_starts_a_launcher_on_the_node(self):
        self.start_slurm()
        experiment = Experiment(self.folder / "mode", **LAYOUT)
        result = run("slurm", "srun", "-N", "1", "--", "direct", "--nproc_per_node", "4", "--", "train", "pretrain",
                     "--config", experiment.config, environment=self.environment, cwd=self.folder)
        self.assert_success(result)
        self.assert_equal_training(experiment.trajectory(), self.reference())


if __name__ == "__main__":
    unittest.main()
