"""What can happen to four ranks of a real run: each end comes in time, says why, loses nothing and leaves no process."""

import os
import random
import resource
import shutil
import signal
import socket
import time
import unittest

from program import CLI, Experiment, Launched, ProgramTest, find_torchrun, free_port, processes_with, run

RANKS = 4
# Long enough that no test sees the end of it; a run is cut at an iteration with exit_interval.
ITERATIONS = 2000
LAYOUT = {"dataloader_type": "single", "tensor_model_parallel_size": 2, "sequence_parallel": True,
          "use_distributed_optimizer": True, "overlap_grad_reduce": True, "overlap_param_gather": True,
          "train_iters": ITERATIONS, "lr_decay_iters": ITERATIONS, "save": "checkpoints", "save_interval": 5}
LIMIT = 5  # seconds from a fault to the end


class RanksTest(ProgramTest):
    def experiment(self, name="run", **overrides):
        return Experiment(self.folder / name, **{**LAYOUT, **overrides})

    def wait_for_iteration(self, launched, experiment, iteration):
        launched.wait_for(lambda: len(experiment.metrics()) >= iteration, f"iteration {iteration}")

    def assert_says(self, launched, *texts):
        output = launched.output()
        for text in texts:
            self.assertIn(text, output)
        for sign in ("terminate called", "Exception raised from", "frame #0", "Segmentation"):
            self.assertNotIn(sign, output)

    def assert_last_checkpoint_is_whole(self, experiment):
        self.assert_success(run("checkpoint", "verify", experiment.checkpoints))


class Killed(RanksTest):
    def test_the_message_names_the_rank_the_signal_and_its_last_lines(self):
        for victim in range(RANKS):
            with self.subTest(victim=victim):
                experiment = self.experiment(f"run{victim}")
                launched = experiment.launch(RANKS)
                self.wait_for_iteration(launched, experiment, 6)
                pid = launched.ranks()[victim]
                start = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                self.assertEqual(launched.end(), 128 + signal.SIGKILL)
                self.assertLess(time.monotonic() - start, LIMIT)
                self.assert_says(launched, f"primus: rank {victim} (pid {pid}) was killed by signal 9 (Killed) after ",
                                 *(f"    rank {other}: " for other in range(RANKS) if other != victim))
                if victim in (0, RANKS - 1):  # These two write the log.
                    self.assert_says(launched, f"last lines of rank {victim}:\n")
                self.assert_last_checkpoint_is_whole(experiment)

    def test_thirty_kills_at_random_moments_lose_nothing(self):
        """One run that is started again after each kill, and at the end reads like one that was never killed."""
        kills = 30
        choose = random.Random(5)
        # Without auto_continue_train: a restarted run continues from its own checkpoint all the same.
        experiment = self.experiment("killed", save_interval=2)
        launched = experiment.launch(RANKS, options=["--max_restarts", kills])
        dead, slowest = set(), 0.0

        def fresh_ranks():
            return {rank: pid for rank, pid in launched.ranks().items() if pid not in dead}

        def moment(kind):
            if kind == 0:  # While it starts, too.
                time.sleep(choose.uniform(0, 1.5))
            else:
                known = len(experiment.metrics())
                launched.wait_for(lambda: len(experiment.metrics()) != known, "the next iteration")
            if kind == 2:
                launched.wait_for(lambda: any(experiment.checkpoints.glob(".tmp_*")), "a save")
            elif kind == 1:
                time.sleep(choose.uniform(0, 0.5))

        for kill in range(kills):
            launched.wait_for(lambda: len(fresh_ranks()) == RANKS, "four ranks")
            pids = fresh_ranks()
            moment(kill % 3)
            victim = choose.randrange(RANKS)
            start = time.monotonic()
            os.kill(pids[victim], signal.SIGKILL)
            launched.wait_for(lambda: f"primus: restart {kill + 1} of {kills}" in launched.output(), "the restart")
            seconds = time.monotonic() - start
            slowest = max(slowest, seconds)
            self.assertLess(seconds, LIMIT, launched.output()[-3000:])
            self.assert_says(launched, f"rank {victim} (pid {pids[victim]}) was killed by signal 9 (Killed)")
            dead |= set(pids.values())
            left = dead & set(processes_with("PRIMUS_TEST_MARK", launched.mark))
            self.assertFalse(left, "ranks of the last start are left over")
        known = len(experiment.metrics())
        launched.wait_for(lambda: len(experiment.metrics()) > known + 2, "progress after the last kill")
        launched.process.send_signal(signal.SIGTERM)
        self.assertEqual(launched.end(), 0, launched.output()[-3000:])
        print(f"{kills} kills, slowest end after {slowest:.1f} s, {len(experiment.metrics())} iterations")

        unbroken = self.experiment("unbroken", exit_interval=len(experiment.metrics()), save=None)
        self.assert_success(unbroken.train_ranks(RANKS))
        self.assertEqual(experiment.trajectory(), unbroken.trajectory())
        self.assert_last_checkpoint_is_whole(experiment)
        self.assertEqual(list(experiment.checkpoints.glob(".tmp_*")), [])

    def test_ranks_die_with_their_supervisor(self):
        experiment = self.experiment()
        launched = experiment.launch(RANKS)
        self.wait_for_iteration(launched, experiment, 1)
        launched.process.kill()
        launched.process.wait()
        deadline = time.monotonic() + LIMIT
        while launched.ranks() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(launched.ranks(), {})


