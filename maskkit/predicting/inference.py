"""Inference: from photos to class probabilities, the one way of held-out scoring and of `predict`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit import stopping
from maskkit.imaging.dataset import Inputs, Order, batches, even_parts
from maskkit.imaging.tensors import View, views_of
from maskkit.modeling.runtimes import (
    Classifier,
)
from maskkit.options.train_options import Inference
from maskkit.options.values import parse_tta
from maskkit.predicting.averaging import to_average
from maskkit.processes.team import ALONE, Alone, shares_of
from maskkit.progress import track
from maskkit.stopping import StopRequested

Blendable = NDArray[np.floating[Any]]  # (models, N, C): what `from_average` makes probabilities of
Rows = NDArray[np.int64]
Sums = NDArray[np.float64]


@dataclass(frozen=True)
class MemberGroup:
    """Models that take the same photos in the same way."""

    models: Sequence[Classifier]
    inputs: Inputs


def predict_batches(
    groups: Sequence[MemberGroup], rows: Rows, inference: Inference, *, parts: Sequence[slice] | None = None
) -> Iterator[tuple[slice, list[Blendable]]]:
    """Yield batch by batch which of the rows it holds, and what each group's models predict for them.

    Each photo is decoded once per group. Nothing is sampled, repeated or dropped. Rows, (rows,), are the same
    in the inputs of every group. The device is resolved. Parts are batches of `even_parts`; None for all.

    Raises:
        StopRequested: Between two batches: the process is to end, and has deferred that.
    """
    parts = even_parts(len(rows), inference.batch_size) if parts is None else parts
    views = views_of(parse_tta(inference.tta))
    loaders = [
        batches(
            group.inputs, Order(rows), batch_size=inference.batch_size, workers=inference.workers,
            pin_memory=inference.device == "cuda", parts=parts,
        )
        for group in groups
    ]  # fmt: skip
    for part, *batch_of_each in zip(parts, *loaders, strict=True):
        stopping.check()
        both = zip(groups, (values for _, values in batch_of_each), strict=True)
        yield part, [_predicted(group, values, views, inference) for group, values in both]


def probabilities(
    model: Classifier, inputs: Inputs, rows: Rows, inference: Inference, *, classes: int, team: Alone = ALONE
) -> NDArray[np.float32]:
    """Return a model's class probabilities, (rows, classes), of which each process computes some batches.

    Batches are those that there are without a team, so that these are the same to the last bit.
    """
    found = np.empty((len(rows), classes), np.float32)
    shares = scored_by(len(rows), inference.batch_size, team.world)
    own = shares[team.rank]
    count = sum(map(_length, own))
    batches_done = predict_batches([MemberGroup([model], inputs)], rows, inference, parts=own)
    try:
        for part, (predicted,) in track(batches_done, count, "photos", size=lambda done: _length(done[0])):
            found[part] = predicted[0]
    except StopRequested:
        if team.world == 1:
            raise  # else all end below, which others may reach unasked
    if team.world == 1:
        return found
    team.agree()
    for rank, answers in enumerate(team.gather([found[part] for part in own])):
        for part, answer in zip(shares[rank], answers, strict=True):
            found[part] = answer
    return found


def scored_by(rows: int, batch_size: int, world: int) -> list[list[slice]]:
    """Return the batches of so many rows that each process computes: the same ones each time."""
    parts = even_parts(rows, batch_size)
    return [parts[slice(*ends)] for ends in pairwise(shares_of(len(parts), world))]


def _length(part: slice) -> int:
    return int(part.stop - part.start)


@torch.inference_mode()
def _predicted(group: MemberGroup, values: Tensor, views: Sequence[View], inference: Inference) -> Blendable:
    """Return the mean over the views of what is averaged, (models, N, C)."""
    images, blend = group.inputs.prepare(values, torch.device(inference.device)), inference.blend
    found = []
    for model in group.models:
        each = [model(view(images)).softmax(1) for view in views]
        if blend == "mean":
            found.append(torch.stack(each).mean(0).cpu().numpy())
        else:
            found.append(np.mean([to_average(probs.cpu().numpy(), blend) for probs in each], axis=0))
    return np.stack(found)
