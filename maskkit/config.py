"""Every option with its default and its limits. Imports nothing heavy: `--help` reads this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from maskkit.errors import MaskkitError

Loss = Literal["ce", "focal"]
ClassWeights = Literal["none", "inverse", "sqrt", "effective"]
Augmentation = Literal["none", "light", "medium"]
Precision = Literal["auto", "float32", "bfloat16"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Tta = Literal["none", "hflip"]
Runtime = Literal["auto", "torch", "openvino", "onnx"]
Vote = Literal["hard", "soft"]

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")  # of any case

MODEL_PANEL = "Model"
DATA_PANEL = "Photos"
LOSS_PANEL = "Loss"
STEP_PANEL = "Optimisation"
MACHINE_PANEL = "Machine"


@dataclass(frozen=True)
class Limits:
    """What the command line needs to know of an option: its help text, its range and its place."""

    help: str
    panel: str
    minimum: float | None = None
    maximum: float | None = None


def option(
    default: Any,
    help: str,  # noqa: A002 - the word that typer uses
    panel: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare one field of an options dataclass."""
    return field(default=default, metadata={"limits": Limits(help, panel, minimum, maximum)})


@dataclass(frozen=True)
class TrainOptions:
    """How to train. Recorded whole in every checkpoint."""

    model: str = option("tf_efficientnet_lite0", "Any model of timm, by name.", MODEL_PANEL)
    pretrained: bool = option(False, "Fetch timm's pretrained weights from its hub.", MODEL_PANEL)
    weights: str | None = option(
        None,
        "Start from a timm state dict (.safetensors, .pth), or from `package`: the ImageNet weights "
        "that the extra `weights` installs.",
        MODEL_PANEL,
    )
    freeze: bool = option(
        False,
        "Train the classifier alone, on features that the backbone makes of each photo once; "
        "they are kept in the cache for other folds, losses and rates.",
        MODEL_PANEL,
    )
    dropout: float = option(0.2, "Dropout before the classifier.", MODEL_PANEL, minimum=0, maximum=0.95)
    drop_path: float = option(
        0.0, "Share of residual branches dropped, if the model can.", MODEL_PANEL, minimum=0, maximum=0.95
    )

    size: str = option("128x96", "Photo size in pixels as HEIGHTxWIDTH, or one number.", DATA_PANEL)
    margin: float = option(
        0.3,
        "Share of the face box that is added on each side, where `crop` has found faces.",
        DATA_PANEL, minimum=0, maximum=10,
    )  # fmt: skip
    mean: str | None = option(
        None,
        "Mean of the photos per channel, 0 to 1, as R,G,B; the model's own if not given. "
        "`maskkit eda` prints that of your photos.",
        DATA_PANEL,
    )
    std: str | None = option(
        None, "Their standard deviation per channel, likewise; each above 0.", DATA_PANEL
    )
    augment: Augmentation = option("light", "How training photos are varied.", DATA_PANEL)

    loss: Loss = option("ce", "Cross entropy or focal loss.", LOSS_PANEL)
    gamma: float = option(
        2.0, "How fast the focal loss lets easy photos fade.", LOSS_PANEL, minimum=0, maximum=20
    )
    class_weights: ClassWeights = option(
        "none", "Weigh classes by how rare they are in training.", LOSS_PANEL
    )
    label_smoothing: float = option(
        0.1, "Share of each target spread evenly over the classes.", LOSS_PANEL, minimum=0, maximum=0.9
    )

    epochs: int = option(10, "How often every training photo is seen.", STEP_PANEL, minimum=1)
    batch_size: int = option(64, "Photos per step.", STEP_PANEL, minimum=1)
    learning_rate: float = option(2e-3, "Highest rate of the backbone.", STEP_PANEL, minimum=0, maximum=10)
    head_learning_rate: float = option(
        4e-3, "Highest rate of the classifier.", STEP_PANEL, minimum=0, maximum=10
    )
    weight_decay: float = option(0.05, "AdamW's weight decay.", STEP_PANEL, minimum=0, maximum=10)
    warmup: float = option(
        1.0, "Epochs of linear warm-up before the cosine.", STEP_PANEL, minimum=0, maximum=1000
    )
    clip: float = option(
        1.0, "Largest norm of the gradient; 0 does not clip.", STEP_PANEL, minimum=0, maximum=1000
    )
    ema: float = option(
        0.99, "Decay of the moving average of the weights that is scored and saved; 0 keeps none.",
        STEP_PANEL, minimum=0, maximum=0.99999,
    )  # fmt: skip
    patience: int = option(
        0, "Stop after so many epochs without a better macro-F1; 0 never stops early.", STEP_PANEL, minimum=0
    )
    seed: int = option(0, "Seed of every random choice.", STEP_PANEL, minimum=0)

    device: Device = option("auto", "Where to compute.", MACHINE_PANEL)
    precision: Precision = option(
        "auto",
        "How numbers are kept; `auto` takes bfloat16 where a short trial shows it to be faster.",
        MACHINE_PANEL,
    )
    compile: bool = option(
        False,
        "Compile the model first, which takes minutes; on the one CPU it was tried on, steps became slower.",
        MACHINE_PANEL,
    )
    workers: int = option(
        2, "Threads that prepare photos; 0 prepares them between the steps.", MACHINE_PANEL, minimum=0
    )

    def to_json(self) -> dict[str, Any]:
        """Return the options as plain values, in the order of declaration."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainOptions:
        """Read the form that `to_json` returns, passing over what is not an option of training."""
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})


def parse_size(text: str) -> tuple[int, int]:
    """Read a photo size, `128x96` as height x width or `224` for both.

    Raises:
        MaskkitError: It is neither, or no network could take it.
    """
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 16 <= int(part) <= 4096 for part in parts):
        raise MaskkitError(
            f"{text!r} is not a photo size",
            why="it is HEIGHTxWIDTH or one number for both, each from 16 to 4096 pixels",
            fix="use --size 128x96 or --size 224",
        )
    return int(parts[0]), int(parts[-1])


def parse_channels(text: str, name: str) -> tuple[float, float, float]:
    """Read three numbers from 0 to 1 for `--mean` or `--std`, such as `0.54,0.46,0.43`.

    Raises:
        MaskkitError: They are not, or a standard deviation is 0.
    """
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    least = "above 0" if name == "std" else "from 0"
    if len(values) != 3 or not all(0 <= value <= 1 and (value or name != "std") for value in values):
        raise MaskkitError(
            f"--{name} is {text!r}",
            why=f"it is three numbers {least} to 1, one per channel: red, green, blue",
            fix=f"use what `maskkit eda` prints, such as --{name} 0.5,0.5,0.5",
        )
    return values[0], values[1], values[2]


UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_bytes(text: str) -> int:
    """Read an amount of memory, such as `20GB` or `500 MB`.

    Raises:
        MaskkitError: It is not a number and a unit.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?B)", text.strip().upper())
    if found is None:
        raise MaskkitError(
            f"{text!r} is not an amount of memory",
            why=f"it is a number and one of {', '.join(UNITS)}",
            fix="use --cache-size 20GB",
        )
    return int(float(found[1]) * UNITS[found[2]])


def as_bytes(count: int) -> str:
    """Write an amount of memory for people: 2,831,155,200 is 2.8 GB."""
    unit = next(unit for unit in reversed(UNITS) if count >= UNITS[unit] or unit == "B")
    return f"{count / UNITS[unit]:.3g} {unit}"
