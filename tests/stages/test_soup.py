"""Averages of weights: what is averaged, what is chosen on whom, and what has no average."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from maskkit.artifacts.checkpoint import Checkpoint, checkpoint_bytes
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import open_runs
from maskkit.artifacts.script import script
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import HOME, LabelSpace
from maskkit.modeling.backbone import restore
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.stages.predict import predict
from maskkit.stages.show import show
from maskkit.stages.soup import Averages, Soup, soup
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows

CPU = Inference("cpu", 64, 0)


@pytest.fixture(scope="module")
def models(checkpoints: list[Path]) -> list[Checkpoint]:
    """A model of each fold."""
    return [Checkpoint.read(path) for path in checkpoints]


@pytest.fixture(scope="module")
def pair(
    models: list[Checkpoint], folds: Manifest, quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> list[Checkpoint]:
    """Two models of fold 0, of two seeds."""
    path = tmp_path_factory.mktemp("seeds") / "again0.safetensors"
    return [models[0], Checkpoint.read(train(FoldRows.of(folds, 0), path, options=replace(quick, seed=1)))]


def written(weights: Mapping[str, Tensor], header: Header, name: str) -> Checkpoint:
    return Checkpoint.read(Source(name, pa.py_buffer(bytes(checkpoint_bytes(weights, header)))))


def moved(model: Checkpoint, name: str, *, by: float) -> Checkpoint:
    """Return a model whose weights are some way off."""
    torch.manual_seed(0)
    weights = {
        key: tensor + by * torch.randn_like(tensor)
        if tensor.is_floating_point() and "running" not in key
        else tensor
        for key, tensor in model.weights().items()
    }
    return written(weights, model.header, name)


def of_one_answer(model: Checkpoint, name: str) -> Checkpoint:
    """Return a model that answers the rarest class whatever it sees, also averaged with others."""
    weights = {key: tensor.clone() for key, tensor in model.weights().items()}
    biases = [key for key in weights if key.endswith("last.bias")]
    for key in biases:
        weights[key][-1] += 1e3
    assert len(biases) == 3
    return written(weights, model.header, name)


def changed(model: Checkpoint, facts: Mapping[str, object], space: LabelSpace = HOME) -> Checkpoint:
    header = Header("checkpoint", space, model.header.history, {**model.header.facts, **facts})
    return written(model.weights(), header, "other.safetensors")


def as_checkpoint(made: Soup) -> Checkpoint:
    return written(made.weights, made.header, "soup.safetensors")


def means_of(models: Sequence[Checkpoint]) -> dict[str, Tensor]:
    states = [one.weights() for one in models]
    return {name: torch.stack([one[name].double() for one in states]).mean(0).float() for name in states[0]}


def differing(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> set[str]:
    return {
        name for name, tensor in ours.items() if not torch.allclose(tensor.float(), theirs[name], atol=1e-6)
    }


def test_all_are_averaged_and_batch_norm_is_measured_anew(pair: list[Checkpoint], folds: Manifest) -> None:
    made = soup(pair, on=folds, uniform=True, inference=CPU)
    assert [one.is_in for one in made.ingredients] == [True, True]
    apart = differing(made.weights, means_of(pair))
    assert apart
    assert {name.rpartition(".")[2] for name in apart} <= {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
    variances = [name for name in apart if name.endswith("running_var")]
    assert len(variances) > 10


def test_without_photos_statistics_are_averaged_too_and_that_is_said(
    pair: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = soup(pair, uniform=True, inference=CPU)
    assert {name for name in differing(made.weights, means_of(pair)) if "num_batches" not in name} == set()
    assert "the statistics of batch norm are averaged like weights" in caplog.text
    assert made.header.facts["scores"] == {}


def test_the_score_of_one_model_is_that_of_its_training(pair: list[Checkpoint], folds: Manifest) -> None:
    made = soup(pair, on=folds, inference=CPU)
    alone = {one.name: one.alone for one in made.ingredients}
    assert alone == {one.name: one.scores["macro_f1"] for one in pair}


def test_each_stays_that_does_not_lower_the_score_from_the_best_on(
    pair: list[Checkpoint], folds: Manifest
) -> None:
    near, broken = moved(pair[0], "near", by=1e-5), of_one_answer(pair[0], "broken")
    made = soup([broken, near, pair[0]], on=folds, inference=CPU)
    tried = {one.name: one for one in made.ingredients}
    assert [one.alone for one in made.ingredients] == sorted(
        (one.alone or 0 for one in tried.values()), reverse=True
    )
    assert not tried["broken"].is_in
    first, *others = made.ingredients
    assert first.is_in
    best = first.alone or 0.0
    for one in others:
        assert one.is_in == ((one.together or 0.0) >= best)
        best = one.together or 0.0 if one.is_in else best
    assert made.header.facts["scores"]["macro_f1"] == best
    chosen = [one for one in (near, pair[0]) if tried[one.name].is_in]
    assert {
        name
        for name in differing(made.weights, means_of(chosen))
        if "running" not in name and "num_" not in name
    } == set()


def test_statistics_are_measured_on_nobody_who_is_scored(pair: list[Checkpoint], folds: Manifest) -> None:
    averages = Averages.of(pair, folds, CPU, chooses=False)
    assert averages.photos is not None
    files = [str(file) for file in averages.photos.files]
    scored, measured = ({files[row] for row in rows} for rows in (averages.unseen, averages.learnt))
    held_out = {str(folds.root / folds.paths[row]) for row in np.flatnonzero(folds.folds == 0)}
    assert scored == held_out
    assert measured
    assert not measured & held_out


def test_models_that_have_seen_everybody_between_them_are_refused(
    models: list[Checkpoint], folds: Manifest
) -> None:
    with pytest.raises(RefusedError, match="they held out the folds 0, 1") as caught:
        soup(models[:2], on=folds, inference=CPU)
    assert "--uniform" in caught.value.fix


def test_models_of_several_folds_are_chosen_on_other_people(
    models: list[Checkpoint], labels: Manifest
) -> None:
    names = pa.array([f"other {code}" for code in labels.people.codes])
    others = labels.then("edit", {"person_id": names})
    made = soup(models[:2], on=others, inference=CPU)
    assert made.ingredients[0].alone is not None
    assert as_checkpoint(made).fold is None


def test_the_average_has_seen_whomever_one_of_its_models_has(
    models: list[Checkpoint], folds: Manifest
) -> None:
    both = as_checkpoint(soup(models[:2], uniform=True, inference=CPU))
    assert both.seen.contains(folds.people.names).all()
    assert both.fold is None
    with pytest.raises(RefusedError):
        predict(folds, [both], oof=True, inference=CPU)


def test_models_that_are_left_out_count_as_seen_too(pair: list[Checkpoint], folds: Manifest) -> None:
    one = next(
        name
        for name, code in zip(folds.people.names, range(99), strict=False)
        if pair[0].seen.contains([name])[0]
    )
    fewer = Seen.of(
        [name for name in folds.people.names if name != one and pair[0].seen.contains([name])[0]],
        salt=pair[0].seen.salt,
    )
    broken = moved(changed(pair[0], {"seen": fewer.to_json()}), "broken", by=1.0)
    made = as_checkpoint(soup([broken, pair[0]], on=folds, inference=CPU))
    assert made.seen.contains([one]).all()


def test_the_average_predicts_its_fold_and_says_what_it_is(pair: list[Checkpoint], folds: Manifest) -> None:
    made = soup(pair, on=folds, inference=CPU)
    model = as_checkpoint(made)
    assert (model.fold, model.epoch) == (0, 0)
    restore(model)
    predictions = predict(folds, [model], oof=True, inference=CPU)
    assert len(predictions) == (folds.folds == 0).sum()
    shown = show(model.source)
    assert shown["average of"] == ", ".join(one.name for one in made.ingredients if one.is_in)
    assert shown["models tried"] == 2
    assert "best epoch" not in shown
    history = model.header.history
    assert [record.stage for record in history] == ["label", "split", "train", "train", "soup"]
    assert [item.option for item in history[-1].inputs] == [None, None, "on"]
    assert script(history, output="x.safetensors").splitlines()[-1].endswith("-o x.safetensors")


def test_the_same_models_give_the_same_bytes(pair: list[Checkpoint], folds: Manifest) -> None:
    first, again = (soup(pair, on=folds, uniform=True, inference=CPU) for _ in range(2))
    assert checkpoint_bytes(first.weights, first.header) == checkpoint_bytes(again.weights, again.header)


OTHERS: dict[str, tuple[dict[str, object], str]] = {
    "model": ({"model": "test_resnet"}, "different models of timm"),
    "pool": ({"pool": "gem"}, "different poolings"),
    "settings": ({"model_settings": {"drop_rate": 0.5}}, "different settings of the model"),
    "heads": ({"heads": ["joint", "factors"]}, "different heads"),
    "preprocess": ({"preprocess": None}, "different preprocessings of photos"),
    "manifest": ({"seen": Seen.of(["a"], salt="other").to_json()}, "trained on different manifests"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_models_that_have_no_average_are_refused_with_what_differs(pair: list[Checkpoint], name: str) -> None:
    facts, says = OTHERS[name]
    if name == "preprocess":
        facts = {"preprocess": {**pair[0].header.facts["preprocess"], "height": 48}}
    with pytest.raises(MaskkitError, match=says):
        soup([pair[0], changed(pair[0], facts)], uniform=True, inference=CPU)


def test_models_of_other_classes_are_refused(pair: list[Checkpoint]) -> None:
    other = changed(pair[0], {}, LabelSpace(HOME.factors[:2]))
    with pytest.raises(MaskkitError, match="different label spaces"):
        soup([pair[0], other], uniform=True, inference=CPU)


def test_weights_of_other_shapes_are_refused(pair: list[Checkpoint]) -> None:
    weights = {name: tensor for name, tensor in pair[0].weights().items() if "running_var" not in name}
    with pytest.raises(MaskkitError, match="different weights"):
        soup([pair[0], written(weights, pair[0].header, "other")], uniform=True, inference=CPU)


def test_an_average_is_of_two_models_each_once_and_is_chosen_on_photos(pair: list[Checkpoint]) -> None:
    with pytest.raises(MaskkitError, match="is one model"):
        soup(pair[:1], uniform=True, inference=CPU)
    with pytest.raises(MaskkitError, match="the same content twice"):
        soup([*pair, pair[0]], uniform=True, inference=CPU)
    with pytest.raises(MaskkitError, match="no photos to choose on"):
        soup(pair, inference=CPU)


def test_trainings_that_did_not_start_alike_are_warned_of(
    pair: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    soup(pair, uniform=True, inference=CPU)
    assert "started from different weights" in caplog.text
    caplog.clear()
    soup([pair[0], moved(pair[0], "near", by=1e-5)], uniform=True, inference=CPU)
    assert "started from different weights" not in caplog.text


def test_a_comparison_takes_averages_for_a_run_of_their_own(
    pair: list[Checkpoint], folds: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "fold0.safetensors").write_bytes(pair[0].source.data.to_pybytes())
    made = soup(pair, on=folds, uniform=True, inference=CPU)
    (tmp_path / "soup0.safetensors").write_bytes(checkpoint_bytes(made.weights, made.header))
    unscored = soup(pair, uniform=True, inference=CPU)
    (tmp_path / "unscored0.safetensors").write_bytes(checkpoint_bytes(unscored.weights, unscored.header))
    runs = open_runs([tmp_path])
    assert sorted(one.path.name for run in runs for one in run.trained) == [
        "fold0.safetensors",
        "soup0.safetensors",
    ]
    with pytest.raises(MaskkitError, match="an average that was not scored"):
        open_runs([Source.open(tmp_path / "unscored0.safetensors")])
