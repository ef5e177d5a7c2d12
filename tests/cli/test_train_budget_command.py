"""`train --budget` on the command line: what it refuses, prints, records and goes on with."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commandline import QUICK, run

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell.budgeting import TimeBudget
from maskkit.options import plans
from maskkit.options.train_options import TrainOptions
from maskkit.stages import plan as stage
from maskkit.training.budget import Pace
from maskkit.training.fold_rows import FoldRows
from maskkit.training.trainer import Trainer

# Neither size nor epochs.
OPTIONS = [
    *["--model", "test_efficientnet", "--weights", "none", "--workers", "0"],
    *["--device", "cpu", "--batch-size", "60"],
]
RUNGS = ({"size": "40x40", "epochs": 2}, {"size": "32x32", "epochs": 2}, {"size": "32x32", "epochs": 1})


@pytest.fixture(autouse=True)
def measured(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sizes measured, in a folder with folds.parquet, where an epoch of 32x32 takes 10 s."""
    sizes: list[str] = []

    def rehearse(rows: FoldRows, options: TrainOptions, *, seconds: float) -> Pace:
        sizes.append(options.one("size").name)
        return Pace(0, 0, 0, 10 if sizes[-1] == "32x32" else 20)

    monkeypatch.setattr(stage, "rehearse", rehearse)
    monkeypatch.setattr(plans, "RUNGS", RUNGS)
    monkeypatch.chdir(tmp_path)
    folds.write(tmp_path / "folds.parquet")
    return sizes


def train(*words: str) -> Any:
    return run("train", "folds.parquet", *OPTIONS, *words)


def options_of(path: str) -> dict[str, Any]:
    return dict(Checkpoint.read(Path(path)).header.history[-1].options)


def test_trains_what_fits_and_says_and_records_what_that_is() -> None:
    ended = train("--budget", "30s", "-o", "x.safetensors")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "x.safetensors\n"
    assert "30s: 2 epochs of 32x32, 10s each here, done in about 0:2" in ended.stderr
    options = options_of("x.safetensors")
    assert (options["size"], options["epochs"]) == ("32x32:margin=0.3", 2)
    assert "budget" not in options
    assert "30s" not in str(options)


def test_the_line_that_it_prints_makes_the_same_bytes_without_a_clock() -> None:
    said = train("--budget=25s", "-o", "x.safetensors").stderr
    (line,) = [line for line in said.splitlines() if line.startswith("the same without a clock: ")]
    words = shlex.split(line.partition(": ")[2])
    assert words == [
        "maskkit",
        "train",
        "folds.parquet",
        *OPTIONS,
        "-o",
        "x.safetensors",
        *["--size", "32x32", "--epochs", "2"],
    ]
    first = Path("x.safetensors").read_bytes()
    again = run(*words[1:], "--force")
    assert again.exit_code == 0, again.stderr
    assert Path("x.safetensors").read_bytes() == first


def test_all_folds_are_trained_alike_in_the_time_of_all() -> None:
    ended = train("--budget", "40s", "--fold", "all", "-o", "{fold}.safetensors")
    assert "40s: 1 epoch of 32x32, for each of 3 folds, 10s each here" in ended.stderr
    assert [options_of(f"{fold}.safetensors")["epochs"] for fold in range(3)] == [1, 1, 1]


def test_an_option_that_is_given_stays_even_if_it_is_the_default() -> None:
    ended = train("--budget", "50s", "--epochs", "10", "-o", "x.safetensors", "--dry-run")
    assert ended.exit_code == 1
    assert "the shortest, 10 epochs of 32x32, takes 1m40s" in ended.stderr
    Path("recipe.toml").write_text("[train]\nbudget = '30s'\nepochs = 1\n")
    ended = train("--recipe", "recipe.toml", "-o", "x.safetensors", "--dry-run")
    assert "30s: 1 epoch of 40x40" in ended.stderr
    assert "the same without a clock: --size 40x40\n" in ended.stderr


