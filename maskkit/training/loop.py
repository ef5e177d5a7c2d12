"""An epoch of training and its step, from batches to weights: read it top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.device import autocast
from maskkit.modeling.heads import Heads, divided
from maskkit.processes.team import ALONE, Alone
from maskkit.training.average import NoAverage
from maskkit.training.criterion import Annealed, Consistency, Criterion
from maskkit.training.feed import Batch
from maskkit.training.first_steps import FirstSteps
from maskkit.training.schedule import Schedule
from maskkit.training.unfinished import EpochSums

CHECK_EVERY = 20  # steps between looks at the loss for NaN; each look makes a GPU wait


@dataclass(frozen=True)
class Learner:
    """All that a step moves, and what it is moved by."""

    model: nn.Module  # what learns, on its device; it carries the weights
    network: nn.Module  # what computes a step: the model, or a compiled view of it
    heads: Heads | None  # the model's; None for timm's own classifier
    criterion: Criterion | Annealed  # of labelled photos
    consistency: Consistency  # what photos without labels add
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # of gradients in float16; in other precisions it does nothing
    schedule: Schedule  # of the optimizer's rates
    average: NoAverage  # of the weights
    precision: str  # in which the network computes
    clip: float  # largest norm of the gradient; 0 for any
    accumulate: int  # parts in which a batch is computed, for less memory
    first_steps: FirstSteps  # whether anything is learnt
    statistics: Sequence[Tensor] = ()  # of the photos, that batch norm keeps
    team: Alone = ALONE  # of processes that compute each step together


def train_epoch(
    learner: Learner, batches: Iterable[Batch], *, progress: float, sums: EpochSums | None = None
) -> dict[str, float]:
    """Take a step per batch, and return the mean loss, by part of the head and of consistency.

    The learner is in training mode; `progress` is the share of the epochs that are done. `sums` are of the
    steps that were made before the first of these batches, and go on with each.

    Raises:
        MaskkitError: The loss is no longer finite, or nothing is learnt.
        StopRequested: Between two steps: a process is to end, and has deferred that.
    """
    sums = EpochSums() if sums is None else sums
    for batch in batches:
        learner.team.agree()
        for name, value in train_step(learner, batch, progress=progress).items():
            sums.totals[name] = sums.totals.get(name, 0) + value  # stays on the device: no sync per step
        learner.schedule.step()  # per step, not per epoch
        learner.average.after_step()
        sums.weight = sums.weight + batch.whole.weight
        sums.steps += 1
        if sums.steps % CHECK_EVERY == 0:
            _stop_on_nan(sums)
    learner.team.agree()
    _stop_on_nan(sums)
    return {name: float(total / sums.weight) for name, total in sums.totals.items()}


def train_step(learner: Learner, batch: Batch, *, progress: float) -> dict[str, Tensor]:
    """Move the weights by a batch, and return the sum of its weighted losses before, by part.

    Raises:
        MaskkitError: After the first steps it is seen that nothing is learnt.
    """
    with learner.team.exchanging():
        sums = _gradients(learner, batch, progress=progress)
        learner.team.add(list(sums.values()))
        learner.team.mean(learner.statistics)  # of shares: so all processes have the same model
    learner.first_steps.look(batch.images)
    learner.scaler.unscale_(learner.optimizer)
    if learner.clip:
        nn.utils.clip_grad_norm_(learner.model.parameters(), learner.clip)
    learner.scaler.step(learner.optimizer)
    learner.scaler.update()
    learner.optimizer.zero_grad(set_to_none=True)
    return sums


def _gradients(learner: Learner, batch: Batch, *, progress: float) -> dict[str, Tensor]:
    """Add up the gradients of a batch, and return the sum of its weighted losses, by part.

    Of a share of a batch, the sum is of that share, and the gradients are those of the whole batch.
    """
    sums: dict[str, Tensor] = {}
    parts = batch.parts(learner.accumulate)
    for number, part in enumerate(parts, 1):
        is_last = number == len(parts)
        with nullcontext() if is_last else learner.team.unsummed(learner.network):
            with autocast(batch.weight.device, learner.precision):
                outputs = learner.network(part.shown)
            labelled, views = divided(outputs, len(part.weight))
            # {part of the head: (N,)}
            losses = learner.criterion(learner.heads, labelled, part.target, part.weight, progress=progress)
            weighted = {name: (values * part.weight).sum() for name, values in losses.items()}
            weighted |= learner.consistency(learner.heads, views, whole=batch.whole)
            # For the whole batch: parts of it add up to the gradient that the batch at once would have. The
            # team takes the mean of its processes' gradients, of which the sum is wanted.
            loss = torch.stack(list(weighted.values())).sum() / batch.whole.weight * learner.team.world
            learner.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for name, value in weighted.items():
            sums[name] = sums.get(name, 0) + value.detach()
    return sums


def _stop_on_nan(sums: EpochSums) -> None:
    step = sums.steps
    broken = [name for name, total in sums.totals.items() if not bool(total.isfinite())]
    if broken:
        raise diverged(
            f"the training loss of {broken[0]} is no longer finite, between steps "
            f"{max(1, step - CHECK_EVERY + 1)} and {step} of the epoch"
        )


def diverged(what: str) -> MaskkitError:
    """Return the error of a training whose weights are of no use any more."""
    return MaskkitError(
        what,
        why="the weights have diverged; going on would save a broken model",
        fix="lower --learning-rate (`maskkit lr-find` suggests one), or use --precision float32, with "
        "--force to start anew; what was saved after the last epoch is unchanged",
    )
