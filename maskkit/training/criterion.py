"""What training minimises: losses on every head, with classes weighed by rarity, and of unlabelled photos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

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
from maskkit.training.feed import Batch

CONSISTENCY = "consistency"  # its name among the parts of the loss

Outputs = Tensor | Mapping[str, Tensor]


@dataclass(frozen=True)
class _Term:
    """One loss of the sum: the function with its settings, the smoothing of its targets, and its weight."""

    name: str
    loss: Callable[..., Tensor]
    smoothing: float
    weight: float


class Criterion:
    """The losses of a batch, by the head that they come from.

    All it knows of the classes is counted in the rows trained on.

    Args:
        counts: Photos per class among the rows trained on, (C,).
        space: The classes.
        losses: Of LOSSES, with their settings.
        weighing: Of the classes, by a scheme of `class_weights`.
        device: Where the model is.
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
        self.terms = [_term(choice) for choice in losses]
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

        Args:
            heads: Of the model; None for timm's own classifier.
            outputs: What it made of N examples while training.
            target: What they are trained towards.
            weight: Of each example, (N,); only losses of a whole batch need it, the mean is the caller's.
            progress: Share of the epochs that are done, 0 to below 1: class weights may begin late
                (deferred re-weighting, Cao et al. 2019, algorithm 1, https://arxiv.org/abs/1906.07413).
        """
        by_class = self.weights if progress >= self.start else self.even
        return part_losses(heads, outputs, target, partial(self._classify, by_class, weight))

    def _classify(
        self,
        by_class: dict[int | None, Tensor],
        weight: Tensor,
        logits: Tensor,
        target: Tensor,
        factor: int | None,
        scale: float,
    ) -> Tensor:
        """Return the sum of losses, (N,), of logits (N, K) towards probabilities (N, K)."""
        total = torch.zeros((), device=logits.device)
        for term in self.terms:
            more: dict[str, object] = {}
            if term.name in COUNTING:
                more["counts"] = self.counts[factor]
            if term.name in SCALED:
                more["scale"] = scale
            if term.name in BATCHWISE:
                more["example_weight"] = weight
            losses = term.loss(
                logits, smoothed(target, smoothing=term.smoothing), weight=by_class[factor], **more
            )
            total = total + term.weight * losses
        return total


def factor_counts(counts: NDArray[np.int64], space: LabelSpace, index: int) -> NDArray[np.int64]:
    """Return photos per level of one factor, (L,), from photos per class, (C,)."""
    others = tuple(axis for axis in range(len(space.factors)) if axis != index)
    return np.asarray(counts.reshape(space.shape).sum(axis=others), np.int64)


class NoConsistency:
    """What a step adds to the loss of labelled photos: nothing, where there are no others."""

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """Return what is added to the sum of the labelled photos' weighted losses, by name.

        Args:
            heads: Of the model; None for timm's own classifier.
            outputs: What it made of M weak and then M strong views while training; of a part of the batch,
                if it is computed in parts.
            whole: The batch.
        """
        return {}

    def take_share(self) -> float | None:
        """Return the share of photos whose answer has counted since the last call; None of no photos."""
        return None


class TwoViewConsistency(NoConsistency):
    """A loss of two views' joint logits, in its weight.

    It is the mean over all unlabelled photos of the batch, whether their answer counts or not (equation 1 of
    UDA, equation 4 of FixMatch). What the model predicts is the same as in evaluation, of all its heads
    together and without margins, but with batch norm and dropout as they are in training.

    Args:
        choice: Of CONSISTENCIES, with its settings.
    """

    def __init__(self, choice: Choice) -> None:
        own = {
            name: choice.settings[name] for name in ("temperature", "threshold") if name in choice.settings
        }
        self.loss = partial(CONSISTENCIES[choice.name], **own)
        self.weight = choice.part(UnlabeledShare).weight
        self._confident: list[Tensor] = []  # (photos,) each; on the device, so that no step waits for it

    def __call__(self, heads: Heads | None, outputs: Outputs, *, whole: Batch) -> dict[str, Tensor]:
        """Return the weighted loss, so that after division by the batch's weight it is a mean."""
        assert whole.views is not None
        weak, strong = joint_logits(heads, outputs).chunk(2)  # (M, C)
        losses, confident = self.loss(weak, strong)
        self._confident.append(confident)
        return {CONSISTENCY: self.weight * losses.sum() / len(whole.views[0]) * whole.weight.sum()}

    def take_share(self) -> float | None:
        """Return the share of photos that were confident since the last call."""
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
        progress: Returns the share of the training's steps that are made.
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


def consistency_of(choice: Choice) -> NoConsistency:
    """Return what was chosen."""
    return NoConsistency() if choice.name == "none" else TwoViewConsistency(choice)


def annealing_of(choice: Choice, criterion: Criterion, progress: Callable[[], float]) -> Criterion | Annealed:
    """Return the criterion of labelled photos, annealed if that was chosen."""
    schedule = str(choice.settings.get("annealing", "none"))
    return criterion if schedule == "none" else Annealed(criterion, schedule, progress)


def _term(choice: Choice) -> _Term:
    own = {key: value for key, value in choice.settings.items() if key not in ("smoothing", "weight")}
    smoothing = float(choice.settings.get("smoothing", 0.0))
    return _Term(choice.name, partial(LOSSES[choice.name], **own), smoothing, choice.number("weight"))
