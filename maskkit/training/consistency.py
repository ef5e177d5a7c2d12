"""What a training asks of photos without labels: the same answer to a weak and to a strong view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from maskkit.modeling.heads import Heads, joint_logits
from maskkit.modeling.losses import CONSISTENCIES
from maskkit.modeling.losses.uda import annealed, annealing_threshold
from maskkit.modeling.target import Target
from maskkit.options.choices import Choice
from maskkit.training.criterion import Criterion
from maskkit.training.feed import Batch

PART = "consistency"  # its name among the parts of the loss

Outputs = Tensor | Mapping[str, Tensor]


class Consistency(Protocol):
    """What a step adds to the loss of labelled photos."""

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Batch) -> dict[str, Tensor]:
        """Return what is added to the sum of the labelled photos' weighted losses, by name.

        Args:
            heads: Of the model; None for timm's own classifier.
            outputs: What it made of M weak and then M strong views while training; of a part of the batch,
                if it is computed in parts.
            whole: The batch.
        """

    def take_share(self) -> float | None:
        """Return the share of photos whose answer counted since this was last asked; None of no photos."""


class NoConsistency:
    """Nothing: the consistency of a training that has labelled photos alone."""

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """Add nothing."""
        return {}

    def take_share(self) -> None:
        """Return that there were no photos."""
        return


class TwoViewConsistency:
    """A loss of two views' joint logits, in its weight.

    It is the mean over all unlabelled photos of the batch, whether their answer counts or not (equation 1 of
    UDA, equation 4 of FixMatch). What the model says is the same as in evaluation, of all its heads together
    and without margins, but with batch norm and dropout as they are in training.

    Args:
        choice: Of CONSISTENCIES, with its settings.
    """

    def __init__(self, choice: Choice) -> None:
        settings = {
            name: choice.settings[name] for name in ("temperature", "threshold") if name in choice.settings
        }
        self.loss = partial(CONSISTENCIES[choice.name], **settings)
        self.weight = choice.number("weight")
        self._confident: list[Tensor] = []  # (photos,) each; on the device, so that no step waits for it

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Batch) -> dict[str, Tensor]:
        """Return the weighted loss, so that after division by the batch's weight it is a mean."""
        assert whole.views is not None
        weak, strong = joint_logits(heads, outputs).chunk(2)  # (M, C)
        losses, confident = self.loss(weak, strong)
        self._confident.append(confident)
        photos = len(whole.views[0])
        return {PART: self.weight * losses.sum() / photos * whole.weight.sum()}

    def take_share(self) -> float | None:
        """Return the share of photos that were confident since it was last asked."""
        confident, self._confident = self._confident, []
        return float(torch.cat(confident).float().mean()) if confident else None


class Annealed:
    """A criterion that leaves labelled photos out while they are known better than they should be.

    The signal annealing of UDA: the loss of a photo whose class has a higher probability than the threshold
    is 0, and the mean is that of the others; of none, it is 0. If a batch is computed in parts, each has its
    own mean, which counts by the part's share of the batch, as with losses of a whole batch.

    Args:
        criterion: Of labelled photos.
        schedule: How the threshold rises; one of ANNEALINGS.
        progress: Tells the share of the training's steps that are made.
    """

    def __init__(self, criterion: Criterion, schedule: str, progress: Callable[[], float]) -> None:
        self.criterion, self.schedule, self.progress = criterion, schedule, progress

    def __call__(
        self, heads: Heads | None, outputs: Outputs, target: Target, weight: Tensor, *, progress: float
    ) -> dict[str, Tensor]:
        """Return the losses by part of the head, (N,), so that their mean is that of the photos that stay."""
        classes = target.classes.shape[1]
        threshold = annealing_threshold(self.schedule, self.progress(), classes=classes)
        stays = annealed(joint_logits(heads, outputs), target.classes, threshold=threshold)  # (N,)
        left = weight * stays
        losses = self.criterion(heads, outputs, target, left, progress=progress)
        factor = stays * weight.sum() / left.sum().clamp_min(torch.finfo(left.dtype).tiny)
        return {name: values * factor for name, values in losses.items()}


def consistency_of(choice: Choice) -> Consistency:
    """Return what was chosen."""
    return NoConsistency() if choice.name == "none" else TwoViewConsistency(choice)


def annealing_of(choice: Choice, criterion: Criterion, progress: Callable[[], float]) -> Criterion | Annealed:
    """Return the criterion of labelled photos, annealed if that was chosen."""
    schedule = str(choice.settings.get("annealing", "none"))
    return criterion if schedule == "none" else Annealed(criterion, schedule, progress)
