"""What a frozen backbone makes of each photo, computed once and shared by folds, heads and losses.

In float32, so that a head is scored on what `predict` will answer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.cache.records import Keys, Records, Store
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import Drawn, Rows, batch_count
from maskkit.imaging.photos import Photos, Pixels
from maskkit.imaging.tensors import to_input
from maskkit.modeling.device import prepare
from maskkit.modeling.frozen import Backbone, Head, backbone_digest, divide
from maskkit.modeling.heads import timm_dropout
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import AUGMENTATIONS
from maskkit.options.train_options import TrainOptions
from maskkit.progress import track
from maskkit.training.fold import Fold

VIEWS = 4  # of each photo, if photos are varied: as it is, and varied in three ways
BATCH = 64  # always as many, filled up if need be: a batch's size changes results in the last digits

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """Features in place of photos.

    Args:
        kept: A record per photo, float32 (views, features) each; view 0 is the photo as it is.
    """

    kept: Records

    def __len__(self) -> int:
        return len(self.kept)

    def take(self, rows: NDArray[np.int64]) -> Floats:
        """Return these photos' features in all views, float32 (rows, views, features)."""
        return self.kept.take(rows)  # type: ignore[return-value]

    @property
    def size(self) -> None:
        """Features have neither height nor width."""
        return

    def prepare(self, batch: Tensor, device: torch.device) -> Tensor:
        """Return the features, (N, F), of the view that was drawn or else of the photo as it is."""
        return (batch if batch.ndim == 2 else batch[:, 0]).to(device, non_blocking=True)


class DrawnView:
    """The augmentation of frozen training: each photo in one of its views."""

    def __init__(self, views: int) -> None:
        self.views = views

    def draw(self, rows: Rows, random: np.random.Generator) -> Drawn:
        """Draw a view for each photo, (rows,)."""
        return random.integers(0, self.views, len(rows))

    def __call__(self, values: Floats, drawn: Drawn) -> Floats:
        """Return the view drawn for each photo, (N, features) of (N, views, features)."""
        return values[np.arange(len(values)), drawn]


@dataclass(frozen=True)
class Showing:
    """How photos are shown to a frozen backbone.

    Args:
        backbone: What is shown to.
        name: The model's, in timm.
        weights: Digest of the backbone's.
        device: Where it is.
        augment: How photos are varied for all views but the first.
    """

    backbone: Backbone
    name: str
    weights: str
    device: torch.device
    augment: str

    @property
    def views(self) -> int:
        """How many views of each photo are shown."""
        return 1 if self.augment == "none" else VIEWS


def freeze(
    model: nn.Module,
    fold: Fold,
    photos: Photos,
    options: TrainOptions,
) -> tuple[Head, Fold]:
    """Return the head of a model as a model of its own, and the fold with features in place of photos.

    Args:
        model: A timm model; it is left as it is, in evaluation mode.
        fold: What is learnt and scored.
        photos: Those of the fold.
        options: With device and precision resolved.

    Raises:
        MaskkitError: The model is not made of features and one layer on them.
    """
    device = torch.device(options.device)
    dropout = timm_dropout(options.chosen("head"))
    backbone = divide(prepare(model, "float32", device), size=photos.size, dropout=dropout)
    name = options.one("model").name
    showing = Showing(backbone, name, backbone_digest(model), device, options.augment)
    features = features_of(showing, photos)
    return backbone.head, replace(fold, inputs=features, vary=DrawnView(showing.views))


def features_of(showing: Showing, photos: Photos) -> Features:
    """Compute each photo's features, or find them in the photos' cache.

    Args:
        showing: To which model, and how.
        photos: Their pixels.
    """
    keys = photos.keys()
    maker = _Maker(showing, photos, keys)
    if photos.cache is not None:
        store = Store(_store_name(showing, photos), maker.shape, np.dtype(np.float32))
        kept = photos.cache.records(store, keys, maker, what="computing features")
        if kept is not None:
            return Features(kept)
    rows = np.arange(len(photos))
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    made = [maker(part) for part in track(parts, batch_count(len(rows), BATCH), "computing features")]
    return Features(Records(np.concatenate(made), rows))


def _store_name(showing: Showing, photos: Photos) -> str:
    """Name the store by all that features depend on beside the photo."""
    facts = {
        "weights": showing.weights,
        "device": showing.device.type,
        "augment": showing.augment,
        "views": showing.views,
        "preprocess": asdict(photos.preprocess),
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return f"features-{showing.name.replace('/', '-')}-{digest}"


class _Maker:
    """Shows photos to the backbone."""

    def __init__(self, showing: Showing, photos: Photos, keys: Keys) -> None:
        self.showing, self.photos, self.keys = showing, photos, keys
        self.augment = augmentation(parse_sum(showing.augment, AUGMENTATIONS, option="--augment"))
        self.shape = (showing.views, showing.backbone.width)

    def __call__(self, rows: NDArray[np.int64]) -> Floats:
        """Return the features of these photos in every view, (rows, views, features)."""
        made = np.empty((len(rows), *self.shape), np.float32)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            pixels = self.photos.take(part)
            for view in range(self.showing.views):
                made[start : start + BATCH, view] = self._extract(self._seen(part, pixels, view))
        return made

    def _seen(self, rows: NDArray[np.int64], pixels: Pixels, view: int) -> Pixels:
        """Vary the photos, each by its own content: it does not matter which others are with it."""
        if self.augment is None or view == 0:
            return pixels
        randoms = [np.random.default_rng([view, *self.keys[row].tolist()]) for row in rows]
        drawn = [self.augment.draw(rows[[place]], random) for place, random in enumerate(randoms)]
        return self.augment(pixels, np.concatenate(drawn))

    @torch.inference_mode()
    def _extract(self, pixels: Pixels) -> Floats:
        filled = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        filled[: len(pixels)] = pixels
        images = to_input(torch.from_numpy(filled), self.photos.preprocess, self.showing.device)
        return self.showing.backbone.extract(images)[: len(pixels)].cpu().numpy()
