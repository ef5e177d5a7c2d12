"""Ask each model about the photos it may speak of, and keep what is finished on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.dataset import even_parts
from maskkit.imaging.photos import Photos, open_photos
from maskkit.modeling.backbone import restore
from maskkit.modeling.runtimes import Classifier, Resolved, classifier
from maskkit.predicting.inference import Asking, Speakers, answers
from maskkit.predicting.progress_file import Finished

Sums = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Models:
    """Trained models, and what computes them.

    Args:
        checkpoints: Of one label space.
        precisions: Of each.
        runtime: Of all.
        asking: How they are asked.
    """

    checkpoints: Sequence[Checkpoint]
    precisions: Sequence[str]
    runtime: Resolved
    asking: Asking

    def restored(self, index: int) -> Classifier:
        """Return one of them, ready to be asked."""
        checkpoint = self.checkpoints[index]
        return classifier(
            restore(checkpoint),
            runtime=self.runtime,
            precision=self.precisions[index],
            device=self.asking.device,
            size=(checkpoint.preprocess.height, checkpoint.preprocess.width),
        )


def sums_of(
    manifest: Manifest,
    models: Models,
    speaks: NDArray[np.bool_],
    *,
    kept: Finished,
    faults: dict[int, str] | None = None,
) -> tuple[Sums, NDArray[np.bool_]]:
    """Add up what the models say of each photo, (rows, C); and tell which rows are finished, (rows,).

    A batch of which a photo was not finished before is asked about again as a whole, so that the same
    photos are always computed together: after an interruption the sums are the same to the last bit.

    Args:
        manifest: The photos.
        models: Who is asked.
        speaks: Which model answers for which row, (models, rows); at least one for each.
        kept: Rows that were finished before, which is told of those that are now.
        faults: Where to note what is wrong with rows that cannot be decoded; None to raise.
    """
    sums = np.zeros((len(manifest), len(manifest.space)))
    done = kept.read(sums)
    photos: dict[Preprocess, Photos] = {}
    ready: dict[int, Classifier] = {}
    for members, rows in _heard_together(speaks):
        if done[rows].all():
            continue
        ways = _ways(models, members)
        for way in [way for way in ways if way not in photos]:
            photos[way] = open_photos(manifest, way, faults=faults)
        ready |= {index: models.restored(index) for index in members if index not in ready}
        groups = [Speakers([ready[index] for index in same], photos[way]) for way, same in ways.items()]
        parts = _unfinished(rows, done, faults or {}, models.asking.batch_size)
        for part, said in answers(groups, rows, models.asking, parts=parts):
            total = np.asarray(sum(one.sum(0, dtype=np.float64) for one in said))  # (N, C)
            new = np.array([not done[row] and row not in (faults or {}) for row in rows[part].tolist()])
            sums[rows[part][new]] = total[new]
            done[rows[part][new]] = True
            kept.add(rows[part][new], total[new])
    kept.write()
    return sums, done


def _heard_together(speaks: NDArray[np.bool_]) -> Iterator[tuple[list[int], Rows]]:
    """Yield the rows that the same models answer for, and these models, in the order of the rows."""
    patterns, first, number = np.unique(
        np.packbits(speaks, axis=0), axis=1, return_index=True, return_inverse=True
    )
    for one in np.argsort(first).tolist() if patterns.size else ():
        yield np.flatnonzero(speaks[:, first[one]]).tolist(), np.flatnonzero(number.ravel() == one)


def _ways(models: Models, members: Sequence[int]) -> dict[Preprocess, list[int]]:
    """Group models that take photos in the same way, so that each is decoded once for them."""
    found: dict[Preprocess, list[int]] = {}
    for index in members:
        found.setdefault(models.checkpoints[index].preprocess, []).append(index)
    return found


def _unfinished(rows: Rows, done: NDArray[np.bool_], faults: Mapping[int, str], size: int) -> list[slice]:
    """Return the batches with a row that is not finished, and of which no fault is known."""
    settled = done.copy()
    settled[list(faults)] = True
    return [part for part in even_parts(len(rows), size) if not settled[rows[part]].all()]
