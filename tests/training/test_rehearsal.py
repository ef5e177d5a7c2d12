"""A rehearsal measures times; what it leaves behind and what its steps are does not depend on them."""

from __future__ import annotations

import logging
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache
from maskkit.options.train_options import TrainOptions
from maskkit.stages.train import train
from maskkit.training import rehearsal as module
from maskkit.training.fold_rows import FoldRows
from maskkit.training.rehearsal import rehearse
from maskkit.training.setup import Start, start
from maskkit.training.trainer import Trainer

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "frozen": {"freeze": "all"},
    "phase": {"freeze": "phase:epochs=1", "epochs": 2},
    "sampled": {"sampler": "balanced", "undersample": "mask=wear:2", "class_weights": "inverse"},
    "heads": {"head": "factors+regression", "loss": "ce", "mix": "mixup"},
    "averaged": {"average": "swa", "schedule": "plateau"},
}


@pytest.fixture
def cached(folds: Manifest, tmp_path: Path) -> Manifest:
    return folds.located(cache=Cache(tmp_path / "cache", 10**9))


@pytest.mark.parametrize("variant", VARIANTS)
def test_times_every_part_of_any_training(cached: Manifest, quick: TrainOptions, variant: str) -> None:
    pace = rehearse(FoldRows.of(cached, 0), replace(quick, **VARIANTS[variant]), seconds=0)
    assert all(np.isfinite(astuple(pace)))
    assert pace.ready == pace.cold > 0
    assert pace.start > 0
    assert pace.epoch > 0


def test_times_a_training_that_nobody_is_held_out_of(cached: Manifest, quick: TrainOptions) -> None:
    rows = FoldRows.of(cached, 0)
    assert rehearse(replace(rows, held_out=rows.held_out[:0]), quick, seconds=0).epoch > 0


@pytest.mark.parametrize("freeze", ["none", "all"])
def test_photos_that_are_in_the_cache_take_no_time(
    cached: Manifest, quick: TrainOptions, freeze: str, tmp_path: Path
) -> None:
    options = replace(quick, freeze=freeze, epochs=1)
    train(FoldRows.of(cached, 1), tmp_path / "x.safetensors", options=options)
    pace = rehearse(FoldRows.of(cached, 0), options, seconds=0)
    assert pace.ready == 0 < pace.cold
    assert rehearse(FoldRows.of(cached, 0), replace(options, size="48"), seconds=0).ready > 0


def test_a_training_on_everybody_has_nobody_to_score(folds: Manifest, quick: TrainOptions) -> None:
    assert rehearse(FoldRows.of(folds, None), quick, seconds=0).epoch > 0


def test_without_a_cache_photos_are_decoded_within_the_steps(folds: Manifest, quick: TrainOptions) -> None:
    assert rehearse(FoldRows.of(folds, 0), quick, seconds=0).cold == 0


def test_leaves_nothing_in_the_cache_that_a_next_one_would_find(
    cached: Manifest, quick: TrainOptions
) -> None:
    for freeze in ("none", "all"):
        rehearse(FoldRows.of(cached, 0), replace(quick, freeze=freeze), seconds=0)
    assert cached.photos.cache is not None
    assert not [path for path in cached.photos.cache.folder.rglob("*") if path.is_dir()]


def test_says_nothing_and_puts_the_log_back(
    folds: Manifest,
    quick: TrainOptions,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = logging.getLogger("maskkit")
    level = log.level

    def talking(*given: Any) -> Start:
        logging.getLogger(start.__module__).warning("of these weights")
        return start(*given)

    monkeypatch.setattr(module, "start", talking)
    rehearse(FoldRows.of(folds, 0), quick, seconds=0)
    assert caplog.messages == []
    assert log.level == level


def test_an_epoch_is_of_as_many_photos_as_the_training_shows(
    folds: Manifest, quick: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = module._epoch

    def watched(*given: Any, photos: int, held_out: int) -> float:
        seen.append(photos)
        return real(*given, photos=photos, held_out=held_out)

    monkeypatch.setattr(module, "_epoch", watched)
    for undersample in (None, "mask=wear:2"):
        rehearse(FoldRows.of(folds, 0), replace(quick, undersample=undersample), seconds=0)
    people = len(np.unique(folds.people.codes[folds.folds != 0]))
    assert seen == [7 * people, 4 * people]


def test_makes_steps_of_whole_batches_of_what_is_trained_on(
    folds: Manifest, quick: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Trainer] = []

    class Watched(Trainer):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(module, "Trainer", Watched)
    rows = FoldRows.of(folds, 0)
    rehearse(rows, replace(quick, batch_size=200), seconds=0)
    (trainer,) = made
    assert trainer.sums.steps == module.FEWEST_STEPS
    assert len(trainer.feed.rows(1)) == 200 * module.MOST_STEPS
    assert set(trainer.fold.training) <= set(range(len(rows.training)))
    assert not set(trainer.fold.training) & set(trainer.fold.held_out)
