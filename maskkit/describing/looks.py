"""What photos look like, as a few numbers each, and which are at the ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.describing.histograms import NumberSpread, spread

EXTREMES = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("flattest", ""),
    "sharpness": ("blurriest", ""),
}
MOST_EXTREME = 8


@dataclass(frozen=True)
class PhotoLook:
    """What readable photos look like.

    Args:
        photos: How many there are.
        spreads: Each property over the photos.
        mean: Per channel, over all pixels, of values from 0 to 1; each photo counts the same.
        std: Likewise.
        sizes: Photos by size, `384x512` for 384 wide and 512 high, the most frequent first.
        formats: Photos by file format and colour mode, likewise.
        extremes: Photos at the ends, by what they are: `darkest`, ...; the most extreme first.
    """

    photos: int
    spreads: tuple[NumberSpread, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sizes: tuple[tuple[str, int], ...]
    formats: tuple[tuple[str, int], ...]
    extremes: dict[str, tuple[str, ...]]


def properties(looks: NDArray[np.void]) -> dict[str, NDArray[np.float64]]:
    """Return the properties of readable photos, (photos,) each.

    Args:
        looks: Of the type that `maskkit.imaging.survey` fills in.
    """
    width, height = looks["width"].astype(np.float64), looks["height"].astype(np.float64)
    plain = {name: looks[name].astype(np.float64) for name in ("brightness", "contrast", "sharpness")}
    return {
        "width": width,
        "height": height,
        "aspect": width / height,
        "kilobytes": looks["bytes"] / 1000,
        "bytes per pixel": looks["bytes"] / (width * height),
        **plain,
    }


def features(looks: NDArray[np.void]) -> dict[str, NDArray[np.float64]]:
    """Return what a classifier tells sets apart by, (photos,) each: light, colour, compression, not size."""
    values = properties(looks)
    chosen = {name: values[name] for name in ("aspect", "brightness", "contrast")}
    chosen["sharpness"] = np.log1p(values["sharpness"])
    chosen["bytes per pixel"] = np.log(values["bytes per pixel"])
    for index, channel in enumerate(("red", "green", "blue")):
        chosen[f"{channel} mean"] = looks["mean"][:, index].astype(np.float64)
        chosen[f"{channel} std"] = looks["std"][:, index].astype(np.float64)
    return chosen


def look(
    looks: NDArray[np.void],
    names: Sequence[str],
    colour: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> PhotoLook:
    """Describe one or more readable photos.

    Args:
        looks: Of the type that `maskkit.imaging.survey` fills in, (photos,).
        names: Path of each photo.
        colour: Mean and standard deviation per channel, (3,) each.
    """
    values = properties(looks)
    return PhotoLook(
        len(looks),
        tuple(spread(name, column) for name, column in values.items()),
        mean=tuple(colour[0].tolist()),
        std=tuple(colour[1].tolist()),
        sizes=_frequent(f"{one}x{other}" for one, other in zip(looks["width"], looks["height"], strict=True)),
        formats=_frequent(
            f"{one.decode()} {other.decode()}"
            for one, other in zip(looks["format"], looks["mode"], strict=True)
        ),
        extremes=_extremes(values, names),
    )


def _frequent(names: Any) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(names).most_common())


def _extremes(values: dict[str, NDArray[np.float64]], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for name, (low, high) in EXTREMES.items():
        order = np.argsort(values[name], kind="stable")
        found[low] = tuple(names[row] for row in order[:MOST_EXTREME])
        if high:
            found[high] = tuple(names[row] for row in order[::-1][:MOST_EXTREME])
    return found
