"""Photos without labels that a fold also learns from: how they are seen, and which come with each batch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.augment import TwoViews
from maskkit.imaging.dataset import Augment, Inputs, batches, even_parts, varied
from maskkit.imaging.photos import open_photos
from maskkit.imaging.sampling import shuffle
from maskkit.options.choices import Choice, parse_sum
from maskkit.options.techniques import AUGMENTATIONS
from maskkit.options.train_options import TrainOptions

log = logging.getLogger(__name__)

_UNLABELED = 2  # tells their random numbers from those of the labelled photos and of mixing

Views = tuple[Tensor, Tensor]  # a weak and a strong one of the same photos, (M, 3, H, W) each


@dataclass(frozen=True)
class Unlabeled:
    """Photos of which two views are shown, and no label is known.

    Args:
        inputs: The photos, as the model will see them.
        vary: Makes both views of each, (N, 2, ...).
        ratio: How many come with each labelled photo of a batch.
    """

    inputs: Inputs
    vary: Augment
    ratio: int

    def epoch(
        self, number: int, *, photos: int, options: TrainOptions, device: torch.device
    ) -> Iterator[Views]:
        """Yield views for each batch of an epoch; seed and number of the epoch decide everything about them.

        All photos come before one comes again. What an epoch has no place for, another may draw.

        Args:
            number: Of the epoch, counted from 1.
            photos: Labelled ones in the epoch.
            options: Of the training: seed, batch size, workers.
            device: Where views go.
        """
        random = np.random.default_rng((options.seed, number, _UNLABELED))
        every = np.arange(len(self.inputs))
        rows = shuffle(every, every, random, length=self.ratio * photos)
        order = varied(rows, self.vary, random)
        loader = batches(
            self.inputs, order, batch_size=options.batch_size, workers=options.workers,
            pin_memory=device.type == "cuda",
            parts=even_parts(photos, options.batch_size, times=self.ratio),
        )  # fmt: skip
        for _, values in loader:  # (M, 2, height, width, 3)
            weak, strong = values.unbind(1)
            yield self.inputs.prepare(weak, device), self.inputs.prepare(strong, device)


def open_unlabeled(
    manifest: Manifest,
    preprocess: Preprocess,
    options: TrainOptions,
) -> Unlabeled:
    """Return the photos of a manifest, prepared and weakly varied as those that are trained on.

    Args:
        manifest: As `read_unlabeled` returns it; only paths and boxes are read.
        preprocess: Of the model.
        options: Of the training.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    how = options.one("consistency")
    strong = parse_sum(str(how.settings["strong"]), AUGMENTATIONS, option="the strong view of --consistency")
    _warn_of_smoothing(how, options, classes=len(manifest.space))
    photos = open_photos(manifest, preprocess)
    return Unlabeled(photos, TwoViews(options.chosen("augment"), strong), how.whole("ratio"))


def _warn_of_smoothing(how: Choice, options: TrainOptions, *, classes: int) -> None:
    """Say so if smoothed targets keep even a perfect model below the threshold: few photos would count."""
    smoothing = min(float(loss.settings.get("smoothing", 0.0)) for loss in options.chosen("loss"))
    highest = 1 - smoothing + smoothing / classes
    if how.number("threshold") >= highest:
        log.warning(
            "--consistency %s learns from answers of %g and more, but --loss %s smooths its targets to %.3g, "
            "and few answers go beyond that: lower the threshold, or use --loss ce",
            how.name, how.number("threshold"), options.loss, highest,
        )  # fmt: skip
