"""Plan a training that ends in time, from how fast this machine makes its steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import get_type_hints

import torch

from maskkit.artifacts.header import Record
from maskkit.errors import MaskkitError
from maskkit.options.plans import Rung, candidates, planned_names
from maskkit.options.train_options import TrainOptions
from maskkit.training.budget import Forecast, Pace, Paces, choose, group_of, pixels_of
from maskkit.training.fold_rows import FoldRows
from maskkit.training.rehearsal import rehearse
from maskkit.training.setup import settled
from maskkit.typed_json import fitting

log = logging.getLogger(__name__)

SHARE, LONGEST = 0.1, 10.0  # of the budget, and seconds, that measuring is to take at most


@dataclass(frozen=True)
class TrainingPlan:
    """A training that was chosen for its time; `train` takes its options, and no clock."""

    options: TrainOptions
    chosen: Rung  # what was planned of them
    pace: Pace
    spent: float  # seconds until it was made
    seconds: float  # that all folds take from then on

    @property
    def seconds_in_all(self) -> float:
        """When all is going to be done, from the beginning."""
        return self.spent + self.seconds


def plan(
    rows: FoldRows,
    *,
    options: TrainOptions | None = None,
    explicit: Collection[str] = (),
    seconds: float,
    folds: int = 1,
    spent: Callable[[], float] | None = None,
) -> TrainingPlan:
    """Choose the best known training of these photos that ends in so many seconds on this machine.

    A few steps are made of the smallest size, and of those that then seem to fit. All folds get the same
    plan, by the photos of the one given: trained otherwise, they were not of one training.

    Args:
        rows: The first fold to be trained.
        options: What is not planned.
        explicit: Names of options that stay as they are, although rungs say otherwise.
        seconds: The budget of all folds together.
        folds: How many are trained, one after another.
        spent: Tells how many seconds of the budget have passed; by default those of this call.

    Raises:
        MaskkitError: As `train`; or nothing is left to plan, or nothing fits.
    """
    begun = time.perf_counter()
    spent = spent or (lambda: time.perf_counter() - begun)
    options = options or TrainOptions()
    settled(options)  # which refuses before any step
    listed = candidates(options, explicit, rows.manifest.space)
    log.info("measuring how fast this machine trains")
    found = _forecast(rows, tuple(listed), seconds=seconds, folds=folds, spent=spent)
    return TrainingPlan(found.options, listed[found.options], found.pace, spent(), found.seconds)


def as_planned(options: TrainOptions, earlier: Record, explicit: Collection[str]) -> TrainOptions:
    """Return the options as they were planned for a training that is gone on with, by its record.

    Raises:
        MaskkitError: Nothing was left to plan, or the record has no such options.
    """

    def refuse(why: str) -> MaskkitError:
        return MaskkitError(
            "cannot go on with the plan of the earlier run",
            why=f"in its record, {why}",
            fix="use --force to start anew",
        )

    kinds, found = get_type_hints(TrainOptions), earlier.options
    names = planned_names(explicit)
    chosen = {name: fitting(found.get(name), kinds[name], refuse, at=name) for name in names}
    return replace(options, **chosen)


@torch.random.fork_rng()  # beginning a training sets the random numbers
def _forecast(
    rows: FoldRows,
    listed: Sequence[TrainOptions],
    *,
    seconds: float,
    folds: int,
    spent: Callable[[], float],
) -> Forecast:
    """Measure what seems to fit until that is what was measured, or until the time for it is over."""
    paces, until = Paces(), spent() + min(SHARE * seconds, LONGEST)

    def measure(one: TrainOptions) -> None:
        paces.note(one, rehearse(rows, one, seconds=until - spent()))

    smallest: dict[object, TrainOptions] = {}
    for one in sorted(listed, key=pixels_of):
        smallest.setdefault(group_of(one), one)
    for one in smallest.values():
        measure(one)
    while True:
        found = choose(listed, paces.of, seconds=seconds, spent=spent(), folds=folds)
        if paces.is_measured(found.options) or spent() > until:
            return found
        measure(found.options)
