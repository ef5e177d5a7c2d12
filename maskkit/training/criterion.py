"""What training minimises: a weighted sum of losses on every head, with classes weighed by rarity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskkit.labels import LabelSpace
from maskkit.modeling.heads import Heads, part_losses
from maskkit.modeling.losses import BATCHWISE, COUNTING, LOSSES, SCALED
from maskkit.modeling.losses.class_weights import class_weights
from maskkit.modeling.losses.cross_entropy import smoothed
from maskkit.modeling.target import Target
from maskkit.options.choices import Choice
from maskkit.options.train_options import TrainOptions


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
        options: Which losses and class weights.
        device: Where the model is.
    """

    def __init__(
        self, counts: NDArray[np.int64], space: LabelSpace, options: TrainOptions, device: torch.device
    ) -> None:
        weighing = options.one("class_weights")
        self.start = float(weighing.settings.get("start", 0.0))
        beta = {"beta": weighing.number("beta")} if "beta" in weighing.settings else {}
        self.terms = [_term(choice) for choice in options.chosen("loss")]
        # By factor; None is the joint class.
        each: list[tuple[int | None, NDArray[np.int64]]] = [(None, counts)]
        each += [(index, factor_counts(counts, space, index)) for index in range(len(space.factors))]
        tensors = {key: torch.from_numpy(numbers) for key, numbers in each}
        self.counts = {key: numbers.to(device) for key, numbers in tensors.items()}
        self.weights = {
            key: class_weights(numbers, scheme=weighing.name, **beta).to(device)
            for key, numbers in tensors.items()
        }
        self.even = {
            key: class_weights(numbers, scheme="none").to(device) for key, numbers in tensors.items()
        }

    def __call__(
        self,
        heads: Heads | None,
        outputs: Tensor | Mapping[str, Tensor],
        target: Target,
        weight: Tensor,
        *,
        progress: float,
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


def _term(choice: Choice) -> _Term:
    own = {key: value for key, value in choice.settings.items() if key not in ("smoothing", "weight")}
    smoothing = float(choice.settings.get("smoothing", 0.0))
    return _Term(choice.name, partial(LOSSES[choice.name], **own), smoothing, choice.number("weight"))
