"""A prediction that is stopped anywhere and gone on with is the same to the byte."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from local_places import here
from signals import SignalIn, give_signals

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.resumable import Resumable
from maskkit.artifacts.stopped import StoppedError
from maskkit.errors import MaskkitError
from maskkit.modeling.device import threads_of
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.progress import shown_by
from maskkit.stages import predict as module
from maskkit.stages.predict import predict
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows

HERE = Inference("cpu", batch_size=10, workers=0, runtime="torch")

Item = TypeVar("Item")


class Stopped(BaseException):
    """What stops a run."""


class StopAfter:
    """Stops the run after so many batches, if it comes so far."""

    def __init__(self, count: int) -> None:
        self.count, self.done = count, 0

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:  # noqa: ARG002
        for item in items:
            if what == "photos" and self.done == self.count:
                raise Stopped
            self.done += what == "photos"
            yield item


@pytest.fixture(scope="module")
def some(folds: Manifest) -> Manifest:
    """The photos of two folds."""
    return folds.select(folds.folds < 2)


@pytest.fixture(scope="module")
def models(
    folds: Manifest, checkpoints: list[Path], quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> list[Checkpoint]:
    """Two folds of one training, and another model of one of them, at another size."""
    output = tmp_path_factory.mktemp("other") / "0.safetensors"
    other = train(FoldRows.of(folds, 0), output, options=replace(quick, size="48x40", epochs=1))
    return [Checkpoint.read(path) for path in (*checkpoints[:2], other)]


@pytest.fixture(scope="module")
def whole(some: Manifest, models: list[Checkpoint]) -> bytes:
    """What a run comes to that is never stopped."""
    return as_bytes(predict(some, models, oof=True, inference=HERE))


@pytest.fixture(autouse=True)
def _written_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_EVERY", 30)


def left_by(folder: Path) -> Resumable:
    """What runs leave whose output would be in a folder."""
    return Resumable([folder / "oof.parquet"], resume=True)


def progress(kept: Resumable) -> Path:
    assert kept.path is not None
    return kept.path


def as_bytes(predictions: Predictions) -> bytes:
    return bytes(predictions.encode("parquet"))


@pytest.mark.parametrize(("batches", "torn"), [(1, 0), (3, 0), (4, 5), (11, 1)])
def test_it_is_the_same_wherever_it_was_stopped(
    some: Manifest, models: list[Checkpoint], whole: bytes, tmp_path: Path, batches: int, torn: int
) -> None:
    kept, stop, count = left_by(tmp_path), StopAfter(batches), StopAfter(10**6)
    with pytest.raises(Stopped), shown_by(stop):
        predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert progress(kept).exists() == (batches > 1)  # of 9 photos each by one or two models
    if torn:
        progress(kept).write_bytes(progress(kept).read_bytes()[:-torn])
    with shown_by(count):
        again = predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert as_bytes(again) == whole
    assert count.done <= 12 - max(0, batches - 4)  # what was finished is not asked about again


def test_a_signal_lets_the_batch_end_and_keeps_what_is_finished(
    some: Manifest, models: list[Checkpoint], whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, count = left_by(tmp_path), StopAfter(10**6)
    monkeypatch.setattr(module, "KEPT_EVERY", 10**6)
    give_signals(monkeypatch)
    with pytest.raises(StoppedError, match="stopped by SIGUSR1") as caught, shown_by(SignalIn("photos", 3)):
        predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert caught.value.exit_code == 138
    assert f"saved in {progress(kept)}" in caught.value.why
    give_signals(monkeypatch)
    with shown_by(count):
        again = predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert as_bytes(again) == whole
    assert count.done == 12 - 3


def test_it_can_be_stopped_many_times_and_nothing_is_asked_again_once_all_is_finished(
    some: Manifest, models: list[Checkpoint], whole: bytes, tmp_path: Path
) -> None:
    kept = left_by(tmp_path)
    for _ in range(3):
        with pytest.raises(Stopped), shown_by(StopAfter(3)):
            predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert as_bytes(predict(some, models, oof=True, inference=HERE, resumable=kept)) == whole
    with shown_by(StopAfter(0)):
        again = predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert as_bytes(again) == whole


def test_the_number_of_workers_may_change_and_nothing_else(
    some: Manifest, models: list[Checkpoint], whole: bytes, tmp_path: Path
) -> None:
    kept = left_by(tmp_path)
    with pytest.raises(Stopped), shown_by(StopAfter(9)):
        predict(some, models, oof=True, inference=HERE, resumable=kept)
    with pytest.raises(MaskkitError, match="cannot resume") as caught:
        predict(some, models, oof=True, inference=replace(HERE, batch_size=11), resumable=kept)
    assert "batch_size was 10, is 11" in caught.value.why
    with pytest.raises(MaskkitError, match="cannot resume") as caught:
        predict(some, models[:2], oof=True, inference=HERE, resumable=kept)
    assert "an input file has other content" in caught.value.why
    own = torch.get_num_threads()
    with threads_of(own + 1), pytest.raises(MaskkitError, match="cannot resume") as caught:
        predict(some, models, oof=True, inference=HERE, resumable=kept)
    assert f"threads was {own}, is {own + 1}" in caught.value.why
    assert (
        as_bytes(predict(some, models, oof=True, inference=replace(HERE, workers=2), resumable=kept)) == whole
    )


def test_photos_that_were_mended_are_added(some: Manifest, models: list[Checkpoint], tmp_path: Path) -> None:
    root, kept = tmp_path / "images", left_by(tmp_path)
    shutil.copytree(here(some.root), root)
    ask = partial(predict, some.located(root=str(root)), models, oof=True, inference=HERE)
    (root / some.paths[30]).write_bytes(b"no photo")
    (root / some.paths[99]).unlink()
    assert len(ask(faults={}, resumable=kept)) == len(some) - 2
    for row in (30, 99):
        shutil.copy(here(some.root) / some.paths[row], root / some.paths[row])
    faults: dict[str, str] = {}
    count = StopAfter(10**6)
    with shown_by(count):
        mended = ask(faults=faults, resumable=kept)
    assert faults == {}
    assert count.done == 2  # batches
    assert as_bytes(mended) == as_bytes(ask())
