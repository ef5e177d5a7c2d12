"""The models of a prediction: which predicts what, and what their predictions add up to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess
from maskkit.artifacts.header import Input
from maskkit.artifacts.manifest import Manifest
from maskkit.engines.engine import chosen
from maskkit.imaging.dataset import even_parts
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.photos import Photos, find_photos
from maskkit.modeling.backbone import restore
from maskkit.modeling.device import resolve_device
from maskkit.modeling.runtimes import (
    Classifier,
    Resolved,
    fitted_classifier,
    predicting_precision,
    resolve_runtime,
)
from maskkit.options.shard import Shard
from maskkit.options.train_options import Device, Inference, Runtime
from maskkit.options.values import parse_tta
from maskkit.predicting.finished_rows import FinishedRows
from maskkit.predicting.prediction_tasks import Predicting, PredictionTask, Rows, Sums
from maskkit.progress import track


@dataclass(frozen=True)
class Assignment:
    """What the same models predict, batch by batch."""

    members: Sequence[int]  # which of the models
    rows: Rows  # that they predict
    parts: Sequence[slice]  # of these, those that are computed together

    def unfinished(self, settled: NDArray[np.bool_]) -> list[slice]:
        """Return the parts with a row that is not settled, (rows of the manifest,)."""
        return [part for part in self.parts if not settled[self.rows[part]].all()]

    @property
    def own(self) -> Rows:
        """The rows of its parts."""
        return np.concatenate([self.rows[part] for part in self.parts] or [self.rows[:0]])

    def among(self, rows: Rows) -> Assignment:
        """Return the same work on these rows alone, which are sorted and hold all of its own."""
        ends = np.cumsum([0, *(part.stop - part.start for part in self.parts)]).tolist()
        return Assignment(
            self.members, np.searchsorted(rows, self.own), [slice(*both) for both in pairwise(ends)]
        )


@dataclass(frozen=True)
class Members:
    """The models of a prediction."""

    checkpoints: Sequence[Checkpoint]  # of one label space
    precisions: Sequence[str]  # of each
    inference: Inference  # with device and runtime resolved
    or_torch: bool = False  # whether torch computes what the runtime cannot
    # Those made ready so far, and what computes each.
    _ready: dict[int, tuple[Classifier, Resolved]] = field(default_factory=dict, compare=False)

    @classmethod
    def resolve(cls, checkpoints: Sequence[Checkpoint], inference: Inference) -> Members:
        """Decide every `auto`, before any work.

        Raises:
            MaskkitError: There is no such device, precision, runtime or view.
        """
        device, tta = resolve_device(inference.device), str(parse_tta(inference.tta))
        runtime = resolve_runtime(inference.runtime, device)
        return cls(
            checkpoints,
            [predicting_precision(inference.precision, item.precision, device) for item in checkpoints],
            replace(inference, device=cast(Device, device.type), runtime=runtime, tta=tta),
            or_torch=inference.runtime == "auto",
        )

    @property
    def inputs(self) -> list[Input]:
        """What a record says of the models."""
        return [one.header.input_from(one.source) for one in self.checkpoints]

    def ready(self, index: int) -> tuple[Classifier, Resolved]:
        """Return one of the models, ready to predict, and what computes it."""
        if index not in self._ready:
            checkpoint = self.checkpoints[index]
            self._ready[index] = fitted_classifier(
                restore(checkpoint),
                runtime=cast(Resolved, self.inference.runtime),
                precision=self.precisions[index],
                device=torch.device(self.inference.device),
                size=(checkpoint.preprocess.height, checkpoint.preprocess.width),
                name=checkpoint.model,
                or_torch=self.or_torch,
            )
        return self._ready[index]

    def __reduce__(self) -> tuple[type[Members], tuple[Any, ...]]:
        """Let it travel without the models that are ready: another process makes its own so."""
        return Members, (self.checkpoints, self.precisions, self.inference, self.or_torch)

    def runtime_of(self, eligible: NDArray[np.bool_]) -> Runtime:
        """Return what computes the models needed; "auto" if several do, which decides the same again.

        Eligible is (models, rows).
        """
        used = {self.ready(index)[1] for index in np.flatnonzero(eligible.any(1)).tolist()}
        return used.pop() if len(used) == 1 else "auto"

    def assignments(self, eligible: NDArray[np.bool_], shard: Shard | None = None) -> list[Assignment]:
        """Return what each of the models has to do, by `eligible`, (models, rows), or a shard's share of it.

        Rows without a model are in none. A shard has whole batches, those that there are without it: what is
        computed together decides the last bit of a sum.
        """
        found = []
        for members, rows in _by_members(eligible):
            if not members:
                continue
            parts = even_parts(len(rows), self.inference.batch_size)
            found.append(Assignment(members, rows, parts if shard is None else parts[shard.of(len(parts))]))
        return found

    def sums(
        self,
        manifest: Manifest,
        work: Sequence[Assignment],
        *,
        progress: FinishedRows,
        faults: dict[int, str] | None = None,
    ) -> tuple[Sums, NDArray[np.bool_]]:
        """Add up the predictions of each photo, (rows, C); return also which rows are finished, (rows,).

        A batch with a photo that was not finished before is predicted again as a whole, so that the same
        photos are always computed together: after an interruption the sums are the same to the last bit.
        Rows finished now are added to the progress. `faults` takes what is wrong with rows that cannot be
        decoded; None to raise.
        """
        sums = np.zeros((len(manifest), len(manifest.space)))
        done = progress.read(sums)
        engine = chosen()
        tasks = list(self._tasks(manifest, work, done, faults, is_here=engine.batches_per_task is None))
        # All that is left of the command: models of several folds answer one after another.
        count = sum(one.photos for one in tasks)
        pieces = (piece for one in tasks for piece in one.divided(engine.batches_per_task))
        predict = Predicting(self, {index: self.ready(index)[1] for one in tasks for index in one.members})
        is_cuda = self.inference.device == "cuda"
        with engine.through(predict, pieces, threads=predict.threads, on_gpu=is_cuda) as predicted:
            for these, total, bad in track(predicted, count, "photos", size=lambda done: len(done[0])):
                if faults is not None:
                    faults |= bad
                new = np.array([not done[row] and row not in (faults or {}) for row in these.tolist()])
                sums[these[new]] = total[new]
                done[these[new]] = True
                progress.add(these[new], total[new])
        progress.write()
        return sums, done

    def _tasks(
        self,
        manifest: Manifest,
        work: Sequence[Assignment],
        done: NDArray[np.bool_],
        faults: dict[int, str] | None,
        *,
        is_here: bool,
    ) -> Iterator[PredictionTask]:
        """Yield what is unfinished of the work; photos are decoded into the cache, if there is one here."""
        photos: dict[Preprocess, Photos] = {}
        for one in work:
            if not one.unfinished(done):
                continue
            groups = []
            for preprocess, alike in self._by_preprocess(one.members).items():
                if preprocess not in photos:
                    find = open_photos if is_here else find_photos
                    photos[preprocess] = find(manifest, preprocess, faults=faults)
                groups.append((alike, photos[preprocess]))
            settled = done.copy()
            settled[list(faults or ())] = True
            yield PredictionTask(groups, one.rows, one.rows, one.unfinished(settled))

    def _by_preprocess(self, members: Sequence[int]) -> dict[Preprocess, list[int]]:
        """Return which models take photos in the same way: each photo is decoded once for all of these."""
        found: dict[Preprocess, list[int]] = {}
        for index in members:
            found.setdefault(self.checkpoints[index].preprocess, []).append(index)
        return found


def _by_members(eligible: NDArray[np.bool_]) -> Iterator[tuple[list[int], Rows]]:
    """Yield the rows that the same models predict, and these models, in the order of the rows."""
    patterns, first, number = np.unique(
        np.packbits(eligible, axis=0), axis=1, return_index=True, return_inverse=True
    )
    for one in np.argsort(first).tolist() if patterns.size else ():
        yield np.flatnonzero(eligible[:, first[one]]).tolist(), np.flatnonzero(number.ravel() == one)
