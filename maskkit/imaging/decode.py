"""From an image file to upright RGB pixels, the same way wherever an image is read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError

LARGEST = 100_000_000  # pixels; a larger image is far more likely a decompression bomb than a photo
Image.MAX_IMAGE_PIXELS = None  # Pillow would warn of bombs and decode most of them; we check before decoding
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, which is not used here

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def decode(path: Path) -> Image.Image:
    """Read an image as upright RGB: EXIF orientation applied, other colour modes converted.

    Raises:
        MaskkitError: The file is missing, empty, cut off, not an image, or too large; it is named.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > LARGEST:
                raise _undecodable(path, _too_large(image))
            return _upright(image)
    except (
        Exception
    ) as error:  # Pillow's plugins raise whatever their parsers meet: SyntaxError, struct.error, ...
        if isinstance(error, MaskkitError):
            raise
        raise _undecodable(path, fault(error)) from error


def load(path: Path, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Read an image at the size a model takes, uint8 (height, width, 3)."""
    size = (preprocess.width, preprocess.height)
    return np.array(decode(path).resize(size, FILTERS[preprocess.interpolation]))  # antialiased by Pillow


def faulty(file: BinaryIO) -> str | None:
    """Say why an image cannot be decoded, or None if it can.

    The whole file is decoded as `decode` does, so that what fails there is found here and not in the
    middle of a training; JPEGs at an eighth of their size, which costs a quarter of the time and
    reads every byte.
    """
    try:
        with Image.open(file) as image:
            if image.width * image.height > LARGEST:
                return _too_large(image)
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            _upright(image)
    except Exception as error:  # see decode
        return fault(error)
    return None


def fault(error: Exception) -> str:
    """Say in a few words what is wrong with an image file."""
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, OSError) and error.strerror:  # its text would repeat the path
        return error.strerror.lower()
    text = str(error).lower()
    if "truncated" in text or "broken data" in text or "unexpected end" in text:
        return "cut off"
    return text or type(error).__name__


def _too_large(image: Image.Image) -> str:
    return f"{image.width}x{image.height} is too large: at most {LARGEST:,} pixels are read"


def _upright(image: Image.Image) -> Image.Image:
    return _to_rgb(ImageOps.exif_transpose(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16-bit grey: `convert` would clip all but the darkest to white
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _undecodable(path: Path, why: str) -> MaskkitError:
    return MaskkitError(
        f"cannot read the image {path}",
        why=why,
        fix="repair or remove it; `maskkit label --skip-bad` leaves such files out",
    )
