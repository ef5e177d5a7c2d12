"""Probabilities for photos: the one path that held-out scoring and `predict` both take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.config import Tta
from maskkit.imaging.dataset import Inputs, batch_count, batches, in_order
from maskkit.imaging.transforms import VIEWS
from maskkit.modeling.runtimes import Classifier
from maskkit.progress import Track, untracked


def probabilities(
    models: Sequence[Classifier],
    inputs: Inputs,
    rows: NDArray[np.int64],
    *,
    classes: int,
    device: torch.device,
    batch_size: int,
    workers: int,
    tta: Tta = "none",
    track: Track = untracked,
) -> NDArray[np.float32]:
    """Return each model's class probabilities, (models, rows, classes), averaged over the views.

    Each photo is decoded once for all models. Nothing is sampled, repeated or dropped.
    """
    answers = np.empty((len(models), len(rows), classes), np.float32)
    loader = batches(
        inputs, in_order(rows), batch_size=batch_size, workers=workers, pin_memory=device.type == "cuda"
    )  # fmt: skip
    done = 0
    with torch.inference_mode():
        for _, values in track(loader, batch_count(len(rows), batch_size), "photos"):
            images = inputs.prepare(values, device)  # (N, 3, H, W)
            for index, model in enumerate(models):
                probs = _mean_over_views(model, images, tta)  # (N, C)
                answers[index, done : done + len(values)] = probs.cpu().numpy()
            done += len(values)
    return answers


def _mean_over_views(model: Classifier, images: Tensor, tta: Tta) -> Tensor:
    return torch.stack([model(view(images)).softmax(1) for view in VIEWS[tta]]).mean(0)
