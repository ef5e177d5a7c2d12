"""What training minimises: losses on every head, with classes weighed by rarity, and of unlabelled photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.labels import LabelSpace
from maskkit.modeling.heads import Heads, joint_logits, part_losses
from maskkit.modeling.losses import BATCHWISE, CONSISTENCIES, COUNTING, LOSSES, SCALED
from maskkit.modeling.losses.class_weights import class_weights
from maskkit.modeling.losses.cross_entropy import smoothed
from maskkit.modeling.losses.uda import annealed, annealing_threshold
from maskkit.modeling.target import Target
from maskkit.options.choices import Choice
from maskkit.options.techniques import UnlabeledShare
from maskkit.processes.team import Alone
from maskkit.training.feed import Whole

CONSISTENCY = "consistency"  # its name among the parts of the loss

Outputs = Tensor | Mapping[str, Tensor]


class Criterion:
    """The losses of a batch, by the head that they come from: the sum of some of LOSSES.

    All it knows of the classes is `counts`, photos per class among the rows trained on, (C,); `weighing` is a
    scheme of `class_weights`.
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        space: LabelSpace,
        losses: Sequence[Choice],
        weighing: Choice,
        device: torch.device,
    ) -> None:
        self.start = float(weighing.settings.get("start", 0.0))
        beta = {"beta": weighing.number("beta")} if "beta" in weighing.settings else {}
        self.losses = losses
        # By factor; None is the joint class.
        each: dict[int | None, NDArray[np.int64]] = {None: counts}
        each |= {index: factor_counts(counts, space, index) for index in range(len(space.factors))}
        tensors = {key: torch.from_numpy(numbers) for key, numbers in each.items()}
        self.counts = {key: tensor.to(device) for key, tensor in tensors.items()}
        self.weights, self.even = (
            {key: class_weights(tensor, scheme=scheme, **more).to(device) for key, tensor in tensors.items()}
            for scheme, more in ((weighing.name, beta), ("none", {}))
        )

    def __call__(
        self, heads: Heads | None, outputs: Outputs, target: Target, weight: Tensor, *, progress: float
    ) -> dict[str, Tensor]:
        """Return the loss of each example, (N,), for each part of the head, in its share of the whole.

        `outputs` are what the model, with `heads` or timm's own classifier (None), made of N examples while
        training. Their weights, (N,), are needed by losses of a whole batch only, the mean is the caller's.
        `progress` is the share of the epochs that are done, 0 to below 1: class weights may begin late
        (deferred re-weighting, Cao et al. 2019, algorithm 1, https://arxiv.org/abs/1906.07413).
        """
        by_class = self.weights if progress >= self.start else self.even

        def classify(logits: Tensor, truth: Tensor, factor: int | None, scale: float) -> Tensor:
            """Return the sum of losses, (N,), of logits (N, K) towards probabilities (N, K)."""
            total = torch.zeros((), device=logits.device)
            for choice in self.losses:
                given: dict[str, Any] = {**choice.settings, "weight": by_class[factor]}
                towards = smoothed(truth, smoothing=float(given.pop("smoothing", 0.0)))
                if choice.name in COUNTING:
                    given["counts"] = self.counts[factor]
                if choice.name in SCALED:
                    given["scale"] = scale
                if choice.name in BATCHWISE:
                    given["example_weight"] = weight
                total = total + choice.number("weight") * LOSSES[choice.name](logits, towards, **given)
            return total

        return part_losses(heads, outputs, target, classify)


def factor_counts(counts: NDArray[np.int64], space: LabelSpace, index: int) -> NDArray[np.int64]:
    """Return photos per level of one factor, (L,), from photos per class, (C,)."""
    others = tuple(axis for axis in range(len(space.factors)) if axis != index)
    return np.asarray(counts.reshape(space.shape).sum(axis=others), np.int64)


class Consistency:
    """What unlabelled photos add to the loss: one of CONSISTENCIES of two views' joint logits, in its weight.

    It is the mean over all unlabelled photos of the batch, whether their answer counts or not (equation 1 of
    UDA, equation 4 of FixMatch). What the model predicts is the same as in evaluation, of all its heads
    together and without margins, but with batch norm and dropout as they are in training.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.confident: list[Tensor] = []  # (photos,) each; on the device, so that no step waits for it

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Whole) -> dict[str, Tensor]:
        """Return by name what is added to the sum of the labelled photos' weighted losses, if anything.

        After division by the weight of the whole batch it is a mean. `outputs` are what the model made of M
        weak and then M strong views while training: of a part of the batch, if it is computed in parts.
        """
        if not whole.views:
            return {}
        given = self.choice.settings
        own = {name: given[name] for name in ("temperature", "threshold") if name in given}
        weak, strong = joint_logits(heads, outputs).chunk(2)  # (M, C)
        losses, confident = CONSISTENCIES[self.choice.name](weak, strong, **own)
        self.confident.append(confident)
        weight = self.choice.part(UnlabeledShare).weight
        return {CONSISTENCY: weight * losses.sum() / whole.views * whole.weight}

    def all_confident(self, team: Alone) -> list[Tensor]:
        """Return which photos of all processes have counted, (photos,) each."""
        if not self.confident:  # as in all of them
            return []
        return [one for of_process in team.gather(self.confident) for one in of_process]

    def take_share(self, team: Alone) -> float | None:
        """Return the share of photos whose answer has counted since the last call; None of no photos."""
        confident, self.confident = self.all_confident(team), []
        return float(torch.cat(confident).float().mean()) if confident else None


class Annealed:
    """A criterion that leaves labelled photos out while they are known better than they should be.

    The signal annealing of UDA: the loss of a photo whose class has a higher probability than the threshold
    is 0, and the mean is that of the others; of none, it is 0. If a batch is computed in parts, each has its
    own mean, which counts by the part's share of the batch, as with losses of a whole batch. `schedule` is
    how the threshold rises, and `progress` returns the share of the training's steps that are made.
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


def annealing_of(choice: Choice, criterion: Criterion, progress: Callable[[], float]) -> Criterion | Annealed:
    """Return the criterion of labelled photos, annealed if that was chosen."""
    schedule = str(choice.settings.get("annealing", "none"))
    return criterion if schedule == "none" else Annealed(criterion, schedule, progress)
