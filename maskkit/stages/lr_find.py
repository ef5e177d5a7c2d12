"""Find the learning rate to train with: a few steps at rising rates, by the very loop of `train`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

import torch

from maskkit.artifacts.header import Record
from maskkit.artifacts.script import script
from maskkit.errors import MaskkitError
from maskkit.modeling.device import recorded_threads
from maskkit.options.train_options import OF_A_WHOLE_TRAINING, TrainOptions
from maskkit.reporting.rates_report import rates_report
from maskkit.reporting.report import Report
from maskkit.training.fold_rows import FoldRows
from maskkit.training.loop import train_step
from maskkit.training.range_test import Curve, check_rates, range_test
from maskkit.training.setup import inputs_of, settled
from maskkit.training.setup import start as start_training
from maskkit.training.trainer import Trainer

SHOWN = ("model", "optimizer", "batch_size", "loss")  # that a page names first: a rate depends on them


@dataclass(frozen=True)
class SuggestedRate:
    """A learning rate, and what it was found with."""

    curve: Curve  # the losses at all rates, the suggestion, and its rule
    photos: int  # that are trained on
    record: Record  # of the test
    history: tuple[Record, ...]  # of what is trained on

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the suggestion first."""
        points = zip(self.curve.rates, self.curve.losses, self.curve.smoothed, strict=True)
        return {
            "suggestion": self.curve.suggestion,
            "rule": self.curve.rule,
            "stopped": self.curve.stopped,
            "photos": self.photos,
            "curve": [dict(zip(("rate", "loss", "smoothed"), point, strict=True)) for point in points],
            "made_by": self.record.to_json(),
        }


@torch.random.fork_rng()  # beginning a training sets the random numbers
def lr_find(
    rows: FoldRows,
    *,
    options: TrainOptions | None = None,
    start: float = 1e-6,
    end: float = 1.0,
    steps: int = 100,
) -> SuggestedRate:
    """Train for a few steps at rising rates, and suggest the highest rate for a training.

    Model, photos, loss and steps are those of `train` with the same options in its first epoch; the rate of
    each group of parameters keeps its ratio to the backbone's, which goes from `start` to `end`. Photos are
    gone through again if there are too few for so many steps; nothing is learnt from what is held out.
    Nothing is scored, and nothing kept.

    Raises:
        MaskkitError: As `train`; or rates do not rise, the model is to learn in phases, or nothing is learnt.
    """
    check_rates(start, end)
    options = options or TrainOptions()
    freeze = options.one("freeze").name
    if freeze not in ("none", "all"):
        raise MaskkitError(
            f"cannot test learning rates with --freeze {freeze}",
            why="a test has no epochs, in which more and more of the model would begin to learn",
            fix="leave --freeze out: a rate at which the whole model learns is one for a part of it",
        )
    if options.one("consistency").settings.get("annealing", "none") != "none":
        raise MaskkitError(
            "cannot test learning rates with an annealing of --consistency uda",
            why="a test has no epochs, in which more and more photos would be let in",
            fix="leave the annealing out",
        )
    # At a rate of 1, the rates of the optimizer's groups are their ratios to the backbone's. Of an average of
    # the weights nothing is scored.
    options = replace(settled(options), learning_rate=1.0, average="none")
    ready = start_training(rows, options)
    trainer = Trainer(ready.trainable, ready.fold, ready.options)
    curve = range_test(_step_of(trainer), start=start, end=end, steps=steps)
    given = ready.options.to_json().items()
    chosen = {name: value for name, value in given if name not in OF_A_WHOLE_TRAINING}
    settings = {"fold": rows.fold, **chosen, "start": start, "end": end, "steps": steps, **rows.options}
    record = Record("lr-find", settings, inputs_of(rows, options), found=recorded_threads(options.device))
    return SuggestedRate(curve, len(rows.training), record, rows.history)


def report(found: SuggestedRate, *, manifest: str, output: str | None = None) -> Report:
    """Lay out the losses by rate, for the manifest of this name; the numbers are written to `output`."""
    options = found.record.options
    facts = {"Manifest": manifest, "Held-out fold": str(options["fold"]), "Photos": f"{found.photos:,}"}
    facts |= {name.replace("_", " ").capitalize(): str(options[name]) for name in SHOWN}
    return rates_report(
        found.curve,
        data=found.to_json(),
        recipe=f"[train]\nlearning-rate = {found.curve.suggestion:g}",
        title=f"Learning rate for {manifest}",
        facts=facts,
        history=script((*found.history, found.record), output=output),
    )


def _step_of(trainer: Trainer) -> Callable[[float], float]:
    """Return what trains on one more batch at a rate, and returns its loss before the step."""
    learner = trainer.learner
    batches = chain.from_iterable(trainer.batches(epoch, is_tracked=False) for epoch in count(1))

    def step(rate: float) -> float:
        for group, ratio in zip(learner.optimizer.param_groups, learner.schedule.highest, strict=True):
            group["lr"] = ratio * rate
        parts = train_step(learner, batch := next(batches), progress=0.0)
        return float(sum(parts.values()) / batch.whole.weight)

    return step
