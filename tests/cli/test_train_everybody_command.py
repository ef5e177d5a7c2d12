"""`maskkit train --fold none`: what a person reads, and what `--like` takes from the models of the folds."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import QUICK, error_parts, run
from seals import unsealed

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest

LIKE = ["--like", "fold0.safetensors", "fold1.safetensors", "fold2.safetensors"]


@pytest.fixture(autouse=True)
def _work(folds: Manifest, checkpoints: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folds.write(tmp_path / "folds.parquet")
    for path in checkpoints:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)


def test_a_person_is_told_that_nobody_scores_it() -> None:
    made = run("train", "folds.parquet", *QUICK.split(), "--fold", "none", "-o", "run/all-{fold}.safetensors")
    assert made.exit_code == 0, made.stderr
    assert made.stdout == "run/all-none.safetensors\n"
    assert "trained on everybody, scored by nobody: the weights after epoch 1 are kept" in made.stderr
    (line,) = [line for line in made.stderr.splitlines() if "epoch 1/1" in line]
    assert line.startswith("everybody")
    assert "held-out" not in line
    assert "macro-F1" not in line


def test_like_takes_the_options_of_the_folds_and_the_median_of_their_best_epochs() -> None:
    models = [Checkpoint.read(name) for name in LIKE[1:]]
    best = sorted(one.epoch for one in models)
    made = run("train", "folds.parquet", "--fold", "none", *LIKE, "--workers", "0", "-o", "all.safetensors")
    assert made.exit_code == 0, made.stderr
    checkpoint = Checkpoint.read("all.safetensors")
    assert checkpoint.epoch == best[1]
    numbers = ", ".join(map(str, best))
    assert f"the folds kept the epochs {numbers}: it ends with epoch {best[1]}" in made.stderr
    ours, theirs = (dict(one.header.history[-1].options) for one in (checkpoint, models[0]))
    assert {**ours, "fold": 0} == theirs
    assert [item.path for item in checkpoint.header.history[-1].inputs][1:] == LIKE[1:]


def test_options_that_are_given_beside_like_win_and_are_named() -> None:
    Path("recipe.toml").write_text("[train]\nseed = 5\nbatch-size = 24\n")
    words = ["--epochs", "1", "--batch-size", "40", "--workers", "0", "--recipe", "recipe.toml"]
    made = run("train", "folds.parquet", "--fold", "none", *LIKE, *words, "-o", "all.safetensors")
    assert made.exit_code == 0, made.stderr
    said = "unlike those models: epochs 1 (theirs: 2), batch_size 40 (theirs: 20), seed 5 (theirs: 0)"
    assert said in made.stderr
    assert "the best epochs" not in made.stderr  # which are of another schedule
    options = Checkpoint.read("all.safetensors").header.history[-1].options
    assert (options["epochs"], options["batch_size"], options["seed"]) == (1, 40, 5)
    assert options["fold"] == "none:until=0"


def test_an_end_that_is_given_is_not_that_of_the_folds() -> None:
    words = ["--fold", "none:until=1", *LIKE, "--workers", "0", "-o", "all.safetensors"]
    made = run("train", "folds.parquet", *words)
    assert made.exit_code == 0, made.stderr
    assert Checkpoint.read("all.safetensors").epoch == 1


def test_a_dry_run_prints_the_options_of_the_folds() -> None:
    shown = run("train", "folds.parquet", "--fold", "none", *LIKE, "-o", "x.safetensors", "--dry-run")
    assert shown.exit_code == 0, shown.stderr
    assert 'optimizer = "adamw:weight_decay=0.05,layer_decay=1,head=3,' in shown.stdout
    assert 'like = ["fold0.safetensors", "fold1.safetensors", "fold2.safetensors"]' in shown.stdout


def test_models_that_do_not_agree_are_refused() -> None:
    assert run("train", "folds.parquet", *QUICK.split(), "-o", "other.safetensors").exit_code == 0
    words = ["--fold", "none", "--like", "fold1.safetensors", "other.safetensors", "-o", "all.safetensors"]
    refused = run("train", "folds.parquet", *words)
    assert refused.exit_code == 1
    assert error_parts(refused.stderr) == ["error", "why", "fix"]
    assert "batch_size (20, 60)" in refused.stderr
    assert not Path("all.safetensors").exists()


def test_what_no_training_could_have_been_asked_for_is_an_error_that_names_the_model() -> None:
    file = Path("fold0.safetensors")
    file.write_bytes(unsealed(file.read_bytes()).replace(rb"\"batch_size\": 20", rb"\"batch_size\": -9"))
    refused = run("train", "folds.parquet", "--fold", "none", *LIKE[:2], "-o", "all.safetensors")
    assert refused.exit_code == 1
    assert error_parts(refused.stderr) == ["error", "why", "fix"]
    assert "the training of fold0.safetensors has set batch-size to -9" in refused.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fold", "nobody"], "is not a fold's number, `all` or `none`"),
        (["--fold", "none:epochs=3"], "has no setting 'epochs'"),
        (["--fold", "none:until=-1"], "until is a whole number from 0 to 10000"),
        (["--fold", "1", *LIKE], "add --fold none"),
        (["--fold", "all", *LIKE], "add --fold none"),
        (["--fold", "none", *LIKE, "--budget", "5m"], "both say the size and the number of epochs"),
        (["--fold", "none:until=3", "--budget", "5m"], "chooses how many epochs there are"),
    ],
)
def test_what_means_nothing_is_wrong_usage(words: list[str], says: str) -> None:
    refused = run("train", "folds.parquet", *words, "-o", "all-{fold}.safetensors")
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.replace("│", " ").split())  # wherever its lines break
