"""Checkpoints: one safetensors file that holds one trained fold and all that using it needs."""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, MOST_INPUTS, Fold, Header, damaged_header
from maskkit.artifacts.publishing import write_whole
from maskkit.artifacts.seal import SAFETENSORS
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, reason
from maskkit.labels import LabelSpace
from maskkit.options.model_settings import FOLLOWS
from maskkit.options.train_options import Precision
from maskkit.storage.address import PathOrAddress
from maskkit.typed_json import MOST_BYTES, Refuse, Sha256, Text, Word, decoded, fitting, spelled

if TYPE_CHECKING:  # `maskkit show` reads checkpoints without loading torch
    from torch import Tensor

REDUCTION = "dct+area"
METADATA = b'{"__metadata__":{'  # how the header of a safetensors file begins
FACTS = ("model", "heads", "preprocess", "precision", "fold", "epoch", "scores", "seen")


Side = Annotated[int, Meta(ge=16, le=4096)]
Mean = Annotated[float, Meta(ge=-1000, le=1000)]
Deviation = Annotated[float, Meta(gt=0, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]
ModelName = Annotated[str, spelled(r"\A[A-Za-z0-9_.-]+\Z", "the name of a model of timm", longest=200)]
Plain = bool | int | float | str


@dataclass(frozen=True)
class Crop:
    """How photos are cut to the face in them."""

    # Share of the face box added on each side, before the box is widened to the shape of the model's input.
    margin: Annotated[float, Meta(ge=0, le=10)]
    fallback: tuple[Share, Share, Share, Share]  # box for photos without one, as fractions of the photo

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.fallback
        if not (x0 < x1 and y0 < y1):
            raise ValueError(f"a box of {self.fallback} is empty")


class StoredPreprocess(msgspec.Struct):
    """The JSON of a `Preprocess`, also of the first versions."""

    height: Side
    width: Side
    mean: tuple[Mean, Mean, Mean]
    std: tuple[Deviation, Deviation, Deviation]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    crop: Crop | bool | None = None  # false, before there was a margin
    reduction: Annotated[str, Meta(max_length=40)] = "Pillow alone"


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
    def of(cls, stored: StoredPreprocess) -> Preprocess:
        """Return what was stored; raise a MaskkitError if this version prepares photos otherwise."""
        differs = None
        if stored.reduction != REDUCTION:
            differs = f"reduced by {stored.reduction}", f"reduces them by {REDUCTION}"
        elif stored.crop is True:
            differs = "cut to the face without a margin", "adds one and keeps the shape"
        if differs:
            raise MaskkitError(
                f"the checkpoint's photos were {differs[0]}",
                why=f"this version {differs[1]}, and the model has seen no such photos",
                fix="train it again, or predict with the version that trained it",
            )
        crop = stored.crop if isinstance(stored.crop, Crop) else None
        return cls(stored.height, stored.width, stored.mean, stored.std, stored.interpolation, crop)


@dataclass(frozen=True)
class Ingredient:
    """One of the models whose weights may be in an average of several."""

    name: Text  # of its file, as given
    sha256: Sha256
    is_in: bool  # whether it is
    alone: float | None = None  # its macro-F1 on the people held out; None if nothing was chosen by it
    together: float | None = None  # that of the average with it, of it and those before it that are in


class StoredScores(msgspec.Struct):
    """What every version of a checkpoint's header says of its training."""

    fold: Fold | None
    scores: dict[str, float]
    seen: Any  # JSON of `Seen`


class StoredCheckpointFacts(StoredScores):
    """The JSON of `CheckpointFacts`."""

    model: ModelName
    heads: Annotated[list[str], Meta(min_length=1, max_length=16)]
    preprocess: StoredPreprocess
    precision: Precision
    epoch: Annotated[int, Meta(ge=0, le=10**9)]
    pool: Word = "default"
    model_settings: dict[Word, Plain | list[Plain]] = {}
    soup: Annotated[tuple[Ingredient, ...], Meta(max_length=MOST_INPUTS)] = ()

    @classmethod
    def of(cls, header: Header, refuse: Refuse) -> StoredCheckpointFacts:
        """Read the facts of a checkpoint or an exported model; raise as `refuse` says of others."""
        facts = fitting(header.facts, cls, refuse)
        if taken := FOLLOWS.keys() & facts.model_settings:
            why = f"its model_settings have {min(taken)!r}, which follows from the rest or names a file"
            raise refuse(why)
        return facts


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
    fold: int | None  # that was held out; None if nobody was
    epoch: int  # that the weights are of; 0 for those of an average of several models
    scores: Mapping[str, float]  # on the held-out fold; empty if nobody was held out
    seen: Seen  # whom it was trained on
    soup: Sequence[Ingredient] = ()  # what it may be the average of; empty for a model that was trained

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in headers."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self) if item.name != "soup"},
            "preprocess": asdict(self.preprocess),
            "seen": self.seen.to_json(),
            **({"soup": [asdict(one) for one in self.soup]} if self.soup else {}),
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
        refuse = partial(damaged_header, source.title)
        stored = StoredCheckpointFacts.of(header, refuse)
        facts: dict[str, Any] = {name: getattr(stored, name) for name in stored.__struct_fields__}
        facts |= {
            "heads": tuple(stored.heads),
            "preprocess": Preprocess.of(stored.preprocess),
            "seen": Seen.from_json(stored.seen, refuse),
        }
        return cls(**facts, header=header, source=source)

    @property
    def name(self) -> str:
        """The checkpoint as the user knows it."""
        return self.source.title

    def __repr__(self) -> str:
        whose = "of everybody" if self.fold is None else f"fold {self.fold}"
        score = f", macro-F1 {self.scores['macro_f1']:.4f}" if "macro_f1" in self.scores else ""
        return f"<Checkpoint {self.name}: {self.model}, {whose}{score}>"

    @property
    def space(self) -> LabelSpace:
        """The classes the model tells apart."""
        assert self.header.space is not None
        return self.header.space

    def weights(self) -> dict[str, Tensor]:
        """Return the state dict; raise a MaskkitError if the file does not hold it."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load(self.source.data.to_pybytes())
        except (SafetensorError, ValueError, KeyError) as error:  # the latter two of types unknown to torch
            raise _no_safetensors(self.source, reason(error)) from error


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


def write_checkpoint(
    path: PathOrAddress,
    weights: Mapping[str, Tensor],
    header: Header,
    *,
    force: bool = False,
    known: Collection[str] = (),
) -> None:
    """Write a checkpoint, whole or not at all; equal content gives equal bytes.

    `force` and `known` say what it may replace, as those of `write_whole`.
    """
    write_whole(path, checkpoint_bytes(weights, header), force=force, known=known)


def checkpoint_bytes(weights: Mapping[str, Tensor], header: Header) -> bytearray:
    """Return a checkpoint as a file holds it."""
    from safetensors.torch import save

    # safetensors refuses tensors that share memory (tied weights), so each is its own copy.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    return with_seal(save(copies, metadata={KEY: header.to_json()}))


def with_seal(data: bytes) -> bytearray:
    """Return a safetensors file that begins with metadata with a seal before those."""
    end = 8 + int.from_bytes(data[:8], "little")
    text = data[8:end].rstrip(b" ")
    assert text.startswith(METADATA), "safetensors writes the metadata first"
    text = text.removeprefix(METADATA)
    text += b" " * (-(len(SAFETENSORS) + len(text)) % 8)  # so that tensors begin at a multiple of 8
    length = struct.pack("<Q", len(SAFETENSORS) + len(text))
    return SAFETENSORS.sealed(length, text, memoryview(data)[end:])


class TensorPlace(msgspec.Struct):
    """What the header of safetensors says of a tensor: https://github.com/huggingface/safetensors#format."""

    dtype: str
    shape: list[Annotated[int, Meta(ge=0)]]
    data_offsets: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]


def _metadata(source: Source) -> dict[str, str]:
    data, refuse = memoryview(source.data), partial(_no_safetensors, source)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise refuse("its header is longer than the file" if data else "it is empty")
    text = bytes(data[8 : 8 + min(length, MOST_BYTES + 1)])
    table = decoded(text, dict[str, Any], refuse, most=MOST_BYTES)
    metadata = fitting(table.pop("__metadata__", {}), dict[str, str], refuse, at="__metadata__")
    tensors = fitting(table, dict[str, TensorPlace], refuse)
    if tensors and 8 + length + max(one.data_offsets[1] for one in tensors.values()) != len(data):
        raise refuse("it is cut off")
    return metadata


def _no_safetensors(source: Source, why: str) -> MaskkitError:
    return MaskkitError(
        f"{source.title} is not a safetensors file",
        why=why,
        fix="give a checkpoint that `maskkit train` wrote",
    )
