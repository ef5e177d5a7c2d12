"""Weights of a converted graph, whose batch norms are given statistics before a training begins."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.photos import Photos, Pixels
from maskkit.modeling.backbone import build
from maskkit.options.train_options import TrainOptions
from maskkit.training import setup, starting_model
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import Start, start


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Weights without statistics, whose norms add a bias."""
    torch.manual_seed(0)
    model = build("test_resnet", classes=18)
    for name, tensor in model.state_dict().items():
        if "bn" in name and name.endswith((".weight", ".bias")):
            tensor.fill_(1) if name.endswith(".weight") else tensor.normal_(0, 0.1)
    torch.save(model.state_dict(), tmp_path / "graph.pth")
    return tmp_path / "graph.pth"


@pytest.fixture
def options(quick: TrainOptions, graph: Path) -> TrainOptions:
    return replace(quick, model="test_resnet", weights=str(graph), head="joint", epochs=1)


def begun(folds: Manifest, options: TrainOptions) -> Start:
    return start(FoldRows.of(folds, 0), options)


def first_norm(ready: Start) -> nn.BatchNorm2d:
    return next(module for module in ready.model.modules() if isinstance(module, nn.BatchNorm2d))


def shown(ready: Start) -> Tensor:
    """Return the photos trained on as the model takes them, not varied."""
    pixels = torch.from_numpy(ready.photos.take(ready.fold.training))
    return ready.photos.prepare(pixels, torch.device("cpu"))


def test_statistics_are_those_of_the_photos_trained_on_and_answers_stay(
    folds: Manifest, options: TrainOptions, graph: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        ready = begun(folds, options)
    assert "no statistics, as those of a converted graph: measured on 112 photos" in caplog.text
    convolution = next(module for module in ready.model.modules() if isinstance(module, nn.Conv2d))
    with torch.no_grad():
        values = convolution(shown(ready))
        norm = first_norm(ready)
        torch.testing.assert_close(norm.running_mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(
            norm.running_var, values.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5
        )
        plain = build("test_resnet", classes=18).eval()
        plain.load_state_dict(torch.load(graph))
        answers = ready.model.eval()(shown(ready))
        torch.testing.assert_close(answers, plain(shown(ready)), rtol=1e-4, atol=1e-4)


def test_photos_are_evenly_spaced_and_the_same_each_time(
    folds: Manifest, options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[list[int]] = []
    inner = Photos.take

    def watch(self: Photos, rows: np.ndarray) -> Pixels:
        taken.append(rows.tolist())
        return inner(self, rows)

    monkeypatch.setattr(starting_model, "MEASURED", 5)
    monkeypatch.setattr(starting_model, "BATCH", 3)
    monkeypatch.setattr(Photos, "take", watch)
    ready = begun(folds, options)
    training = ready.fold.training
    places = [0, 27, 55, 83, 111]
    assert taken == [training[places[:3]].tolist(), training[places[3:]].tolist()]
    again = begun(folds, options).model.state_dict()
    assert all(torch.equal(again[name], value) for name, value in ready.model.state_dict().items())


@pytest.mark.parametrize("case", ["no weights", "norms that never train", "norms with statistics"])
def test_nothing_is_measured_where_it_is_not_needed(
    folds: Manifest, options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    without = replace(options, weights="none")
    if case == "norms with statistics":
        model = begun(folds, without).model.train()
        with torch.no_grad():
            model(torch.randn(8, 3, 32, 32))
        torch.save(model.state_dict(), tmp_path / "trained.pth")
    cases = {
        "no weights": without,
        "norms that never train": replace(options, freeze="all", augment="none"),
        "norms with statistics": replace(options, weights=str(tmp_path / "trained.pth")),
    }
    if case != "norms with statistics":
        monkeypatch.setattr(setup, "has_folded_norms", lambda _: True)
    monkeypatch.setattr(starting_model, "measure_norms", None)  # would fail
    begun(folds, cases[case])


@pytest.mark.parametrize("freeze", ["none", "phase", "gradual"])
def test_is_measured_wherever_norms_will_train(folds: Manifest, options: TrainOptions, freeze: str) -> None:
    ready = begun(folds, replace(options, freeze=freeze, epochs=6))
    assert bool((first_norm(ready).running_var != 1).any())  # type: ignore[union-attr]
