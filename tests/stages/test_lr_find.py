"""The test of learning rates makes the steps of a training."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, RefusedError
from maskkit.options.train_options import OF_A_WHOLE_TRAINING, TrainOptions
from maskkit.progress import hidden, shown_by
from maskkit.reporting.html import page
from maskkit.stages import lr_find as module
from maskkit.stages.lr_find import SuggestedRate, lr_find, report
from maskkit.stages.split import split
from maskkit.training.fold import Fold
from maskkit.training.fold_rows import FoldRows
from maskkit.training.loop import train_step
from maskkit.training.setup import settled, start
from maskkit.training.trainer import Trainer

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulating": {"optimizer": "sgd:accumulate=3,clip=0.5", "learning_rate": 0.05},
    "mixing": {"mix": "cutmix", "head": "joint+factors"},
    "frozen": {"freeze": "all"},
    "sampled": {"sampler": "balanced", "class_weights": "sqrt", "loss": "ce+f1"},
}


@pytest.fixture
def found(folds: Manifest, quick: TrainOptions) -> SuggestedRate:
    """A test of 16 steps."""
    return lr_find(FoldRows.of(folds, 0), options=quick, start=1e-4, steps=16)


class Watched(Trainer):
    """Notes the trainer that is made."""

    made: Watched

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        Watched.made = self


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    monkeypatch.setattr(module, "Trainer", Watched)
    return Watched


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """The rates of the optimizer's groups at each step, to be filled by a test."""
    seen: list[list[float]] = []
    real = train_step

    def step(learner: Any, *given: Any, **named: Any) -> Any:
        seen.append([group["lr"] for group in learner.optimizer.param_groups])
        return real(learner, *given, **named)

    monkeypatch.setattr(module, "train_step", step)
    return seen


@pytest.mark.parametrize("variant", VARIANTS)
def test_makes_the_very_steps_of_a_training(folds: Manifest, quick: TrainOptions, variant: str) -> None:
    """At rates that do not really rise, the losses of an epoch are those of `train` at that rate."""
    options = replace(quick, **VARIANTS[variant])
    plain = replace(settled(options), schedule="constant:warmup=0", average="none")
    ready = start(FoldRows.of(folds, 0), plain)
    trainer = Trainer(ready.trainable, ready.fold, ready.options)
    sizes = [float(batch.weight.sum()) for batch in trainer.feed.epoch(1)]
    trained = sum(trainer.train(1).values())
    rate = options.learning_rate
    curve = lr_find(
        FoldRows.of(folds, 0), options=options, start=rate, end=rate * (1 + 1e-12), steps=len(sizes)
    ).curve
    assert len(curve.losses) == len(sizes) > 2
    assert np.average(curve.losses, weights=sizes) == pytest.approx(trained, rel=1e-6)


def test_each_group_of_the_optimizer_keeps_its_ratio_to_the_backbone(
    folds: Manifest, quick: TrainOptions, rates: list[list[float]]
) -> None:
    options = replace(quick, optimizer="adamw:head=3,layer_decay=0.5")
    curve = lr_find(FoldRows.of(folds, 0), options=options, start=1e-5, end=0.1, steps=8).curve
    ratios = np.array(rates) / np.array(curve.rates)[:, None]  # (steps, groups)
    assert ratios == pytest.approx(np.repeat(ratios[:1], 8, axis=0))
    assert ratios.max() == pytest.approx(3)
    assert ratios.min() <= 0.5
    assert curve.rates[-1] == pytest.approx(0.1)


def test_no_schedule_moves_the_rates(folds: Manifest, quick: TrainOptions, rates: list[list[float]]) -> None:
    options = replace(quick, learning_rate=7.0, schedule="onecycle")
    curve = lr_find(FoldRows.of(folds, 0), options=options, start=1e-5, end=0.1, steps=8).curve
    assert [min(groups) for groups in rates] == pytest.approx(list(curve.rates))


def test_options_of_a_whole_training_do_not_matter(
    folds: Manifest, quick: TrainOptions, found: SuggestedRate
) -> None:
    other = replace(
        quick, epochs=9, learning_rate=1.0, schedule="step:stop=3", average="swa:start=0.5"
    )  # fmt: skip
    assert lr_find(FoldRows.of(folds, 0), options=other, start=1e-4, steps=16).to_json() == found.to_json()
    assert set(OF_A_WHOLE_TRAINING) <= {field.name for field in fields(TrainOptions)}


