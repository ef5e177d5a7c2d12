"""What `--weights` names: a file, or a folder in the layout of Hugging Face, with a config.json."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from maskkit.errors import MaskkitError, reason
from maskkit.modeling.state_files import refuse_irregular
from maskkit.options.other_words import like_value
from maskkit.options.train_options import AUTO, AVERAGED, FACES, HUB, LIST, NONE, PACKAGE, PLAIN
from maskkit.typed_json import Refuse, decoded, fitting

CONFIG = "config.json"
INSIDE = ("model.safetensors", "pytorch_model.bin")  # names of the weights in such a folder
FILTERS = (
    "nearest",
    "bilinear",
    "bicubic",
    "lanczos",
)  # by timm's names, of those that photos are resized by
LONGEST_WORD = 40
MOST_BYTES = 4_000_000  # of a config.json, which may name all classes of ImageNet-22k


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, and what is known of them from elsewhere."""

    path: Path
    given: str  # the text that named it, without the word
    word: str | None = None  # of PLAIN and AVERAGED, which was asked for; FACES of a package
    config: Path | None = None  # beside it, in a folder as Hugging Face lays it out


def _suggested(given: str) -> str:
    """Name the word of --weights that another program's word may have meant."""
    word = like_value("weights", given)
    return "" if word is None else f"did you mean --weights {word}? "


def locate(source: str | Path) -> WeightsFile:
    """Find the file of weights that a text names: a path, with `:plain` or `:ema` behind it or not.

    Raises:
        MaskkitError: There is no such file, or a folder does not hold what it should.
    """
    given, word = str(source), None
    if given.startswith(FACES):
        packed = Path(given.removeprefix(FACES))
        refuse_irregular(packed)
        return WeightsFile(packed, given, FACES)
    head, _, last = given.rpartition(":")
    if head and last in (PLAIN, AVERAGED) and not _mode(Path(given)):
        given, word = head, last
    path = Path(given)
    if is_word(given) and not _mode(path):
        raise MaskkitError(
            f"cannot read weights from {given}",
            why="there is no such file or folder, and --weights has no such word",
            fix=f"{_suggested(given)}use --weights {AUTO} for the pretrained ones that there are, {PACKAGE} "
            f"or {HUB} for one sort of them, or {NONE} for random ones; `--weights {LIST}` shows them",
        )
    if not stat.S_ISDIR(_mode(path)):
        refuse_irregular(path)
        return WeightsFile(path, given, word)
    names = [name for name in INSIDE if (path / name).is_file()]
    if not (path / CONFIG).is_file() or not names:
        raise MaskkitError(
            f"cannot read weights from the folder {path}",
            why=f"it has no {' or '.join(INSIDE) if not names else CONFIG}",
            fix="give the file of weights itself",
        )
    return WeightsFile(path / names[0], given, word, path / CONFIG)


def is_word(text: str) -> bool:
    """Whether a text looks like a word rather than like a file of weights, which has a suffix or a folder."""
    return len(text) < LONGEST_WORD and text.replace("-", "").replace("_", "").isalnum()


def _mode(path: Path) -> int:
    """Return the type of what is at `path`, 0 for nothing, also if no file can be called so."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


@dataclass(frozen=True)
class HubConfig:
    """What config.json says of a timm model."""

    architecture: str
    preprocessing: Mapping[str, Any]  # mean, std and interpolation, as far as it names them


Mean = Annotated[float, Meta(ge=-1000, le=1000)]
Deviation = Annotated[float, Meta(gt=0, le=1000)]


class StoredPreparation(msgspec.Struct):
    """The JSON of how photos are prepared: a number per channel, or one for all."""

    mean: Mean | list[Mean] | None = None
    std: Deviation | list[Deviation] | None = None
    interpolation: str | None = None


class StoredConfig(msgspec.Struct):
    """The JSON of a `HubConfig`, or what tells that it is of another library's model."""

    architecture: Annotated[str, Meta(max_length=200)] | None = None
    model_type: Annotated[str, Meta(max_length=200)] | None = None
    pretrained_cfg: dict[str, Any] | None = None


def read_config(path: Path) -> HubConfig:
    """Read the config.json that timm, or transformers for a model of timm, has saved.

    Raises:
        MaskkitError: It is of another library's model, or damaged.
    """
    refuse = partial(_not_used, path)
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise refuse(f"it cannot be read: {reason(error)}") from error
    data = decoded(text, dict[str, Any], refuse, most=MOST_BYTES)
    config = fitting(data, StoredConfig, refuse)
    if config.architecture is None:
        kind = config.model_type
        raise refuse(
            f"it is of a model of transformers ({kind}), which names its tensors otherwise than timm"
            if kind
            else "it names no `architecture` of timm"
        )
    stated = fitting(config.pretrained_cfg or data, StoredPreparation, refuse)
    found = {key: _channels(key, getattr(stated, key), refuse) for key in ("mean", "std")}
    known: dict[str, Any] = {key: values for key, values in found.items() if values}
    if stated.interpolation in FILTERS:  # not timm's `random`, which is for training
        known["interpolation"] = stated.interpolation
    return HubConfig(config.architecture, known)


def _channels(key: str, stated: float | list[float] | None, refuse: Refuse) -> tuple[float, ...]:
    """Return three numbers, one of each channel; none if nothing is stated."""
    if stated is None:
        return ()
    values = stated if isinstance(stated, list) else [stated]
    if len(values) not in (1, 3):
        raise refuse(f"its {key} is {values}, not three numbers")
    return tuple(float(value) for value in (values * 3)[:3])


def _not_used(path: Path, why: str) -> MaskkitError:
    return MaskkitError(
        f"cannot take the weights beside {path}",
        why=why,
        fix="give a folder that timm saved, or the file of weights itself if its tensors have timm's names",
    )