def test_a_dry_run_prints_a_recipe_that_needs_no_clock(measured: list[str]) -> None:
    ended = train("--budget", "90s", "-o", "x.safetensors", "--dry-run")
    assert 'size = "40x40:margin=0.3"\n' in ended.stdout
    assert "epochs = 2\n" in ended.stdout
    assert "budget" not in ended.stdout
    assert not Path("x.safetensors").exists()
    Path("recipe.toml").write_text(ended.stdout)
    measured.clear()
    assert run("train", "folds.parquet", "--recipe", "recipe.toml", "-o", "x.safetensors").exit_code == 0
    assert measured == []
    assert options_of("x.safetensors")["size"] == "40x40:margin=0.3"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("--budget 5", 2, "is not a length of time"),
        ("--budget 5m --preview sheet.png", 2, "it shows photos at the size"),
        ("--budget 5m --compile", 2, "what compiling takes is not known"),
        ("--budget 5m --size 32 --epochs 1", 1, "nothing left for --budget to plan"),
        ("--budget 5s", 1, "no training ends in 5s here"),
    ],
)
def test_refuses_what_it_cannot_mean(words: str, code: int, said: str) -> None:
    ended = train(*words.split(), "-o", "x.safetensors")
    assert ended.exit_code == code
    assert said in " ".join(ended.stderr.replace("│", " ").split())
    assert not Path("x.safetensors").exists()


def test_nothing_is_measured_for_an_output_that_is_there(measured: list[str]) -> None:
    Path("x.safetensors").write_bytes(b"of somebody")
    assert train("--budget", "30s", "-o", "x.safetensors").exit_code == 1
    assert measured == []


class StoppedError(Exception):
    """Raised where a person might press Ctrl-C."""


def test_goes_on_with_the_plan_that_it_began_with_and_measures_nothing(
    measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train("--budget", "80s", "--fold", "all", "-o", "{fold}.safetensors")
    assert whole.exit_code == 0, whole.stderr
    real = Trainer.run_epoch

    def stopping(self: Trainer) -> Any:
        if self.fold.held_out[0] == folds_of_1[0] and self.past.history:
            raise StoppedError
        return real(self)

    folds_of_1 = FoldRows.of(Manifest.read("folds.parquet"), 1).held_out
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", stopping)
        assert isinstance(
            train("--budget", "80s", "--fold", "all", "-o", "part{fold}.safetensors").exception, StoppedError
        )
    measured.clear()
    for budget in ("80s", "1h"):
        ended = train("--budget", budget, "--fold", "all", "-o", "part{fold}.safetensors", "--resume")
        assert ended.exit_code == 0, ended.stderr
        assert "going on as planned before: 2 epochs of 32x32" in ended.stderr
    assert measured == []
    for fold in range(3):
        assert Path(f"part{fold}.safetensors").read_bytes() == Path(f"{fold}.safetensors").read_bytes()


@pytest.mark.parametrize(("slower", "warned"), [(1.0, []), (3.0, ["1m50s", "1m50s", "1m50s"])])
def test_warns_once_a_fold_if_the_time_will_not_be_enough(
    monkeypatch: pytest.MonkeyPatch, slower: float, warned: list[str]
) -> None:
    real = Trainer.run_epoch
    now = [0.0]

    def lasting(self: Trainer) -> Any:
        now[0] += 10 * slower
        epoch = replace(real(self), seconds=10 * slower)
        self.past.history[-1] = epoch
        return epoch

    monkeypatch.setattr(Trainer, "run_epoch", lasting)
    monkeypatch.setattr(TimeBudget, "passed", lambda _: now[0])
    ended = train("--budget", "70s", "--fold", "all", "-o", "{fold}.safetensors")
    assert "70s: 2 epochs of 32x32" in ended.stderr
    said = [line for line in ended.stderr.splitlines() if line.startswith("warning: at the speed")]
    assert [line.partition("it ends ")[2].partition(" after")[0] for line in said] == warned


def test_without_a_budget_nothing_is_measured(measured: list[str]) -> None:
    assert run("train", "folds.parquet", *QUICK.split(), "-o", "x.safetensors").exit_code == 0
    assert measured == []
