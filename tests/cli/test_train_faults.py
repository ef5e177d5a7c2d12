"""What happens to a training in its second epoch: it ends with its exit code, says how to go on, and can."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest
from commandline import QUICK, error_parts
from forked import COMMAND, run_forked

from maskkit.artifacts.manifest import Manifest

# Runs a command, in which something happens at the second step of a piece of work.
DISTURBED = """
import os, resource, signal, sys
import numpy as np, torch
from maskkit.cli.shell import terminal

what, _, at = sys.argv[1].partition(":")
happens = sys.argv[2]
del sys.argv[1:3]
times = 0

def disturbed(items, total, name):
    global times
    times += name == what
    for step, item in enumerate(items, 1):
        if name == what and step == int(at or 1) and times == (2 if what == "photos" else 1):
            exec(happens, globals())
        yield item

terminal.track = disturbed
"""
NO_HISTORY = """
sync = os.fsync
def full(handle):
    if "history" in os.readlink(f"/proc/self/fd/{handle}"):
        raise OSError(28, "No space left on device")
    sync(handle)
os.fsync = full
"""
FULL_DISK = "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
TWICE = QUICK.replace("--epochs 1", "--epochs 2").split()
WORDS = ["train", "folds.parquet", *TWICE, "-o", "run/made.safetensors"]
AGAIN = shlex.join(["maskkit", *WORDS, "--resume"])


@pytest.fixture
def work(folds: Manifest, tmp_path: Path) -> Path:
    folds.write(tmp_path / "folds.parquet")
    return tmp_path


@pytest.fixture(scope="module")
def whole(folds: Manifest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of a training that nothing happens to."""
    folder = tmp_path_factory.mktemp("whole")
    folds.write(folder / "folds.parquet")
    ran(folder, WORDS)
    return (folder / "run/made.safetensors").read_bytes()


def ran(folder: Path, words: list[str]) -> None:
    code, _, said = run_forked(*words, cwd=folder)
    assert code == 0, said


def disturbed(work: Path, happens: str, *, at: str = "epoch 2") -> tuple[int, str]:
    """Run the training; return its exit code and what it says."""
    code, printed, said = run_forked(at, happens, *WORDS, cwd=work, code=DISTURBED + COMMAND)
    assert printed == ""
    assert "Traceback" not in said
    return code, said


def goes_on(work: Path) -> bytes:
    """Run the line that messages name; return the checkpoint."""
    ran(work, shlex.split(AGAIN)[1:])
    assert names(work) == ["made.history.csv", "made.safetensors"]
    return (work / "run/made.safetensors").read_bytes()


def names(work: Path) -> list[str]:
    return sorted(path.name for path in (work / "run").iterdir())


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        signal.SIGUSR1,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_a_signal_lets_the_step_end_and_the_line_that_is_printed_goes_on(
    number: int, whole: bytes, work: Path
) -> None:
    code, said = disturbed(work, f"os.kill(os.getpid(), {number})", at="epoch 2:2")
    name = signal.Signals(number).name
    assert code == 128 + number
    assert f"stopped by {name} in epoch 2, after 1 of 2 steps" in said
    assert said.splitlines()[-1] == f"  fix: go on with: {AGAIN}"
    assert names(work) == ["made.history.csv", "made.resume"]
    assert goes_on(work) == whole


def test_a_second_signal_ends_at_once_and_leaves_the_last_epoch(whole: bytes, work: Path) -> None:
    code, said = disturbed(work, "os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGINT)")
    assert code == 130
    assert said.splitlines()[-1] == f"interrupted; go on with: {AGAIN}"
    assert goes_on(work) == whole


@pytest.mark.parametrize(
    ("happens", "at", "tells"),
    [
        (NO_HISTORY, "photos", "cannot write run/made.history.csv"),
        pytest.param(
            FULL_DISK.format(2000), "photos", "cannot write run/made.resume", marks=pytest.mark.slow
        ),
        pytest.param("bytearray(1 << 60)", "epoch 2", "--batch-size", marks=pytest.mark.slow),
        pytest.param("np.empty(1 << 50)", "epoch 2", "--batch-size", marks=pytest.mark.slow),
        ("torch.empty(1 << 57)", "epoch 2", "--batch-size"),
        pytest.param(
            "raise OSError(5, 'Input/output error', 'x.jpg')", "epoch 2", "x.jpg", marks=pytest.mark.slow
        ),
    ],
)
def test_a_fault_is_an_error_and_the_training_goes_on_from_the_last_epoch(
    happens: str, at: str, tells: str, whole: bytes, work: Path
) -> None:
    code, said = disturbed(work, happens, at=at)
    assert code == 1
    assert error_parts(said) == ["error", "why", "fix"]
    assert tells in said
    assert said.splitlines()[-1].endswith(f" go on with: {AGAIN}")
    assert goes_on(work) == whole


def test_a_kill_that_cannot_be_handled_leaves_nothing_half(whole: bytes, work: Path) -> None:
    code, _ = disturbed(work, "os.kill(os.getpid(), signal.SIGKILL)")
    assert code == -signal.SIGKILL
    lock = ".made.safetensors.lock"  # nobody's, and gone after the next run
    assert names(work) == [lock, "made.history.csv", "made.resume"]
    assert goes_on(work) == whole
