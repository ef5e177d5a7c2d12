"""Probabilities for photos: the one path that held-out scoring and `predict` both take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.config import Tta
from maskkit.imaging.dataset import Inputs, batch_count, batches, in_order
from maskkit.imaging.transforms import VIEWS
from maskkit.modeling.precision import autocast
from maskkit.progress import Track, untracked


def probabilities(
    models: Sequence[nn.Module],
    inputs: Inputs,
    rows: NDArray[np.int64],
    *,
    classes: int,
    precision: str,
    device: torch.device,
    batch_size: int,
    workers: int,
    tta: Tta = "none",
    track: Track = untracked,
) -> NDArray[np.float32]:
    """Return each model's class probabilities, (models, rows, classes), averaged over the views.

    Each photo is decoded once for all models. Nothing is sampled, repeated or dropped.
    """
    for model in models:
        model.eval()
    answers = np.empty((len(models), len(rows), classes), np.float32)
    loader = batches(
        inputs, in_order(rows), batch_size=batch_size, workers=workers, pin_memory=device.type == "cuda"
    )  # fmt: skip
    done = 0
    with torch.inference_mode():
        for _, values in track(loader, batch_count(len(rows), batch_size), "photos"):
            images = inputs.prepare(values, device)  # (N, 3, H, W)
            for index, model in enumerate(models):
                probs = _mean_over_views(model, images, tta, precision, device)  # (N, C)
                answers[index, done : done + len(values)] = probs.cpu().numpy()
            done += len(values)
    return answers


def _mean_over_views(
    model: nn.Module, images: Tensor, tta: Tta, precision: str, device: torch.device
) -> Tensor:
    views = VIEWS[tta]
    with autocast(device, precision):
        logits = [model(view(images)) for view in views]
    return torch.stack([each.float().softmax(1) for each in logits]).mean(0)
