"""Whatever engine works on photos, what comes of it has the bytes of this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pyarrow as pa
import pytest
import torch
from elsewhere import elsewhere
from local_places import here

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.resumable import Resumable
from maskkit.engines.engine import ThisProcess, chosen
from maskkit.errors import MaskkitError
from maskkit.imaging import each_photo, survey
from maskkit.imaging.photos import Photos
from maskkit.imaging.surveyed import surveyed
from maskkit.modeling.device import threads_of
from maskkit.options.train_options import Inference
from maskkit.predicting.members import Members
from maskkit.predicting.prediction_tasks import Predicting, PredictionTask
from maskkit.stages.crop import crop
from maskkit.stages.label import label
from maskkit.stages.predict import predict


def test_without_a_choice_this_process_works_on_photos() -> None:
    assert isinstance(chosen(), ThisProcess)


def assert_same(make: Callable[[], pa.Buffer]) -> int:
    """Make it here and elsewhere; return in how many tasks."""
    ours = make()
    with elsewhere() as engine:
        assert make().equals(ours)
    return engine.tasks


@pytest.fixture
def spoilt(folds: Manifest, tmp_path: Path) -> Manifest:
    """One photo of which cannot be read."""
    shutil.copytree(here(folds.root), tmp_path / "images")
    (tmp_path / "images" / folds.paths[41]).write_bytes(b"no photo")
    given = Manifest.read(Source("folds.parquet", folds.to_bytes()))
    return given.located(root=str(tmp_path / "images"))


def test_manifests_and_surveys(train_csv: Path, spoilt: Manifest) -> None:
    assert assert_same(lambda: label(train_csv).to_bytes()) == 168
    assert assert_same(lambda: surveyed(spoilt).to_bytes()) == 168


def test_faces(labels: Manifest, tmp_path: Path) -> None:
    detector = tmp_path / "red.onnx"
    detector.write_bytes(networks.centerface())
    given = Manifest.read(Source("labels", labels.to_bytes()))

    def make() -> pa.Buffer:
        return crop(given, detector=str(detector)).manifest.to_bytes()

    assert assert_same(make) == 168


@pytest.mark.parametrize("oof", [False, True])
def test_predictions(spoilt: Manifest, checkpoints: list[Path], oof: bool) -> None:
    models = [Checkpoint.read(path) for path in checkpoints]

    def make() -> pa.Buffer:
        faults: dict[str, str] = {}
        inference = Inference("cpu", 16, 0, runtime="torch")
        found = predict(spoilt, models, oof=oof, allow_leak=not oof, inference=inference, faults=faults)
        assert faults == {spoilt.paths[41]: "not a photo"}
        return found.encode("parquet")

    assert assert_same(make) == 6  # of two batches each, but for the last of each fold


def test_a_photo_that_cannot_be_read_is_an_error_as_here(spoilt: Manifest, checkpoints: list[Path]) -> None:
    models = [Checkpoint.read(path) for path in checkpoints]
    with elsewhere(), pytest.raises(MaskkitError, match=r"cannot read the photo .*\.jpg"):
        predict(spoilt, models, oof=True, inference=Inference("cpu", 16, 0, runtime="torch"))


def test_what_is_kept_is_gone_on_with(
    labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(each_photo, "KEPT_EVERY", 50)
    monkeypatch.setattr(each_photo, "SETTLED", -1)
    output = tmp_path / "survey.parquet"
    with elsewhere():
        whole = surveyed(labels, resumable=Resumable([output]))
        monkeypatch.setattr("maskkit.imaging.survey.measure", _one_more_would_be_too_many(18))
        again = surveyed(labels, resumable=Resumable([output], resume=True))
    assert again.to_bytes() == whole.to_bytes()


def _one_more_would_be_too_many(most: int) -> Callable[..., object]:
    seen: list[object] = []
    real: Callable[..., object] = survey.measure

    def measure(file: Path, entry: object, *, scale: int) -> object:
        seen.append(file)
        assert len(seen) <= most
        return real(file, entry, scale=scale)

    return measure


def test_another_runtime_or_number_of_threads_is_not_taken_silently(checkpoints: list[Path]) -> None:
    models = [Checkpoint.read(path) for path in checkpoints[:1]]
    members = Members.resolve(models, Inference("cpu", 16, 0, runtime="torch"))
    photos = Photos.of_pixels(np.zeros((1, 32, 32, 3), np.uint8), models[0].preprocess)
    nothing = PredictionTask([((0,), photos)], np.arange(0), np.arange(0), [])
    with threads_of(2):
        predicting = Predicting(members, {0: "torch"})
    with threads_of(1):
        assert list(predicting(nothing)) == []
        assert torch.get_num_threads() == 2
    other = replace(predicting, computed_by={0: "openvino"}, threads=torch.get_num_threads())
    with pytest.raises(MaskkitError, match=r"a worker computes .* by torch"):
        list(other(nothing))