def test_goes_through_the_photos_again_in_another_order_if_they_are_too_few(
    folds: Manifest, quick: TrainOptions, watched: type[Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    real = Trainer.batches

    def batches(self: Trainer, number: int, **given: Any) -> Any:
        begun.append(number)
        return real(self, number, **given)

    monkeypatch.setattr(Trainer, "batches", batches)
    curve = lr_find(FoldRows.of(folds, 0), options=quick, start=1e-4, end=0.1, steps=16).curve
    feed = watched.made.feed
    assert len(curve.losses) == 16 > feed.steps
    assert begun == list(range(1, -(-16 // feed.steps) + 1))
    assert feed.rows(1).tolist() != feed.rows(2).tolist()


def test_leaves_the_random_numbers_as_they_were(folds: Manifest, quick: TrainOptions) -> None:
    torch.manual_seed(1234)  # which no training begins with
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    lr_find(FoldRows.of(folds, 0), options=quick, start=1e-4, steps=4)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_writes_no_file(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lr_find(FoldRows.of(folds, 0), options=quick, start=1e-4, steps=16)
    assert list(tmp_path.rglob("*")) == []


def test_shows_the_model_no_photo_that_is_held_out(
    folds: Manifest, quick: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    class Noted:
        def __init__(self, inputs: Any) -> None:
            self.inputs = inputs

        def __len__(self) -> int:
            return len(self.inputs)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inputs, name)

        def take(self, rows: NDArray[np.int64]) -> Any:
            taken.extend(rows.tolist())
            return self.inputs.take(rows)

    def noting(model: Any, fold: Fold, options: TrainOptions) -> Trainer:
        return Trainer(model, replace(fold, inputs=Noted(fold.inputs)), options)

    monkeypatch.setattr(module, "Trainer", noting)
    lr_find(FoldRows.of(folds, 1), options=quick, start=1e-4, steps=16)
    assert taken
    assert set(folds.folds[taken].tolist()) == {0, 2}


def test_refuses_a_split_that_leaks(labels: Manifest, quick: TrainOptions) -> None:
    leaky = split(labels, by="image", folds=3)
    with pytest.raises(RefusedError, match="both sides of fold 0"):
        lr_find(FoldRows.of(leaky, 0), options=quick)
    assert lr_find(FoldRows.of(leaky, 0, allow_leak=True), options=quick, start=1e-4, steps=8).curve.losses


@pytest.mark.parametrize(
    ("changes", "given", "said"),
    [
        ({"freeze": "gradual"}, {}, "cannot test learning rates with --freeze gradual"),
        ({"freeze": "phase"}, {}, "cannot test learning rates with --freeze phase"),
        ({}, {"start": 0.1, "end": 0.01}, "cannot rise from 0.1 to 0.01"),
        ({}, {"start": 0.0}, "cannot rise from 0 to 1"),
        ({"optimizer": "adamm"}, {}, "unknown optimizer: 'adamm'"),
        ({"model": "resnet0"}, {}, "resnet0"),
    ],
)
def test_refuses_before_the_first_step(
    folds: Manifest,
    quick: TrainOptions,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    given: dict[str, Any],
    said: str,
) -> None:
    monkeypatch.setattr(module, "range_test", lambda *_, **__: pytest.fail("a step was made"))
    with pytest.raises(MaskkitError) as caught:
        lr_find(FoldRows.of(folds, 0), options=replace(quick, **changes), **given)
    assert said in str(caught.value)


def test_refuses_a_wrong_root_before_the_first_step(
    folds: Manifest, quick: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "range_test", lambda *_, **__: pytest.fail("a step was made"))
    with pytest.raises(MaskkitError, match="nowhere"):
        lr_find(FoldRows.of(folds.located(root="nowhere"), 0), options=quick)


def test_the_same_test_finds_the_same_and_another_seed_something_else(
    folds: Manifest, quick: TrainOptions, found: SuggestedRate
) -> None:
    def again(seed: int) -> dict[str, Any]:
        return lr_find(
            FoldRows.of(folds, 0), options=replace(quick, seed=seed), start=1e-4, steps=16
        ).to_json()

    assert again(0) == found.to_json()
    assert again(1)["curve"] != found.to_json()["curve"]


def test_shows_how_far_it_has_come(folds: Manifest, quick: TrainOptions) -> None:
    told: list[tuple[int, str]] = []

    def track(items: Any, total: int, what: str) -> Any:
        told.append((total, what))
        return hidden(items, total, what)

    with shown_by(track):
        lr_find(FoldRows.of(folds, 0), options=quick, start=1e-4, steps=16)
    assert told[-1] == (16, "learning rates")
    assert "epoch 1" not in [what for _, what in told]


def test_json_holds_the_suggestion_its_rule_the_curve_and_the_options(found: SuggestedRate) -> None:
    given = json.loads(json.dumps(found.to_json()))
    assert given["suggestion"] == found.curve.suggestion
    assert {"rule", "stopped", "photos"} <= set(given)
    assert [row["rate"] for row in given["curve"]] == list(found.curve.rates)
    assert set(given["curve"][0]) == {"rate", "loss", "smoothed"}
    options = given["made_by"]["options"]
    assert (options["batch_size"], options["steps"], options["precision"]) == (20, 16, "float32")
    assert not set(options) & set(OF_A_WHOLE_TRAINING)


def test_the_page_says_what_was_found_and_how(found: SuggestedRate) -> None:
    html = page(report(found, manifest="folds.parquet"))
    for text in (f"{found.curve.suggestion:g}", found.curve.rule, found.curve.stopped, "maskkit lr-find"):
        assert text in html
    assert "maskkit split" in html
    assert "data:" not in html.replace("img-src data:", "")