class Stuck(RanksTest):
    def test_a_stopped_rank_ends_the_run_with_what_every_rank_was_doing(self):
        experiment = self.experiment()
        hang_timeout = 8  # a loaded machine may take some seconds until the ranks have met
        launched = experiment.launch(RANKS, options=["--hang_timeout", hang_timeout])
        self.wait_for_iteration(launched, experiment, 6)
        stopped = launched.ranks()[2]
        os.kill(stopped, signal.SIGSTOP)
        start = time.monotonic()
        self.assertNotEqual(launched.end(), 0)
        self.assertLess(time.monotonic() - start, hang_timeout + LIMIT)
        self.assert_says(launched, f"primus: the run hangs: no rank has made progress for {hang_timeout} s", "rank 2: is stopped (SIGSTOP)")
        # Its partner waits for it inside of a collective of their group.
        self.assertRegex(launched.output(), r"rank 3: \w+ of \d+ bytes in group \S+ \(ranks [\d ]+\); iteration \d+ \(for ")
        self.assert_last_checkpoint_is_whole(experiment)


class Failing(RanksTest):
    def test_a_rank_that_cannot_go_on_is_named_and_older_checkpoints_stay(self):
        experiment = self.experiment()
        launched = experiment.launch(RANKS)
        launched.wait_for(lambda: (experiment.checkpoints / "latest_checkpointed_iteration.txt").exists(), "a save")
        victim = launched.ranks()[2]
        resource.prlimit(victim, resource.RLIMIT_NOFILE, (0, 0))
        start = time.monotonic()
        launched.wait_for(lambda: "primus: rank" in launched.output(), "the failure")
        self.assertNotEqual(launched.end(), 0)
        self.assertLess(time.monotonic() - start, 20)
        self.assert_says(launched, f"primus: rank 2 (pid {victim}) exited with code ", "Too many open files",
                         "Older checkpoints are untouched")
        self.assert_last_checkpoint_is_whole(experiment)

    def test_nan_in_a_loss_names_iteration_rank_and_samples(self):
        result = self.experiment(init_method_std=1e38).train_ranks(RANKS)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"the loss of iteration 1 is nan on rank \d \(samples [\d, ]+ of the training data\)")

    def test_nan_in_a_gradient_names_iteration_rank_and_parameter(self):
        result = self.experiment(lr=1e30).train_ranks(RANKS)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"iteration 3: rank \d computed NaN or Inf in the gradient of decoder\.layers")

    def test_bad_input_is_said_once(self):
        result = self.experiment().train_ranks(RANKS, "tran_iters=3")
        self.assert_refused(result, "unknown key 'tran_iters'; did you mean 'train_iters'")
        lines = [line for line in result.stderr.splitlines() if line.startswith("primus: error")]
        self.assertEqual(len(lines), 1, result.stderr)


