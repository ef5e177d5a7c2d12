"""What a frozen backbone makes of each photo, computed once and shared by folds, heads and losses.

In float32, so that the scores of a head are those of what `predict` makes of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.cache.records import Records, RecordsInMemory, StoredRecords
from maskkit.cache.store import Keys, Store
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import Augment, Drawn, Rows
from maskkit.imaging.kept_photos import opened
from maskkit.imaging.photos import Photos, Pixels
from maskkit.imaging.tensors import to_input
from maskkit.modeling.device import prepare
from maskkit.modeling.frozen import Backbone, backbone_digest, divide
from maskkit.options.choices import Choice, parse_sum
from maskkit.options.model_settings import of_the_answers
from maskkit.options.techniques import AUGMENTATIONS
from maskkit.processes.team import Alone, shares_of
from maskkit.progress import moved, track

VIEWS = 4  # of each photo, if photos are varied: as it is, and varied in three ways
FEATURES = "computing features"  # what progress calls it
BATCH = 64  # always as many, filled up if need be: a batch's size changes results in the last digits
ROUND = 32 * BATCH  # photos whose features a process computes before all tell each other

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """Features in place of photos."""

    kept: Records  # one per photo, float32 (views, features) each; view 0 is the photo as it is
    made: Floats | None = None  # made-up features behind them, (M, features), the same in every view
    size = None  # features have neither height nor width

    def __len__(self) -> int:
        return len(self.kept) + (0 if self.made is None else len(self.made))

    def take(self, rows: NDArray[np.int64]) -> Floats:
        """Return these rows' features in all views, float32 (rows, views, features)."""
        if self.made is None:
            return self.kept.take(rows)
        is_made = rows >= len(self.kept)
        known = self.kept.take(rows[~is_made])
        values = np.empty((len(rows), *known.shape[1:]), np.float32)
        values[~is_made], values[is_made] = known, self.made[rows[is_made] - len(self.kept), None]
        return values

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
class FeatureMaker:
    """Shows photos to a frozen backbone."""

    backbone: Backbone  # with the head that was cut off
    name: str  # of the model, in timm
    weights: str  # digest of the backbone's
    device: torch.device
    augment: str  # how photos are varied for all views but the first
    settings: str = ""  # of the model, on which features depend beside its weights

    @classmethod
    def of(
        cls, model: nn.Module, photos: Photos, *, built: Choice, device: torch.device, augment: str,
        dropout: float,
    ) -> FeatureMaker:  # fmt: skip
        """Divide a timm model, `built` by this choice, which is left as it is, in evaluation mode.

        Raises:
            MaskkitError: The model is not made of features and one layer on them.
        """
        backbone = divide(prepare(model, "float32", device), size=photos.size, dropout=dropout)
        digest = backbone_digest(model)
        return cls(backbone, built.name, digest, device, augment, of_the_answers(built))

    @property
    def views(self) -> int:
        """How many views of each photo are shown."""
        return 1 if self.augment == "none" else VIEWS

    def features_of(self, photos: Photos) -> Features:
        """Compute each photo's features, or find them in the photos' cache."""
        keys = photos.keys()
        make = partial(self.make, photos, keys)
        if photos.cache is not None:
            kept = photos.cache.records(self.store(photos), keys, make, what=FEATURES)
            if kept is not None:
                return Features(kept)
        rows = np.arange(len(photos))
        parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        made = np.concatenate([make(part) for part in track(parts, len(rows), FEATURES, size=len)])
        return Features(RecordsInMemory(made, rows))

    def lacking(self, photos: Photos) -> int:
        """Return of how many photos the features are not in the photos' cache."""
        return (
            len(photos) if photos.cache is None else photos.cache.lacking(self.store(photos), photos.keys())
        )

    def store(self, photos: Photos) -> Store:
        """Return the store of features, named by all that they depend on beside the photo."""
        facts = {
            "weights": self.weights,
            "settings": self.settings,
            "device": self.device.type,
            "augment": self.augment,
            "views": self.views,
            "preprocess": asdict(photos.preprocess),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        name = f"features-{self.name.replace('/', '-')}-{digest}"
        return Store(name, (self.views, self.backbone.width), np.dtype(np.float32))

    def make(self, photos: Photos, keys: Keys, rows: NDArray[np.int64]) -> Floats:
        """Return the features of these photos in every view, (rows, views, features)."""
        augment = augmentation(parse_sum(self.augment, AUGMENTATIONS, option="--augment"))
        made = np.empty((len(rows), self.views, self.backbone.width), np.float32)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            pixels = photos.take(part)
            for view in range(self.views):
                seen = pixels if augment is None or view == 0 else _varied(augment, pixels, keys[part], view)
                made[start : start + BATCH, view] = self._extract(seen, photos.preprocess)
            moved(len(part))
        return made

    @torch.inference_mode()
    def _extract(self, pixels: Pixels, preprocess: Preprocess) -> Floats:
        filled = np.zeros((BATCH, *pixels.shape[1:]), np.uint8)
        filled[: len(pixels)] = pixels
        images = to_input(torch.from_numpy(filled), preprocess, self.device)
        return self.backbone.extract(images)[: len(pixels)].cpu().numpy()


def features_by(team: Alone, maker: FeatureMaker, photos: Photos) -> Features:
    """Compute each photo's features in shares, one of each process, and keep them in the cache of every host.

    A process reads and decodes its share alone. What all caches have is not computed.

    Raises:
        MaskkitError: A photo cannot be decoded, or a cache could not keep them.
    """
    own = np.arange(*shares_of(len(photos), team.world)[team.rank : team.rank + 2])
    keys = np.concatenate(team.gather(photos.only(own).keys()))
    store, cache = maker.store(photos), photos.cache
    if cache is not None and len(keys) * store.record_bytes > cache.limit:
        cache = None
    absent = np.ones(len(keys), np.bool_) if cache is None else cache.absent(store, keys)
    to_do = np.flatnonzero(np.any(team.gather(absent), axis=0))
    ends = shares_of(len(to_do), team.world)
    mine = to_do[slice(*ends[team.rank : team.rank + 2])]
    here, made = opened(photos.only(mine)), np.empty((0, *store.shape), np.float32)
    if cache is None:
        made = np.empty((len(keys), *store.shape), np.float32)
    places = np.arange(len(mine))
    rounds = [places[start : start + ROUND] for start in range(0, max(np.diff(ends)), ROUND)]
    for these in track(rounds, len(mine), FEATURES, size=len):
        every = team.gather((mine[these], maker.make(here, keys[mine], these)))
        rows, values = (np.concatenate(each) for each in zip(*every, strict=True))
        if cache is None:
            made[rows] = values
        elif team.is_first_of_host:
            _need(cache.records(store, keys[rows], values.__getitem__, what="keeping features"))
    team.agree(is_stoppable=False)  # the caches are filled
    if cache is None:
        return Features(RecordsInMemory(made, np.arange(len(keys))))
    return Features(_need(cache.records(store, keys, partial(maker.make, photos, keys), what=FEATURES)))


def _need(records: StoredRecords | None) -> StoredRecords:
    if records is None:
        raise MaskkitError(
            "the features of these photos cannot be kept",
            why="the cache has no room for them, or cannot be written",
            fix="free some space, or name another --cache",
        )
    return records


def _varied(augment: Augment, pixels: Pixels, keys: Keys, view: int) -> Pixels:
    """Vary the photos, each by its own content: it does not matter which others are with it."""
    randoms = [np.random.default_rng([view, *key.tolist()]) for key in keys]
    drawn = [augment.draw(np.array([place]), random) for place, random in enumerate(randoms)]
    return augment(pixels, np.concatenate(drawn))
