"""What `predict` shows a model is what `train` scored it on, to the bit, and so are the scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.checks import BOX
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache
from maskkit.imaging.tensors import to_input
from maskkit.options.train_options import Inference, Precision, TrainOptions
from maskkit.stages.evaluate import evaluate
from maskkit.stages.predict import predict
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows

HELD_OUT = 56  # photos of fold 0


@pytest.fixture(scope="module")
def boxed(folds: Manifest) -> Manifest:
    """The photos with a face box each, but for every fifth."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 0.3, (len(folds), 2)), random.uniform(0.6, 1, (len(folds), 2))
    boxes = np.concatenate(corners, axis=1).astype(np.float32)
    rows = [None if row % 5 == 0 else box.tolist() for row, box in enumerate(boxes)]
    return folds.then("edit", {"box": pa.array(rows, BOX)})


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Every tensor that photos become, as it is handed to a model."""
    seen: list[torch.Tensor] = []

    def noting(*given: Any) -> torch.Tensor:
        seen.append(to_input(*given))
        return seen[-1].clone()

    monkeypatch.setattr("maskkit.imaging.photos.to_input", noting)
    return seen


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("is_cached", [False, True], ids=["decoded", "cached"])
def test_held_out_scoring_and_prediction_see_the_same_tensors(
    folds: Manifest,
    boxed: Manifest,
    quick: TrainOptions,
    tmp_path: Path,
    shown: list[torch.Tensor],
    is_cut: bool,
    is_cached: bool,
) -> None:
    manifest = boxed if is_cut else folds
    output = train(FoldRows.of(manifest, 0), tmp_path / "fold0.safetensors", options=replace(quick, epochs=1))
    scored = torch.cat(shown)[-HELD_OUT:]  # after those of training
    shown.clear()
    checkpoint = Checkpoint.read(output)
    assert (checkpoint.preprocess.crop is not None) == is_cut
    cache = Cache(tmp_path / "cache", 10**8) if is_cached else None
    inference = Inference("cpu", batch_size=5, workers=1, runtime="torch")
    predict(manifest.located(cache=cache), [checkpoint], oof=True, inference=inference)
    assert torch.equal(scored, torch.cat(shown))


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_score_of_the_held_out_fold_is_the_one_in_the_checkpoint(
    folds: Manifest, boxed: Manifest, quick: TrainOptions, tmp_path: Path, precision: Precision, is_cut: bool
) -> None:
    manifest = boxed if is_cut else folds
    options = replace(quick, precision=precision, head="factors+regression")
    checkpoint = Checkpoint.read(train(FoldRows.of(manifest, 0), tmp_path / "x.safetensors", options=options))
    inference = Inference("cpu", quick.batch_size, 0, runtime="torch", precision=precision)
    found = evaluate(manifest, predict(manifest, [checkpoint], oof=True, inference=inference))
    scores = checkpoint.header.facts["scores"]
    assert found.scores.photos == HELD_OUT
    assert found.scores.macro_f1.value == pytest.approx(scores["macro_f1"], abs=1e-12)
    assert found.scores.accuracy.value == pytest.approx(scores["accuracy"], abs=1e-12)
    assert found.log_loss == pytest.approx(scores["loss"], rel=1e-6)
