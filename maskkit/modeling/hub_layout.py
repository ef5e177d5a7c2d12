"""What `--weights` names: a file, or a folder in the layout of Hugging Face, with a config.json."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskkit.errors import MaskkitError
from maskkit.modeling.state_files import refuse_irregular
from maskkit.options.train_options import AVERAGED, PLAIN

CONFIG = "config.json"
INSIDE = ("model.safetensors", "pytorch_model.bin")  # names of the weights in such a folder
FILTERS = (
    "nearest",
    "bilinear",
    "bicubic",
    "lanczos",
)  # by timm's names, of those that photos are resized by
PREPARED = ("mean", "std", "interpolation")  # what the config says of how photos are prepared


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights, and what is known of them from elsewhere."""

    path: Path
    given: str  # the text that named it, without the word
    word: str | None = None  # of PLAIN and AVERAGED, which was asked for
    config: Path | None = None  # beside it, in a folder as Hugging Face lays it out


def locate(source: str | Path) -> WeightsFile:
    """Find the file of weights that a text names: a path, with `:plain` or `:ema` behind it or not.

    Raises:
        MaskkitError: There is no such file, or a folder does not hold what it should.
    """
    given, word = str(source), None
    head, _, last = given.rpartition(":")
    if head and last in (PLAIN, AVERAGED) and not _mode(Path(given)):
        given, word = head, last
    path = Path(given)
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


def read_config(path: Path) -> HubConfig:
    """Read the config.json that timm, or transformers for a model of timm, has saved.

    Raises:
        MaskkitError: It is of another library's model, or damaged.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, OSError) as error:
        raise _not_used(path, f"it cannot be read: {error}") from error
    if "architecture" not in data:
        kind = data.get("model_type")
        raise _not_used(
            path,
            f"it is of a model of transformers ({kind}), which names its tensors otherwise than timm"
            if kind
            else "it names no `architecture` of timm",
        )
    stated = data.get("pretrained_cfg") or data
    found = {key: stated[key] for key in PREPARED if stated.get(key) is not None}
    return HubConfig(str(data["architecture"]), _checked(found, path))


def _checked(found: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the numbers per channel, three of a grey model's one, and refuse what cannot be used."""
    for key in ("mean", "std"):
        if key not in found:
            continue
        values = found[key] if isinstance(found[key], list) else [found[key]]
        is_numbers = all(isinstance(value, int | float) for value in values)
        if not is_numbers or len(values) not in (1, 3) or (key == "std" and min(values) <= 0):
            raise _not_used(path, f"its {key} is {found[key]}, not three numbers")
        found[key] = tuple(float(value) for value in (values * 3)[:3])
    if found.get("interpolation", FILTERS[0]) not in FILTERS:
        del found["interpolation"]  # such as timm's `random`, which is for training
    return found


def _not_used(path: Path, why: str) -> MaskkitError:
    return MaskkitError(
        f"cannot take the weights beside {path}",
        why=why,
        fix="give a folder that timm saved, or the file of weights itself if its tensors have timm's names",
    )