class Signalled(RanksTest):
    def test_interrupt_and_terminate_save_and_end_all(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                experiment = self.experiment(number.name, save_interval=ITERATIONS)
                launched = experiment.launch(RANKS)
                self.wait_for_iteration(launched, experiment, 3)
                launched.process.send_signal(number)
                self.assertEqual(launched.end(), 0, launched.output())
                self.assert_says(launched, "primus: stopping: asking the ranks to save and end")
                saved = int((experiment.checkpoints / "latest_checkpointed_iteration.txt").read_text())
                self.assertEqual(saved, experiment.metrics()[-1]["iteration"])
                self.assert_last_checkpoint_is_whole(experiment)

    def test_a_signal_to_one_rank_ends_all_together(self):
        experiment = self.experiment(save_interval=ITERATIONS)
        launched = experiment.launch(RANKS)
        self.wait_for_iteration(launched, experiment, 2)
        os.kill(launched.ranks()[3], signal.SIGTERM)
        self.assertEqual(launched.end(), 0, launched.output())
        self.assert_says(launched, "exiting program after receiving SIGTERM.")
        self.assert_last_checkpoint_is_whole(experiment)

    def test_a_signal_while_the_ranks_start_ends_them_at_once(self):
        launched = self.experiment().launch(RANKS)
        launched.wait_for(lambda: len(launched.ranks()) == RANKS, "four ranks")
        start = time.monotonic()
        launched.process.send_signal(signal.SIGTERM)
        launched.end()
        self.assertLess(time.monotonic() - start, LIMIT)


class UnderOtherStarters(RanksTest):
    """mpirun and torchrun: a killed rank ends the job in time, and leaves no process."""

    def kill_one(self, words):
        experiment = self.experiment()
        launched = Launched(self.folder, *words, CLI, "train", "pretrain", "--config", experiment.config)
        self.wait_for_iteration(launched, experiment, 6)

        def ranks():
            return {rank: pid for rank, pid in launched.ranks().items() if self.runs_the_program(pid)}

        victim = ranks()[2]
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        while ranks() and time.monotonic() < start + 60:
            time.sleep(0.01)
        self.assertLess(time.monotonic() - start, LIMIT, launched.output()[-3000:])
        self.assertNotEqual(launched.end(), 0)
        self.assert_last_checkpoint_is_whole(experiment)

    def runs_the_program(self, pid):
        try:
            return os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(CLI)
        except OSError:
            return False

    def test_mpirun(self):
        program = shutil.which("mpirun")
        if program is None:
            self.skipTest("mpirun is not installed")
        self.kill_one([program, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", RANKS])

    def test_torchrun(self):
        program = find_torchrun()
        if program is None:
            self.skipTest("no torchrun that starts is installed")
        self.kill_one([program, "--no-python", "--nproc_per_node", RANKS, "--master_port", "0", "--rdzv_backend", "c10d",
                       "--rdzv_endpoint", "127.0.0.1:0"])


class WithoutSupervisor(RanksTest):
    """Ranks that somebody else starts: torchrun's variables, one process each, nobody to look after them."""

    def start(self, experiment, port, rank, *overrides, size=RANKS, **variables):
        environment = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size,
                       "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **variables}
        return Launched(self.folder, CLI, "train", "pretrain", "--config", experiment.config, *overrides,
                        environment={name: str(value) for name, value in environment.items()})

    def start_all(self, experiment):
        port = free_port()
        return [self.start(experiment, port, rank) for rank in range(RANKS)]

    def end_all(self, ranks, code=None):
        """Each within the limit; returns how long it took."""
        start = time.monotonic()
        for launched in ranks:
            ended = launched.end(30)
            if code is not None:
                self.assertEqual(ended, code, launched.output())
            else:
                self.assertNotEqual(ended, 0, launched.output())
        return time.monotonic() - start

    def test_a_dead_rank_brings_the_others_down(self):
        for victim in (0, 2):
            with self.subTest(victim=victim):
                experiment = self.experiment(f"run{victim}")
                ranks = self.start_all(experiment)
                self.wait_for_iteration(ranks[0], experiment, 3)
                ranks[victim].process.kill()
                others = ranks[:victim] + ranks[victim + 1:]
                self.assertLess(self.end_all(others, code=1), LIMIT)
                for launched in others:
                    self.assertRegex(launched.output(), r"in group \S+ \(ranks [\d ]+\) failed after")
                    self.assert_says(launched, "another rank ended or hangs")
                ranks[victim].end()

    def test_another_configuration_is_refused(self):
        experiment = self.experiment()
        port = free_port()
        ranks = [self.start(experiment, port, rank, *(["lr=0.5"] if rank == 3 else [])) for rank in range(RANKS)]
        self.assertLess(self.end_all(ranks, code=2), 30)
        for launched in ranks:
            self.assert_says(launched, "rank 3 on ", "was started with a different configuration from rank 0")
        for rank in range(RANKS):
            self.assert_leaves_only_logs(experiment, rank)

    def test_another_world_size_is_refused(self):
        experiment = self.experiment(global_batch_size=8)
        port = free_port()
        ranks = [self.start(experiment, port, rank, size=8 if rank == 1 else RANKS) for rank in range(RANKS)]
        self.assertLess(self.end_all(ranks, code=2), 30)
        for launched in ranks[:1] + ranks[2:]:
            self.assert_says(launched, "rank 1 on ", "was started for 8 ranks, rank 0 for 4")

    def test_a_rank_that_was_started_twice_is_refused(self):
        experiment = self.experiment()
        port = free_port()
        ranks = [self.start(experiment, port, rank) for rank in (0, 1, 1)]
        deadline = time.monotonic() + 60
        while all(twin.process.poll() is None for twin in ranks[1:]) and time.monotonic() < deadline:
            time.sleep(0.01)
        refused = min(ranks[1:], key=lambda twin: twin.process.poll() is None)
        self.assertEqual(refused.end(), 2, refused.output())
        self.assert_says(refused, "two processes were started as rank 1")
        for launched in ranks:
            launched.process.kill()
            launched.end()

    def test_a_port_in_use_is_said(self):
        experiment = self.experiment()
        with socket.socket() as taken:
            taken.bind(("", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = run("direct", "--nproc_per_node", RANKS, "--master_port", port, "--", "train", "pretrain", "--config",
                         experiment.config, cwd=self.folder)
        self.assert_refused(result, f"port {port} is in use on this machine: choose another MASTER_PORT")


if __name__ == "__main__":
    unittest.main(verbosity=2)
