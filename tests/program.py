"""What the script tests share: running the program, tiny experiments, reading results."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

CLI = os.environ["PRIMUS_CLI"]
SOURCE = Path(os.environ["PRIMUS_SOURCE_DIR"])

# One thread: the smallest models gain nothing from two, and tests run beside each other.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

TINY = """\
work_group: test
user_name: tester
exp_name: tiny
workspace: {workspace}

modules:
  pre_trainer:
    framework: megatron
    config: pre_trainer.yaml
    model: llama_tiny.yaml
    overrides:
{overrides}
"""

TINY_OVERRIDES = {
    "num_layers": 2,
    "hidden_size": 32,
    "ffn_hidden_size": 64,
    "num_attention_heads": 4,
    "num_query_groups": 2,
    "seq_length": 32,
    "max_position_embeddings": 32,
    "mock_data": True,
    "vocab_size": 127,
    "make_vocab_size_divisible_by": 16,
    "bf16": False,
    "micro_batch_size": 2,
    "global_batch_size": 4,
    "train_iters": 8,
    "lr": 0.003,
    "lr_warmup_iters": 2,
    "lr_decay_iters": 8,
    "eval_iters": 0,
    "log_interval": 1,
    "num_workers": 0,
}


def run(*arguments, timeout=120, environment=None, **options):
    """Runs the program to its end and returns the completed process, output as text."""
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**ENVIRONMENT, **(environment or {})}, **options)


def start(*arguments, environment=None):
    """Starts the program and returns the process; its output is thrown away."""
    return subprocess.Popen([CLI, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            env={**ENVIRONMENT, **(environment or {})})


def processes_with(variable, value):
    """Process ids, by the rank of each (None: it is none), of all whose environment has variable=value."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            entries = (folder / "environ").read_bytes().split(b"\0") if folder.name.isdigit() else []
        except OSError:  # It has just ended, or belongs to somebody else.
            continue
        values = dict(entry.decode(errors="replace").partition("=")[::2] for entry in entries)
        if values.get(variable) == value:
            rank = values.get("RANK", values.get("OMPI_COMM_WORLD_RANK"))
            found[int(folder.name)] = None if rank is None else int(rank)
    return found


def find_torchrun():
    """The torchrun of the wheel that the program links, or of PATH; None without one that starts."""
    candidates = [Path(sys.executable).with_name("torchrun"), SOURCE / ".venv/bin/torchrun"]
    if os.environ.get("TORCH_DIR"):
        candidates.append(Path(os.environ["TORCH_DIR"], "../../../../bin/torchrun"))
    candidates.append(Path(shutil.which("torchrun") or "/nowhere"))
    for candidate in candidates:
        # Its Python packages may be missing: the build needs only the libraries beside it.
        if candidate.exists() and subprocess.run([candidate, "--help"], capture_output=True).returncode == 0:
            return str(candidate)
    return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Launched:
    """A command that starts ranks, going on in the background, and all the processes that come from it."""

    def __init__(self, folder, *words, environment=None):
        self.mark = f"{os.getpid()}-{next(Launched.numbers)}"
        self.log = Path(folder) / f"launched-{self.mark}.txt"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdout=output, stderr=subprocess.STDOUT, cwd=folder,
                env={**ENVIRONMENT, "PRIMUS_TEST_MARK": self.mark, **(environment or {})})

    numbers = itertools.count()

    def output(self):
        return self.log.read_text(errors="replace")

    def ranks(self):
        """Process ids by rank, of the ranks that are there now."""
        mine = processes_with("PRIMUS_TEST_MARK", self.mark)
        return {rank: pid for pid, rank in mine.items() if rank is not None and pid != self.process.pid}

    def wait_for(self, condition, what, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{what} does not come true:\n{self.output()[-6000:]}")
            time.sleep(0.005)

    def end(self, seconds=120):
        """Waits for the end; returns the exit code, and fails when a process is left over."""
        try:
            code = self.process.wait(timeout=seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        left = processes_with("PRIMUS_TEST_MARK", self.mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        if left:
            raise AssertionError(f"processes are left over: {left}\n{self.output()[-6000:]}")
        return code


class Experiment:
    """A tiny experiment file in a folder of its own."""

    def __init__(self, folder, **overrides):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.workspace = self.folder / "output"
        self.root = self.workspace / "test" / "tester" / "tiny"
        self.config = self.folder / "exp.yaml"
        self.write(**overrides)

    def write(self, **overrides):
        values = {**TINY_OVERRIDES, **overrides}
        lines = "\n".join(f"      {key}: {json.dumps(value)}" for key, value in values.items())
        self.config.write_text(TINY.format(workspace=self.workspace, overrides=lines))

    def train(self, *overrides, **options):
        return run("train", "pretrain", "--config", self.config, *overrides, **options)

    def launch(self, ranks, *overrides, options=(), environment=None):
        """Starts `ranks` supervised ranks in the background."""
        return Launched(self.folder, CLI, "direct", "--nproc_per_node", ranks, *options, "--", "train", "pretrain",
                        "--config", self.config, *overrides, environment=environment)

    def train_ranks(self, ranks, *overrides, **options):
        return run("direct", "--nproc_per_node", ranks, "--", "train", "pretrain", "--config", self.config, *overrides,
                   cwd=self.folder, **options)

    @property
    def checkpoints(self):
        return self.root / "checkpoints"

    @property
    def metrics_file(self):
        return self.root / "metrics.jsonl"

    def metrics(self):
        """The lines of metrics.jsonl that stand for iterations."""
        if not self.metrics_file.exists():
            return []
        text = self.metrics_file.read_text()
        # A line that is still being written does not count.
        lines = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if "grad_norm" in line]

    def trajectory(self):
        """What must not depend on interruptions: iteration, loss, gradient norm and learning rate, as written."""
        return [(m["iteration"], m["lm_loss"], m["grad_norm"], m["learning_rate"]) for m in self.metrics()]


class ProgramTest(unittest.TestCase):
    """A test with a temporary folder."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="primus-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def assert_success(self, result):
        self.assertEqual(result.returncode, 0, result.stdout[-2000:] + result.stderr[-4000:])

    def assert_leaves_only_logs(self, experiment, rank=0):
        """A run that was refused has written nothing but the reason, into the log files of its ranks."""
        files = [path for path in experiment.workspace.rglob("*") if path.is_file()]
        self.assertEqual([path for path in files if "logs" not in path.parts], [])
        self.assertIn("[ERROR]", (experiment.root / f"logs/pre_trainer/rank-{rank}/error.log").read_text())

    def assert_refused(self, result, *texts):
        """Exit code 2 and one clear message that holds all the texts."""
        self.assertEqual(result.returncode, 2, result.stdout[-2000:] + result.stderr[-4000:])
        for text in texts:
            self.assertIn(text, result.stderr)
        for sign in ("terminate called", "Exception raised from", "frame #0", "Segmentation"):
            self.assertNotIn(sign, result.stderr)
