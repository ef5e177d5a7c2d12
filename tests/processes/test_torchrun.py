"""Two processes, as torchrun starts them, beside one."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launching import PATIENCE, ended, run, said_in, started
from safetensors.torch import load_file

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script
from maskkit.modeling.device import threads_of
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.stages.predict import predict
from maskkit.stages.train import train
from maskkit.training.epochs import held_out_scores
from maskkit.training.fold_rows import FoldRows

# Without batch norm and dropout, the only two that see shares of a batch otherwise than the whole.
EXACT: dict[str, Any] = {
    "model": "test_convnext", "weights": "none", "head": "joint:dropout=0", "size": "32", "device": "cpu",
    "precision": "float32", "workers": 1, "epochs": 2, "batch_size": 31,
}  # fmt: skip
MIXED = {"sampler": "weighted", "mix": "cutmix", "optimizer": "sgd:accumulate=2", "learning_rate": 0.1}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with threads_of(1):  # as each of the two
        yield


@pytest.fixture
def work(folds: Manifest, tmp_path: Path) -> Path:
    folds.write(tmp_path / "folds.parquet")
    return tmp_path


def words(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def train_words(output: str, **changes: object) -> list[str]:
    return ["train", "folds.parquet", *words({**EXACT, **changes}), "--cache-size", "0", "-o", output]


def by_one(work: Path, name: str, **changes: Any) -> None:
    manifest = Manifest.read(work / "folds.parquet")
    train(
        FoldRows.of(manifest, 0), work / f"{name}.safetensors", options=TrainOptions(**{**EXACT, **changes})
    )


def history(path: Path) -> list[dict[str, float]]:
    with path.with_suffix(".history.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if "second" not in name}
            for row in csv.DictReader(file)
        ]


def farthest(first: Path, second: Path) -> float:
    """Return the largest difference of a weight."""
    one, two = load_file(first), load_file(second)
    return max(float((one[name].float() - two[name].float()).abs().max()) for name in one)


def test_two_processes_learn_what_one_does_but_for_rounding(work: Path) -> None:
    by_one(work, "one", **MIXED)
    code, stdout, said = run(*train_words("two.safetensors", **MIXED), folder=work)
    assert code == 0, said
    assert stdout == "two.safetensors\n"
    assert said.count("epoch 1/2") == 1  # one of them talks
    assert history(work / "two.safetensors") == [
        pytest.approx(epoch, rel=1e-5, abs=1e-6) for epoch in history(work / "one.safetensors")
    ]
    assert farthest(work / "one.safetensors", work / "two.safetensors") < 1e-5
    found = Checkpoint.read(work / "two.safetensors").header.history
    assert found[-1].found == {"threads": 1, "processes": 2}
    assert "OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 -m maskkit train " in script(found, output="x")
    assert not list(work.glob(".*.lock"))


def test_two_processes_predict_the_same_bytes_as_one(work: Path) -> None:
    by_one(work, "model", epochs=1)
    line = "predict folds.parquet model.safetensors --runtime torch --batch-size 31 --device cpu --allow-leak"
    code, _, said = run(*line.split(), "-o", "two.parquet", folder=work)
    assert code == 0, said
    assert said.splitlines()[-1] == "168 photos by 1 model"
    assert alone(*line.split(), "-o", "one.parquet", folder=work) == 0
    assert (work / "one.parquet").read_bytes() == (work / "two.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_another_number_of_processes_changes_no_byte_of_predictions(work: Path, processes: int) -> None:
    by_one(work, "model", epochs=1)
    line = "predict folds.parquet model.safetensors --batch-size 31 --device cpu --allow-leak --tta hflip"
    assert alone(*line.split(), "-o", "one.csv", folder=work) == 0
    code, _, said = run(*line.split(), "-o", "some.csv", folder=work, processes=processes)
    assert code == 0, said
    assert (work / "one.csv").read_bytes() == (work / "some.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "nonesuch"}, "error: unknown model: 'nonesuch'"),
        ({"batch_size": 1}, "112 photos in batches of 1 leave steps of 1"),
        ({"loss": "f1"}, "--loss f1 is one value of a whole batch"),
        ({"model": "test_efficientnet:batch_norm=synchronised"}, "torch synchronises batch norm on no cpu"),
        ({"budget": "5m"}, "what is timed is a step of one process"),
    ],
)
def test_what_is_refused_is_said_once_and_nothing_is_left(
    work: Path, changes: dict[str, object], why: str
) -> None:
    code, stdout, said = run(*train_words("made.safetensors", **changes), folder=work)
    assert (code, stdout) == (1, "")
    assert said.count(why) == 1
    assert said.count("error: ") == 1
    assert {path.name for path in work.iterdir()} == {"folds.parquet", "said"}


@pytest.mark.slow
def test_a_command_that_is_not_divided_says_so(work: Path) -> None:
    code, _, said = run("show", "folds.parquet", folder=work)
    assert code == 1
    assert said.splitlines()[0] == "error: 2 processes were started for `maskkit show`, which one does"


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_all_with_a_message_and_the_training_can_be_gone_on_with(
    work: Path, rank: int
) -> None:
    words_of = train_words("made.safetensors", epochs=5)
    process = started(*words_of, folder=work)
    signal_rank(process, rank, signal.SIGKILL, work / "made.history.csv")
    assert ended(process) == 1
    said = said_in(work)
    gone = "the first process of this command" if rank == 0 else "another process of this command"
    assert said.count(f"error: {gone} has ended") == 1
    assert "go on with: torchrun --nproc-per-node 2 -m maskkit train folds.parquet" in said
    assert (work / "made.resume").exists()
    assert run(*words_of, "--resume", folder=work)[0] == 0
    assert run(*train_words("whole.safetensors", epochs=5), folder=work)[0] == 0
    assert (work / "made.safetensors").read_bytes() == (work / "whole.safetensors").read_bytes()


@pytest.mark.slow
def test_torchrun_starts_all_again_where_one_was_killed_and_they_go_on(work: Path) -> None:
    process = started(
        *train_words("made.safetensors", epochs=5), "--resume", folder=work, torchrun=("--max-restarts", "1")
    )
    signal_rank(process, 1, signal.SIGKILL, work / "made.history.csv")
    assert ended(process) == 0
    said = (work / "said").read_text()
    assert "resumed made.resume in epoch" in said
    assert len(history(work / "made.safetensors")) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "model"), [(signal.SIGTERM, "test_efficientnet"), (signal.SIGUSR1, "test_convnext")]
)
def test_a_signal_to_one_process_lets_all_end_their_step_and_save(
    work: Path, number: signal.Signals, model: str
) -> None:
    words_of = train_words("made.safetensors", epochs=5, model=model)
    process = started(*words_of, folder=work)
    signal_rank(process, 1, number, work / "made.history.csv")
    assert ended(process) == 1
    said = said_in(work)
    assert said.count(f"stopped by {number.name} in epoch ") == 1
    code, _, again = run(*words_of, "--resume", folder=work)
    assert code == 0, again
    assert "steps" in next(line for line in again.splitlines() if line.startswith("resumed "))
    assert run(*train_words("whole.safetensors", epochs=5, model=model), folder=work)[0] == 0
    assert (work / "made.safetensors").read_bytes() == (work / "whole.safetensors").read_bytes()


@pytest.mark.slow
def test_a_frozen_backbone_is_shown_a_share_to_each_and_its_features_are_those_of_one(
    work: Path, tmp_path: Path
) -> None:
    frozen = {"freeze": "all", "augment": "none"}
    lines = [
        [word for word in train_words(f"{name}.safetensors", **frozen) if word not in ("--cache-size", "0")]
        for name in ("one", "two")
    ]
    assert run(*lines[1], "--cache", "shared", folder=work)[0] == 0
    assert alone(*lines[0], "--cache", "own", folder=work) == 0
    assert farthest(work / "one.safetensors", work / "two.safetensors") < 1e-5
    shared, own = (next((work / name).glob("records/features-*/data")) for name in ("shared", "own"))
    size = 4 * load_file(work / "one.safetensors")["head.fc.weight"].shape[1]

    def records(path: Path) -> set[bytes]:
        data = path.read_bytes()
        return {data[start : start + size] for start in range(0, len(data), size)}

    assert records(shared) == records(own)


@pytest.mark.slow
def test_batch_norm_is_said_and_what_is_scored_by_all_is_the_model_that_is_saved(work: Path) -> None:
    changes = {"model": "test_efficientnet", "freeze": "phase:epochs=1", "average": "swa:start=0.5"}
    code, _, said = run(*train_words("two.safetensors", **changes), folder=work)
    assert code == 0, said
    assert "batch norm of each process is over its own share (batch_norm=own of --model)" in said
    checkpoint, manifest = Checkpoint.read(work / "two.safetensors"), Manifest.read(work / "folds.parquet")
    held_out = manifest.select(np.flatnonzero(manifest.folds == 0))
    how = Inference(runtime="torch", batch_size=31, device="cpu", workers=1, precision="float32")
    probs = predict(held_out, [checkpoint], inference=how).probs
    assert probs is not None
    loss, _ = held_out_scores(held_out.labels, probs, manifest.space)
    assert loss == pytest.approx(checkpoint.scores["loss"], rel=1e-6)


@pytest.mark.slow
def test_two_hosts_with_a_network_between_them(tmp_path: Path) -> None:
    line = [sys.executable, str(Path(__file__).with_name("two_hosts.py")), str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600, check=False)
    if done.stdout.startswith("not tried"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def alone(*line: str, folder: Path) -> int:
    """Run a command in one process, without torchrun; return its exit code."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(
        [sys.executable, "-m", "maskkit", *line], cwd=folder, env=env, capture_output=True, check=False
    ).returncode


def signal_rank(process: subprocess.Popen[str], rank: int, number: signal.Signals, sign: Path) -> None:
    """Signal one of the processes that torchrun has started, once a file is there."""
    begun = time.monotonic()
    while not sign.exists():
        assert process.poll() is None
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.02)
    for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if f"RANK={rank}".encode() in Path(f"/proc/{each}/environ").read_bytes().split(b"\0"):
            os.kill(int(each), number)
