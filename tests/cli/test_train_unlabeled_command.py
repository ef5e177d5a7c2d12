"""`maskkit train --unlabeled`: what a person is told, and what is refused before any fold is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commandline import QUICK, error_parts, run
from conftest import draw_people

from maskkit.artifacts.manifest import Manifest
from maskkit.stages.label import label

LEARN = ["--unlabeled", "others.parquet", "--consistency", "uda:threshold=0.05"]
TRAIN = ["train", "folds.parquet", *QUICK.split(), *LEARN]


@pytest.fixture(autouse=True)
def _work(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.write(tmp_path / "folds.parquet")
    people = [("000700", "male", 23), ("000701", "female", 48)]
    label(draw_people(tmp_path / "photos", people)).write(tmp_path / "others.parquet")
    monkeypatch.chdir(tmp_path)


def test_each_epoch_tells_the_consistency_and_how_many_photos_were_confident() -> None:
    made = run(*TRAIN, "-o", "a.safetensors")
    assert made.exit_code == 0, made.stderr
    (line,) = [line for line in made.stderr.splitlines() if "epoch 1/1" in line]
    assert "consistency 0." in line
    assert "% confident" in line.partition("unlabelled ")[2]
    shown = run("show", "a.safetensors", "--history").stdout
    assert "--unlabeled others.parquet" in shown
    assert "-o others.parquet" in shown
    again = run("train", "folds.parquet", *QUICK.split(), "-o", "b.safetensors")
    assert "unlabelled" not in again.stderr


def test_people_whom_a_later_fold_holds_out_are_refused_before_the_first_is_trained(
    labels: Manifest, folds: Manifest
) -> None:
    last = labels.select(np.flatnonzero(folds.folds == 2)[:1])
    last.write("others.parquet", force=True)
    refused = run(*TRAIN, "--fold", "all", "-o", "run/fold{fold}.safetensors")
    assert refused.exit_code == 3
    assert error_parts(refused.stderr) == ["error", "why", "fix"]
    assert "fold 2 holds out" in refused.stderr
    assert not Path("run").exists()


def test_the_unlabelled_manifest_is_never_written_over(tmp_path: Path) -> None:
    Path("others.safetensors").write_bytes(Path("others.parquet").read_bytes())
    words = ["train", "folds.parquet", *QUICK.split(), "--unlabeled", "others.safetensors"]
    refused = run(*words, "--consistency", "fixmatch", "-o", "others.safetensors", "--force")
    assert refused.exit_code == 1
    assert "inputs are never modified" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--consistency", "mixmatch"], 2, "it is one of none, uda, fixmatch"),
        (["--consistency", "uda"], 1, "without --unlabeled"),
        (["--unlabeled", "others.parquet"], 1, "without --consistency"),
        (["--unlabeled", "nowhere", "--consistency", "uda"], 1, "nowhere"),
        (["--unlabeled", "folds.parquet", "--consistency", "uda"], 3, "fold 0 holds out"),
        (["--loss-weights", "1"], 2, "has no option --loss-weights"),
        (["--patience", "1"], 2, "has no option --patience"),
    ],
)
def test_what_cannot_be_meant_is_told(words: list[str], code: int, says: str) -> None:
    result = run("train", "folds.parquet", *QUICK.split(), *words, "-o", "x.safetensors", COLUMNS="200")
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert not Path("x.safetensors").exists()
