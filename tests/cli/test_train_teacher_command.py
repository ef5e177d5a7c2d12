"""`maskkit train --teacher`: from predictions to a taught model, and what is refused."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from commandline import QUICK, error_parts, run

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest

TRAIN = ["train", "folds.parquet", *QUICK.split()]


@pytest.fixture(autouse=True)
def _work(folds: Manifest, checkpoints: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.write(tmp_path / "folds.parquet")
    for path in checkpoints:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)


def predicted(name: str, *words: str) -> None:
    made = run("predict", "folds.parquet", *words, "--workers", "0", "--runtime", "torch", "-o", name)
    assert made.exit_code == 0, made.stderr


def test_everybodys_model_learns_from_out_of_fold_predictions_and_a_folds_does_not() -> None:
    predicted("oof.parquet", "fold0.safetensors", "fold1.safetensors", "fold2.safetensors", "--oof")
    teach = ["--teacher", "oof.parquet:temperature=2"]
    made = run(*TRAIN, "--fold", "none", *teach, "-o", "small.safetensors")
    assert made.exit_code == 0, made.stderr
    assert "168 of 168 photos are learnt with a teacher's probabilities" in made.stderr
    record = Checkpoint.read("small.safetensors").header.history[-1]
    assert record.options["teacher"] == "oof.parquet:weight=0.5,temperature=2"
    assert [item.path for item in record.inputs if item.option == "teacher"] == ["oof.parquet"]
    words = shlex.split(run("show", "small.safetensors", "--history").stdout.splitlines()[-1])
    assert words[words.index("--teacher") + 1] == "oof.parquet:weight=0.5,temperature=2"
    untaught = run(*TRAIN, "--fold", "none", "-o", "plain.safetensors")
    assert untaught.exit_code == 0, untaught.stderr
    ours, theirs = (Checkpoint.read(name).weights() for name in ("small.safetensors", "plain.safetensors"))
    assert any(not np.array_equal(ours[name], theirs[name]) for name in ours)
    refused = run(*TRAIN, *teach, "--fold", "all", "-o", "fold{fold}-taught.safetensors")
    assert refused.exit_code == 3
    assert error_parts(refused.stderr) == ["error", "why", "fix"]
    assert not list(Path().glob("*-taught*"))


def test_a_folds_model_learns_from_those_that_held_it_out_too() -> None:
    predicted("teacher0.parquet", "fold0.safetensors", "--allow-leak")
    teach = ["--teacher", "teacher0.parquet"]
    made = run(*TRAIN, *teach, "--fold", "0", "-o", "small0.safetensors")
    assert made.exit_code == 0, made.stderr
    refused = run(*TRAIN, *teach, "--fold", "1", "-o", "small1.safetensors")
    assert refused.exit_code == 3
    assert "people whom fold 1 holds out" in refused.stderr
    assert run(*TRAIN, *teach, "--fold", "1", "--allow-leak", "-o", "small1.safetensors").exit_code == 0
