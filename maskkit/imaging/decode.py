"""From a photo's file to upright RGB pixels, the same way wherever a photo is read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.cropping import window

ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 are photos that lie on their side
LARGEST = 100_000_000  # pixels; a larger one is far more likely a decompression bomb than a photo
Image.MAX_IMAGE_PIXELS = None  # Pillow would warn of bombs and decode most of them; we check before decoding
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata, which is not used here

cv2.setNumThreads(0)  # photos are small, and several are worked on at a time: more threads get into the way

END_OF_JPEG = b"\xff\xd9"
REDUCED = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
FILTERS = {name: Image.Resampling[name.upper()] for name in ("nearest", "bilinear", "bicubic", "lanczos")}


Box = NDArray[np.float32]  # (4,): x0, y0, x1, y1 as fractions of width and height
Size = tuple[int, int]  # height and width in pixels


@dataclass(frozen=True)
class FileFacts:
    """What a photo's file tells: Pillow's names of format and mode, and its upright size in pixels."""

    format: str
    mode: str
    width: int
    height: int


def decode(
    file: Path | BinaryIO, *, least: Callable[[int, int], Size] | None = None, name: str = ""
) -> Image.Image:
    """Read a photo as upright RGB: EXIF orientation applied, other colour modes converted.

    `least` returns the height and width that are enough, of a photo that is so high and wide. A JPEG is then
    decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 of its size that is no smaller, which skips most of the
    work. `name` is what errors call an open file.

    Raises:
        MaskkitError: The file is missing, empty, cut off, not a photo, or too large; it is named.
    """
    with _image(file, name or str(file)) as image:
        if least is not None:
            lies_on_its_side = image.getexif().get(ORIENTATION, 1) > 4
            if lies_on_its_side:
                image.draft(None, least(image.width, image.height))
            else:
                height, width = least(image.height, image.width)
                image.draft(None, (width, height))
        return _upright(image)


@contextmanager
def _image(file: Path | BinaryIO, name: str) -> Iterator[Image.Image]:
    """Open a photo; whatever is wrong with it is a MaskkitError that names it."""
    try:
        with Image.open(file) as image:
            if image.width * image.height > LARGEST:
                why = f"{image.width}x{image.height} is too large: at most {LARGEST:,} pixels are read"
                raise undecodable(name, why)
            yield image
    except MaskkitError:
        raise
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet, SyntaxError too
        raise undecodable(name, fault(error)) from error


def load(
    file: Path | BinaryIO, preprocess: Preprocess, *, box: Box | None = None, name: str = ""
) -> NDArray[np.uint8]:
    """Read a photo, or the part of it around a face, at the size a model takes, uint8 (height, width, 3).

    Against decoding whole and resizing with Pillow's bicubic filter, 384x512 photos at 128x96 differ
    by 0.6 of 255 on average and by 6 in one of a thousand values (benchmarks/pipeline.py).

    `box` is that of the face, for a model that sees photos cut to it; None for the model's fallback. `name`
    is what errors call an open file.
    """
    height, width = preprocess.height, preprocess.width
    shown = partial(_shown, preprocess, box)

    def least(photo_height: int, photo_width: int) -> Size:  # for what is shown to be reduced, not enlarged
        x0, y0, x1, y1 = shown((photo_height, photo_width))
        return ceil(height / (y1 - y0)), ceil(width / (x1 - x0))

    image = decode(file, least=least, name=name)
    if preprocess.crop is not None:
        x0, y0, x1, y1 = shown((image.height, image.width))  # cut to whole pixels, at least one
        left = min(round(x0 * image.width), image.width - 1)
        top = min(round(y0 * image.height), image.height - 1)
        right, bottom = round(x1 * image.width), round(y1 * image.height)
        image = image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
    if image.size == (width, height):
        return np.asarray(image)
    if image.width >= width and image.height >= height:  # each new pixel is the mean of those it covers
        return cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
    return np.asarray(image.resize((width, height), FILTERS[preprocess.interpolation]))


def opened(data: bytes, *, name: str, scale: int = 1) -> tuple[FileFacts, NDArray[np.uint8]]:
    """Read a photo as upright BGR, uint8 (height, width, 3), JPEGs at 1/1, 1/2, 1/4 or 1/8 of their size.

    Ordinary JPEGs are decoded by OpenCV, which gives the same pixels in two thirds of the time: `eda` of 315
    photos takes an eighth less processor time, imports included.

    Raises:
        MaskkitError: The file is empty, cut off, not a photo, or too large; it is named.
    """
    with _image(io.BytesIO(data), name) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        size = image.size[::-1] if orientation > 4 else image.size
        facts = FileFacts(image.format or "", image.mode, *size)
        # OpenCV may decode what is there of a file that is cut off.
        if (facts.format, facts.mode, orientation, data[-2:]) == ("JPEG", "RGB", 1, END_OF_JPEG):
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), REDUCED[scale])
            if pixels is not None:
                return facts, pixels  # type: ignore[return-value]
        if scale > 1:
            image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
        return facts, np.ascontiguousarray(np.asarray(_upright(image))[..., ::-1])


def _shown(preprocess: Preprocess, box: Box | None, photo: Size) -> tuple[float, float, float, float]:
    """Return the part of a photo that a model sees: x0, y0, x1, y1 as fractions of width and height."""
    crop = preprocess.crop
    if crop is None:
        return 0.0, 0.0, 1.0, 1.0
    face = crop.fallback if box is None else box.tolist()
    return window(face, margin=crop.margin, shape=(preprocess.height, preprocess.width), photo=photo)


def faulty(file: BinaryIO) -> str | None:
    """Say why a photo cannot be decoded, or None if it can.

    The whole file is decoded as `decode` does, so that what fails there is found here and not in the
    middle of a training; JPEGs at an eighth of their size, which costs a quarter of the time and
    reads every byte.
    """
    try:
        with _image(file, "") as image:
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
            _upright(image)
    except MaskkitError as error:
        return error.why
    return None


def fault(error: Exception) -> str:
    """Say in a few words what is wrong with a photo's file."""
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, UnidentifiedImageError):
        return "not a photo"
    if isinstance(error, OSError) and error.strerror:  # its text would repeat the path
        return error.strerror.lower()
    text = str(error).lower()
    if "truncated" in text or "broken data" in text or "unexpected end" in text:
        return "cut off"
    return text or type(error).__name__


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    ImageOps.exif_transpose(image, in_place=True)  # a copy costs as much as decoding
    if image.mode.startswith(("I", "F")):  # 16-bit grey: `convert` would clip all but the darkest to white
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def undecodable(path: str, why: str) -> MaskkitError:
    """Return the error that names a photo and what is wrong with it."""
    return MaskkitError(
        f"cannot read the photo {path}",
        why=why,
        fix="repair or remove it; `maskkit label --skip-bad` leaves such files out",
    )
