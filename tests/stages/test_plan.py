"""A plan is made by a clock, and what it makes by none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.options import plans
from maskkit.options.train_options import TrainOptions
from maskkit.stages import plan as module
from maskkit.stages.plan import TrainingPlan, as_planned, plan
from maskkit.stages.train import train
from maskkit.training.budget import Pace, pixels_of
from maskkit.training.fold_rows import FoldRows

RUNGS = (
    {"size": "48x48", "epochs": 3},
    {"size": "40x40", "epochs": 2},
    {"size": "32x32", "epochs": 2},
    {"size": "32x32", "epochs": 1},
)
SECOND = 32 * 32  # pixels whose epoch takes a second, on the machine that the tests make up


class Machine:
    """A machine of a known speed: photos of each size are measured in 3 s."""

    takes = 3

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now, self.measured = 0.0, list[str]()
        patch.setattr(module, "rehearse", self.rehearse)

    def rehearse(self, _: FoldRows, options: TrainOptions, **more: float) -> Pace:  # noqa: ARG002
        self.now += self.takes
        self.measured.append(options.one("size").name)
        return Pace(ready=1, cold=1, start=1, epoch=10 * pixels_of(options) / SECOND)

    def spent(self) -> float:
        return self.now

    def plan(self, rows: FoldRows, options: TrainOptions, seconds: float, **more: Any) -> TrainingPlan:
        return plan(rows, options=options, seconds=seconds, spent=self.spent, **more)


@pytest.fixture(autouse=True)
def _rungs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "RUNGS", RUNGS)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def rows(folds: Manifest) -> FoldRows:
    return FoldRows.of(folds, 0)


def test_measures_the_smallest_and_then_what_seems_to_fit(
    machine: Machine, rows: FoldRows, quick: TrainOptions
) -> None:
    found = machine.plan(rows, quick, 100)
    assert machine.measured == ["32x32", "48x48"]
    assert (found.options.one("size").name, found.options.epochs) == ("48x48", 3)
    assert found.chosen == {"size": "48x48", "epochs": 3}
    assert (found.spent, found.seconds) == (6, 1 + 1 + 3 * 22.5)
    assert found.seconds_in_all < 100


def test_what_was_measured_counts_against_the_budget_and_has_an_end(
    machine: Machine, rows: FoldRows, quick: TrainOptions
) -> None:
    found = machine.plan(rows, quick, 29)
    assert (machine.measured, found.chosen) == (["32x32"], {"size": "32x32", "epochs": 2})
    machine.now = 0
    found = machine.plan(rows, quick, 26)  # 22 s would fit, but for the 3 that are gone
    assert found.chosen == {"size": "32x32", "epochs": 1}


def test_no_more_is_measured_when_the_time_for_it_is_over(
    machine: Machine, rows: FoldRows, quick: TrainOptions
) -> None:
    machine.takes = 11
    found = machine.plan(rows, quick, 200)
    assert (machine.measured, found.chosen) == (["32x32"], {"size": "48x48", "epochs": 3})
    assert found.pace.epoch == 10 * 48 * 48 / SECOND


def test_all_folds_get_one_plan(machine: Machine, rows: FoldRows, quick: TrainOptions) -> None:
    assert machine.plan(rows, quick, 100, folds=3).chosen == {"size": "32x32", "epochs": 2}


def test_refuses_a_time_in_which_nothing_ends(machine: Machine, rows: FoldRows, quick: TrainOptions) -> None:
    with pytest.raises(MaskkitError, match="no training ends in 12s here"):
        machine.plan(rows, quick, 12)


def test_options_that_are_given_explicitly_stay(
    machine: Machine, rows: FoldRows, quick: TrainOptions
) -> None:
    found = machine.plan(rows, replace(quick, epochs=5), 100, explicit=["epochs"])
    assert (found.options.epochs, found.chosen) == (5, {"size": "40x40"})
    with pytest.raises(MaskkitError, match="nothing left for --budget to plan"):
        machine.plan(rows, quick, 100, explicit=["epochs", "size"])


def test_what_cannot_be_trained_is_refused_before_anything_is_measured(
    machine: Machine, rows: FoldRows, quick: TrainOptions
) -> None:
    with pytest.raises(MaskkitError, match="unknown optimizer: 'adamm'"):
        machine.plan(rows, replace(quick, optimizer="adamm"), 100)
    assert machine.measured == []


def test_a_training_by_plan_is_that_of_its_options_to_the_byte(
    rows: FoldRows, quick: TrainOptions, tmp_path: Path
) -> None:
    found = plan(rows, options=quick, seconds=3600)  # really measured, whatever that takes
    assert found.chosen == {"size": "48x48", "epochs": 3}
    planned = train(rows, tmp_path / "planned.safetensors", options=found.options)
    plain = train(rows, tmp_path / "plain.safetensors", options=replace(quick, size="48x48", epochs=3))
    assert planned.read_bytes() == plain.read_bytes()
    options = Checkpoint.read(planned).header.history[-1].options
    assert (options["epochs"], options["size"]) == (3, "48x48:margin=0.3")
    assert "budget" not in options


def test_leaves_the_random_numbers_as_they_were(rows: FoldRows, quick: TrainOptions) -> None:
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    plan(rows, options=quick, seconds=3600)
    assert torch.equal(torch.get_rng_state(), before)


def test_goes_on_as_was_planned_before(quick: TrainOptions) -> None:
    record = Record("train", {**quick.to_json(), "size": "40x40:margin=0.3", "epochs": 2}, ())
    other = replace(quick, size="64", epochs=9)
    found = as_planned(other, record, ())
    assert (found.one("size").name, found.epochs) == ("40x40", 2)
    assert as_planned(other, record, ["epochs"]).epochs == 9


@pytest.mark.parametrize("epochs", ["2", None, 2.5])
def test_does_not_go_on_by_a_record_that_no_training_has_left(quick: TrainOptions, epochs: object) -> None:
    record = Record("train", {**quick.to_json(), "epochs": epochs}, ())
    with pytest.raises(MaskkitError, match="cannot go on with the plan"):
        as_planned(quick, record, ())
