"""Predicting as an engine takes it: tasks of photos and batches, and what is done with each.

The batches of a task are those that there are without tasks: what is computed together, and in how many
threads, decides the last bit of a sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.imaging.photos import Photos
from maskkit.modeling.runtimes import Classifier, Resolved
from maskkit.predicting.inference import MemberGroup, predict_batches

if TYPE_CHECKING:
    from maskkit.predicting.members import Members

Rows = NDArray[np.int64]
Sums = NDArray[np.float64]
Predicted = tuple[Rows, Sums, dict[int, str]]  # rows of the manifest, (N,), sums, (N, C), faults


@dataclass(frozen=True)
class PredictionTask:
    """Photos that the same models predict, and in which batches."""

    groups: Sequence[tuple[Sequence[int], Photos]]  # which models take which photos in the same way
    rows: Rows  # of the manifest, (N,)
    places: Rows  # of these rows among the photos, (N,)
    parts: Sequence[slice]  # of both: what is computed together

    @property
    def members(self) -> list[int]:
        """Which of the models."""
        return [index for alike, _ in self.groups for index in alike]

    @property
    def photos(self) -> int:
        """How many photos its parts have."""
        return sum(part.stop - part.start for part in self.parts)

    def divided(self, batches: int | None) -> Iterator[PredictionTask]:
        """Yield it in tasks of so many batches each, with their own photos alone; None for it as it is."""
        if batches is None:
            yield self
            return
        for start in range(0, len(self.parts), batches):
            some = self.parts[start : start + batches]
            own = np.concatenate([np.arange(part.start, part.stop) for part in some])
            ends = np.cumsum([0, *(part.stop - part.start for part in some)]).tolist()
            groups = [(alike, photos.among(self.places[own])) for alike, photos in self.groups]
            parts = [slice(*both) for both in pairwise(ends)]
            yield PredictionTask(groups, self.rows[own], np.arange(len(own)), parts)


@dataclass(frozen=True)
class Predicting:
    """Predicts, here or wherever an engine takes it."""

    members: Members
    computed_by: Mapping[int, Resolved]  # what has to compute each of the models that are needed
    threads: int = field(default_factory=torch.get_num_threads)  # in which torch computes here

    def __call__(self, task: PredictionTask) -> Iterator[Predicted]:
        """Yield batch by batch what the models' predictions add up to.

        Raises:
            MaskkitError: Another runtime computes a model where this is; or as `predict_batches`.
        """
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        groups = [MemberGroup([self._ready(one) for one in alike], photos) for alike, photos in task.groups]
        for part, found in predict_batches(groups, task.places, self.members.inference, parts=task.parts):
            total = np.asarray(sum(each.sum(0, dtype=np.float64) for each in found))  # (N, C)
            rows, places = task.rows[part], task.places[part].tolist()
            bad = {
                row: photos.faults[place]
                for _, photos in task.groups
                for row, place in zip(rows.tolist(), places, strict=True)
                if photos.faults and place in photos.faults
            }
            yield rows, total, bad

    def _ready(self, index: int) -> Classifier:
        classifier, runtime = self.members.ready(index)
        if runtime != self.computed_by[index]:
            raise MaskkitError(
                f"a worker computes {self.members.checkpoints[index].name} by {runtime}",
                why=f"here {self.computed_by[index]} computes it, and the last bits would differ",
                fix="install the same packages on all machines, or use --runtime torch",
            )
        return classifier
