"""What a training on everybody takes from those of the folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Header
from maskkit.errors import MaskkitError
from maskkit.modeling.starting_head import settle_head
from maskkit.options.train_options import TrainOptions
from maskkit.training.likeness import Likeness, chosen_epoch, shared_options, unlike


@pytest.fixture
def models(checkpoints: list[Path]) -> list[Checkpoint]:
    return [Checkpoint.read(path) for path in checkpoints]


def changed(model: Checkpoint, **options: object) -> Checkpoint:
    """Return a model whose training had other options."""
    *before, last = model.header.history
    record = replace(last, options={**last.options, **options})
    header = Header("checkpoint", model.space, (*before, record), model.header.facts)
    return replace(model, header=header)


def test_the_options_are_those_of_the_folds_and_not_the_fold(
    models: list[Checkpoint], quick: TrainOptions
) -> None:
    shared, trained = shared_options(models), settle_head(quick)
    assert TrainOptions.from_json(shared).to_json() == trained.to_json()
    assert "fold" not in shared
    assert unlike(trained, shared) == []
    assert unlike(replace(trained, seed=7), shared) == ["seed 7 (theirs: 0)"]


def test_a_stop_is_left_out_since_nothing_is_there_to_stop_by(models: list[Checkpoint]) -> None:
    stopped = [changed(one, schedule="cosine:warmup=0.5,stop=3") for one in models]
    assert shared_options(stopped)["schedule"] == "cosine:warmup=0.5,stop=0,keep=last"


def test_models_that_were_trained_otherwise_are_refused_by_the_names_of_what_differs(
    models: list[Checkpoint],
) -> None:
    with pytest.raises(MaskkitError) as caught:
        shared_options([models[0], changed(models[1], seed=3, learning_rate=0.1)])
    assert "learning_rate (0.003, 0.1), seed (0, 3)" in caught.value.why


def test_a_model_that_no_fold_was_held_out_of_says_nothing_of_a_best_epoch(models: list[Checkpoint]) -> None:
    with pytest.raises(MaskkitError, match="not of a fold's training"):
        shared_options([replace(models[0], fold=None)])
    lone = replace(models[0], header=replace(models[0].header, history=()))
    with pytest.raises(MaskkitError, match="not of a fold's training"):
        shared_options([lone])


@pytest.mark.parametrize(("best", "chosen"), [([3], 3), ([9, 2, 4], 4), ([8, 2, 6, 4], 6)])
def test_the_epoch_is_the_median_of_the_best_and_the_later_of_two(
    models: list[Checkpoint], best: list[int], chosen: int
) -> None:
    assert chosen_epoch([replace(models[0], epoch=number) for number in best]) == chosen


def test_the_models_are_inputs_by_that_option(models: list[Checkpoint]) -> None:
    inputs = Likeness(1, tuple(models)).inputs
    assert [item.option for item in inputs] == ["like"] * 3
    assert [item.made_by for item in inputs] == [one.header.history[-1].id for one in models]
