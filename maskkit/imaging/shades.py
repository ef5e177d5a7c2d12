"""From the modes that Pillow reads photos in to RGB: grey of 16 bits, palettes, and what is transparent."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RgbPixels = NDArray[np.uint8]  # (height, width, 3)

STRIP: Final = 4_000_000  # pixels that are converted at a time
PHOTOMETRIC, BITS, WHITE_IS_ZERO = 262, 258, 0  # of TIFF


def rgb_of(image: Image.Image) -> RgbPixels:
    """Return a photo as RGB, a strip at a time if it is large: Pillow would hold its pixels three times."""
    width, height = image.size
    if width * height <= STRIP:
        return np.asarray(_rgb(image))
    pixels = np.empty((height, width, 3), np.uint8)
    step = max(1, STRIP // width)
    for top in range(0, height, step):
        bottom = min(height, top + step)
        pixels[top:bottom] = np.asarray(_rgb(image.crop((0, top, width, bottom)), image))
    return pixels


def _rgb(image: Image.Image, whole: Image.Image | None = None) -> Image.Image:
    """Convert a photo, or a strip of a whole one, to RGB; what is transparent becomes white."""
    if image.mode.startswith("I"):
        image = _eight_bits(image, image if whole is None else whole)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image, whole: Image.Image) -> Image.Image:
    """Convert 16-bit grey, of which `convert` would clip all but the darkest to white."""
    tags = getattr(whole, "tag_v2", {})  # of a TIFF
    bits = tags.get(BITS, (16,))[0]
    grey = image.point(lambda value: value / 2 ** (bits - 8)).convert("L")
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = grey.point([255 - value for value in range(256)])
    return grey
