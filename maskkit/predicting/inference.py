"""Probabilities for photos: the one path that held-out scoring and `predict` both take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.imaging.dataset import Inputs, batches, even_parts, in_order
from maskkit.imaging.views import View, views_of
from maskkit.modeling.runtimes import Classifier
from maskkit.options.values import Tta
from maskkit.predicting.averaging import to_average
from maskkit.progress import track

Answers = NDArray[np.floating[Any]]  # (models, N, C): what `from_average` makes probabilities of


@dataclass(frozen=True)
class Speakers:
    """Models that take the same photos in the same way."""

    models: Sequence[Classifier]
    inputs: Inputs


@dataclass(frozen=True)
class Asking:
    """How models are asked.

    Args:
        device: Where they are.
        batch_size: Photos at a time, at most.
        workers: Threads that prepare the next photos.
        tta: Views of each photo that are averaged.
        blend: How, as in `scoring.averaging`.
    """

    device: torch.device
    batch_size: int
    workers: int
    tta: Tta = field(default_factory=Tta)
    blend: str = "mean"


def answers(
    groups: Sequence[Speakers],
    rows: NDArray[np.int64],
    asking: Asking,
    *,
    parts: Sequence[slice] | None = None,
) -> Iterator[tuple[slice, list[Answers]]]:
    """Yield batch by batch which of the rows it holds, and what each group's models say of them.

    Each photo is decoded once per group. Nothing is sampled, repeated or dropped.

    Args:
        groups: Who is asked.
        rows: Photos, (rows,); the same in the inputs of every group.
        asking: How.
        parts: Only these batches, of those that `even_parts` names; None for all.
    """
    parts = even_parts(len(rows), asking.batch_size) if parts is None else parts
    views = views_of(asking.tta)
    loaders = [
        batches(
            group.inputs, in_order(rows), batch_size=asking.batch_size, workers=asking.workers,
            pin_memory=asking.device.type == "cuda", parts=parts,
        )
        for group in groups
    ]  # fmt: skip
    for part, *batch_of_each in track(zip(parts, *loaders, strict=True), len(parts), "photos"):
        both = zip(groups, (values for _, values in batch_of_each), strict=True)
        yield part, [_said(group, values, views, asking) for group, values in both]


def probabilities(
    models: Sequence[Classifier],
    inputs: Inputs,
    rows: NDArray[np.int64],
    *,
    classes: int,
    device: torch.device,
    batch_size: int,
    workers: int,
) -> NDArray[np.float32]:
    """Return each model's class probabilities, (models, rows, classes)."""
    found = np.empty((len(models), len(rows), classes), np.float32)
    asking = Asking(device, batch_size, workers)
    for part, (said,) in answers([Speakers(models, inputs)], rows, asking):
        found[:, part] = said
    return found


@torch.inference_mode()
def _said(group: Speakers, values: Tensor, views: Sequence[View], asking: Asking) -> Answers:
    images = group.inputs.prepare(values, asking.device)  # (N, 3, H, W)
    return np.stack([_over_views(model, images, views, asking.blend) for model in group.models])


def _over_views(model: Classifier, images: Tensor, views: Sequence[View], blend: str) -> Answers:
    """Return the mean over the views of what is averaged, (N, C)."""
    said = [model(view(images)).softmax(1) for view in views]
    if blend == "mean":
        return np.asarray(torch.stack(said).mean(0).cpu().numpy())
    return np.asarray(np.mean([to_average(probs.cpu().numpy(), blend) for probs in said], axis=0))
