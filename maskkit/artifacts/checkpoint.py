"""Checkpoints: one safetensors file that holds one trained fold and all that using it needs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from maskkit.artifacts.files import Source, write_whole
from maskkit.artifacts.header import KEY, Header
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.options.train_options import Precision

if TYPE_CHECKING:  # `maskkit show` reads checkpoints without loading torch
    from torch import Tensor

LARGEST_HEADER = 1 << 30
REDUCTION = "dct+area"
FACTS = ("model", "heads", "preprocess", "precision", "fold", "epoch", "scores", "seen")


@dataclass(frozen=True)
class Crop:
    """How photos are cut to the face in them."""

    # Share of the face box added on each side, before the box is widened to the shape of the model's input.
    margin: float
    fallback: tuple[float, float, float, float]  # box for photos without one, as fractions of the photo


@dataclass(frozen=True)
class Preprocess:
    """From a decoded photo to the numbers a model takes; the same in training and prediction."""

    height: int  # pixels; the photo, or what it is cut to, is resized to height x width as a whole
    width: int  # pixels
    mean: tuple[float, ...]  # per channel, of values between 0 and 1
    std: tuple[float, ...]  # per channel, likewise
    interpolation: str  # filter by which photos smaller than that are enlarged
    crop: Crop | None = None  # how a photo is cut to the manifest's `box` before; None if it is not
    # How larger ones are reduced: `dct+area` decodes a JPEG at the nearest larger half, quarter or eighth of
    # its size, and averages areas from there.
    reduction: str = REDUCTION

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocess:
        """Read the form that `dataclasses.asdict` returns, back from JSON.

        Raises:
            MaskkitError: Photos were prepared in a way that this version does not have.
        """
        if data.get("reduction") != REDUCTION:
            raise MaskkitError(
                f"the checkpoint's photos were reduced by {data.get('reduction', 'Pillow alone')}",
                why=f"this version reduces them by {REDUCTION}, and the model has seen no such photos",
                fix="train it again, or predict with the version that trained it",
            )
        crop = data.get("crop") or None  # false, before there was a margin
        if crop is True:
            raise MaskkitError(
                "the checkpoint's photos were cut to the face without a margin",
                why="this version adds one and keeps the shape, and the model has seen no such photos",
                fix="train it again, or predict with the version that trained it",
            )
        if crop is not None:
            crop = Crop(crop["margin"], tuple(crop["fallback"]))
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"]), "crop": crop})


@dataclass(frozen=True)
class CheckpointFacts:
    """What a checkpoint's header says beside its label space and history."""

    model: str  # the timm model's name
    preprocess: Preprocess
    precision: str  # in which it was trained and scored
    fold: int  # that was held out
    epoch: int  # that the weights are of
    scores: Mapping[str, float]  # on the held-out fold
    seen: Seen  # whom it was trained on
    heads: Sequence[str] = ("joint",)  # the parts of its head, as `str(choice)` writes them
    pool: str = "default"  # how its features are pooled

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in headers."""
        return {
            "model": self.model,
            "pool": self.pool,
            "heads": list(self.heads),
            "preprocess": asdict(self.preprocess),
            "precision": self.precision,
            "fold": self.fold,
            "epoch": self.epoch,
            "scores": dict(self.scores),
            "seen": self.seen.to_json(),
        }


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's header, and where its weights are."""

    header: Header  # label space, history, and the facts below
    source: Source  # the file's bytes; the weights are read from them on demand

    @classmethod
    def read(cls, source: Source | Path | str) -> Checkpoint:
        """Read a checkpoint's header; nothing in the file is ever executed or unpickled."""
        source = source if isinstance(source, Source) else Source.open(source)
        header = checkpoint_header(source)
        lacking = [name for name in FACTS if name not in header.facts]
        if lacking:
            raise MaskkitError(
                f"{source.title} does not say its {', '.join(lacking)}",
                why="without it, photos cannot be prepared and scored as in training",
                fix="give a checkpoint as `maskkit train` wrote it",
            )
        return cls(header, source)

    @property
    def name(self) -> str:
        """The checkpoint as the user knows it."""
        return self.source.title

    @property
    def space(self) -> LabelSpace:
        """The classes the model tells apart."""
        assert self.header.space is not None
        return self.header.space

    @property
    def model(self) -> str:
        """The timm model's name."""
        return str(self.header.facts["model"])

    @property
    def heads(self) -> tuple[str, ...]:
        """The parts of its head, each with its settings."""
        return tuple(self.header.facts["heads"])

    @property
    def pool(self) -> str:
        """How its features are pooled; timm's own way before there was a choice."""
        return str(self.header.facts.get("pool", "default"))

    @property
    def fold(self) -> int:
        """The fold that was held out."""
        return int(self.header.facts["fold"])

    @property
    def precision(self) -> Precision:
        """The precision it was trained and scored in."""
        return cast(Precision, self.header.facts["precision"])

    @property
    def preprocess(self) -> Preprocess:
        """How photos become tensors."""
        return Preprocess.from_json(self.header.facts["preprocess"])

    @property
    def seen(self) -> Seen:
        """Whom the model was trained on."""
        return Seen.from_json(self.header.facts["seen"])

    def weights(self) -> dict[str, Tensor]:
        """Return the state dict."""
        from safetensors.torch import load

        return load(self.source.data.to_pybytes())


def checkpoint_header(source: Source) -> Header:
    """Read the header alone, also of a version that wrote fewer facts than predicting takes."""
    metadata = _metadata(source)
    if KEY not in metadata:
        raise MaskkitError(
            f"{source.title} has no maskkit header",
            why="it is a safetensors file, but not one that `maskkit train` wrote",
            fix=f"to start training from it, use `maskkit train --weights {source.name}`",
        )
    return Header.from_json(metadata[KEY], name=source.title, kind="checkpoint")


def has_header(source: Source) -> bool:
    """Whether a safetensors file is maskkit's; weights of another program have no such header."""
    return KEY in _metadata(source)


def write_checkpoint(path: Path, weights: Mapping[str, Tensor], header: Header) -> None:
    """Write a checkpoint, whole or not at all; equal content gives equal bytes."""
    from safetensors.torch import save

    # safetensors refuses tensors that share memory (tied weights), so each is its own copy.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    write_whole(path, save(copies, metadata={KEY: header.to_json()}))


def _metadata(source: Source) -> dict[str, str]:
    data = memoryview(source.data)
    try:
        (length,) = struct.unpack("<Q", data[:8])
        if length > min(len(data) - 8, LARGEST_HEADER):
            raise ValueError("its header is longer than the file")
        header = json.loads(bytes(data[8 : 8 + length]))
        ends = [item["data_offsets"][1] for name, item in header.items() if name != "__metadata__"]
        if ends and 8 + length + max(ends) != len(data):
            raise ValueError("it is cut off")
        return dict(header.get("__metadata__", {}))
    except (struct.error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise MaskkitError(
            f"{source.title} is not a safetensors file",
            why=f"{error}" if data else "it is empty",
            fix="give a checkpoint that `maskkit train` wrote",
        ) from error
