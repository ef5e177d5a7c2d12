"""Checkpoints: one safetensors file that holds one trained fold and all that using it needs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
LATER_FACTS = ("pool", "model_settings")  # that the first versions did not write


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
        """Read what `asdict` returned; raise a MaskkitError if this version prepares photos otherwise."""
        crop = data.get("crop") or None  # false, before there was a margin
        differs = None
        if data.get("reduction") != REDUCTION:
            differs = f"reduced by {data.get('reduction', 'Pillow alone')}", f"reduces them by {REDUCTION}"
        elif crop is True:
            differs = "cut to the face without a margin", "adds one and keeps the shape"
        if differs:
            raise MaskkitError(
                f"the checkpoint's photos were {differs[0]}",
                why=f"this version {differs[1]}, and the model has seen no such photos",
                fix="train it again, or predict with the version that trained it",
            )
        if crop is not None:
            crop = Crop(crop["margin"], tuple(crop["fallback"]))
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"]), "crop": crop})


@dataclass(frozen=True, kw_only=True)
class CheckpointFacts:
    """What a checkpoint's header says beside its label space and history."""

    model: str  # the timm model's name
    pool: str = "default"  # how its features are pooled; timm's own way before there was a choice
    # What else its constructor was given, by name; sizes are lists. Nothing before there was a choice.
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    heads: Sequence[str] = ("joint",)  # the parts of its head, as `str(choice)` writes them
    preprocess: Preprocess
    precision: Precision  # in which it was trained and scored
    fold: int  # that was held out
    epoch: int  # that the weights are of
    scores: Mapping[str, float]  # on the held-out fold
    seen: Seen  # whom it was trained on

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in headers."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "preprocess": asdict(self.preprocess),
            "seen": self.seen.to_json(),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint(CheckpointFacts):
    """A checkpoint: what its header says, and where its weights are."""

    header: Header  # label space, history, and the facts
    source: Source  # the file's bytes; the weights are read from them on demand

    @classmethod
    def read(cls, source: Source | Path | str) -> Checkpoint:
        """Read a checkpoint's header; nothing in the file is ever executed or unpickled.

        Raises:
            MaskkitError: It is none, lacks a fact, or prepares photos as this version does not.
        """
        source = source if isinstance(source, Source) else Source.open(source)
        header = checkpoint_header(source, needed=FACTS)
        known = (*FACTS, *LATER_FACTS)
        facts: dict[str, Any] = {key: value for key, value in header.facts.items() if key in known}
        facts |= {
            "heads": tuple(facts["heads"]),
            "preprocess": Preprocess.from_json(facts["preprocess"]),
            "seen": Seen.from_json(facts["seen"]),
        }
        return cls(**facts, header=header, source=source)

    @property
    def name(self) -> str:
        """The checkpoint as the user knows it."""
        return self.source.title

    @property
    def space(self) -> LabelSpace:
        """The classes the model tells apart."""
        assert self.header.space is not None
        return self.header.space

    def weights(self) -> dict[str, Tensor]:
        """Return the state dict."""
        from safetensors.torch import load

        return load(self.source.data.to_pybytes())


def checkpoint_header(source: Source, *, needed: Sequence[str] = ()) -> Header:
    """Read the header alone, also of a version that wrote fewer facts, unless some are `needed`."""
    metadata = _metadata(source)
    if KEY not in metadata:
        raise MaskkitError(
            f"{source.title} has no maskkit header",
            why="it is a safetensors file, but not one that `maskkit train` wrote",
            fix=f"to start training from it, use `maskkit train --weights {source.name}`",
        )
    header = Header.from_json(metadata[KEY], name=source.title, kind="checkpoint")
    lacking = [name for name in needed if name not in header.facts]
    if lacking:
        raise MaskkitError(
            f"{source.title} does not say its {', '.join(lacking)}",
            why="without it, photos cannot be prepared and scored as in training",
            fix="give a checkpoint as `maskkit train` wrote it",
        )
    return header


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
