"""From a photo's file to upright RGB pixels, the same way wherever a photo is read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, _imaging

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.containers import Container, container, refuse_too_many_pixels
from maskkit.imaging.cropping import window
from maskkit.imaging.jpeg import END, complaint, is_whole, whole_jpeg
from maskkit.imaging.orientation import ON_ITS_SIDE
from maskkit.imaging.photo_file import MOST_MEMORY, PhotoError, limits, photo_bytes, undecodable
from maskkit.imaging.shades import RgbPixels, rgb_of
from maskkit.options.values import as_bytes
from maskkit.storage.address import PathOrAddress

Image.MAX_IMAGE_PIXELS = None  # Pillow would warn of bombs and decode most of them; we check before decoding
warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata; what is wrong with pixels it raises

# Of large photos, Pillow's blocks are given back to the system when they are freed, rather than kept by each
# thread: `label` of 8 photos of 100 megapixels by two threads peaks at 0.89 GB instead of 1.15.
_imaging.set_block_size(64 << 20)

cv2.setNumThreads(0)  # photos are small, and several are worked on at a time: more threads get into the way

FILTERS = {name: Image.Resampling[name.upper()] for name in ("nearest", "bilinear", "bicubic", "lanczos")}
# Bytes per pixel while a photo is decoded: what the decoder needs and, at the end, Pillow's pixels and ours.
MEMORY: Final = {"WEBP": 19, "AVIF": 14}
USUAL_MEMORY: Final = 7

Box = NDArray[np.float32]  # (4,): x0, y0, x1, y1 as fractions of width and height
Size = tuple[int, int]  # height and width in pixels
Least = Callable[[int, int], Size]

# What turns stored pixels upright, per orientation.
TURNS: Final[dict[int, Callable[[RgbPixels], RgbPixels]]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}


@dataclass(frozen=True)
class FileFacts:
    """What a photo's file tells: Pillow's names of format and mode, and its upright size in pixels."""

    format: str
    mode: str
    width: int
    height: int
    complaint: str | None = None  # what is missing or damaged of pixels that can be decoded all the same


def decode(file: PathOrAddress | bytes, *, least: Least | None = None, name: str = "") -> RgbPixels:
    """Read a photo as upright RGB, uint8 (height, width, 3): EXIF orientation applied, other modes converted.

    `least` returns the height and width that are enough, of a photo that is so high and wide. A JPEG is then
    decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 of its size that is no smaller, which skips most of the
    work. `name` is what errors call the bytes of a file.

    Raises:
        MaskkitError: The file is missing, empty, cut off, not a photo, or takes more than the limits of
            `maskkit.imaging.photo_file`; it is named.
    """
    if isinstance(file, bytes):
        with _named(name):
            return _upright(container(file), least)
    with _named(str(file)), photo_bytes(file) as data:
        return _upright(container(data), least)


def load(
    file: PathOrAddress | bytes, preprocess: Preprocess, *, box: Box | None = None, name: str = ""
) -> NDArray[np.uint8]:
    """Read a photo, or the part of it around a face, at the size a model takes, uint8 (height, width, 3).

    Against decoding whole and resizing with Pillow's bicubic filter, 384x512 photos at 128x96 differ
    by 0.6 of 255 on average and by 6 in one of a thousand values (benchmarks/pipeline.py).

    `box` is that of the face, for a model that sees photos cut to it; None for the model's fallback. `name`
    is what errors call the bytes of a file.
    """
    height, width = preprocess.height, preprocess.width
    shown = partial(_shown, preprocess, box)

    def least(photo_height: int, photo_width: int) -> Size:  # for what is shown to be reduced, not enlarged
        x0, y0, x1, y1 = shown((photo_height, photo_width))
        return ceil(height / (y1 - y0)), ceil(width / (x1 - x0))

    pixels = decode(file, least=least, name=name)
    high, wide = pixels.shape[:2]
    if preprocess.crop is not None:
        x0, y0, x1, y1 = shown((high, wide))  # cut to whole pixels, at least one
        left, top = min(round(x0 * wide), wide - 1), min(round(y0 * high), high - 1)
        right, bottom = max(left + 1, round(x1 * wide)), max(top + 1, round(y1 * high))
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
        high, wide = pixels.shape[:2]
    if (high, wide) == (height, width):
        return pixels
    if wide >= width and high >= height:  # each new pixel is the mean of those it covers
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
    return np.asarray(Image.fromarray(pixels).resize((width, height), FILTERS[preprocess.interpolation]))


@contextmanager
def opened(data: bytes, *, name: str, scale: int = 1) -> Iterator[tuple[FileFacts, NDArray[np.uint8]]]:
    """Read a photo as upright BGR, uint8 (height, width, 3), JPEGs at 1/1, 1/2, 1/4 or 1/8 of their size.

    There is room for the pixels, and as much again, until the block ends. Ordinary JPEGs are decoded without
    Pillow, which gives the same pixels in two thirds of the time: `eda` of 315 photos takes an eighth less
    processor time, imports included.

    Raises:
        MaskkitError: The file is empty, cut off, not a photo, or takes too much; it is named.
    """
    with _named(name):
        photo = container(data)
        with _image(photo) as image:
            mode, size = image.mode, image.size
    width, height = size[::-1] if photo.orientation >= ON_ITS_SIDE else size
    jpeg, pixels, words = photo.jpeg, None, None
    reduced = scale if jpeg is not None else 1
    with limits().decoding.hold(_memory(photo, size, scale=reduced)):
        with _named(name):
            if jpeg is not None and len(jpeg.components) in (1, 3):
                pixels = whole_jpeg(data, jpeg, colours="BGR", scale=scale)
            if pixels is not None:
                pixels = _turned(pixels, photo.orientation)
            else:
                least = partial(_reduced, scale=scale) if scale > 1 else None
                pixels = np.ascontiguousarray(_upright(photo, least, has_room=True)[..., ::-1])
                words = None if jpeg is None else complaint(data, jpeg)
        yield FileFacts(photo.format, mode, width, height, words), pixels


@dataclass(frozen=True)
class Verdict:
    """Whether a photo can be used."""

    fault: str | None = None  # why it cannot be decoded; None if it can
    complaint: str | None = None  # what is missing or damaged of one that can be


def judged(data: bytes) -> Verdict:
    """Say whether a photo can be decoded, and whether all of it is there.

    The whole file is decoded as `decode` does, so that what fails there is found here and not in the
    middle of a training; JPEGs at an eighth of their size, which costs a quarter of the time and
    reads every byte.
    """
    try:
        with _named(""):
            photo = container(data)
            with _image(photo) as image:
                size = image.size
            jpeg = photo.jpeg
            # There is room until the pixels are gone, not only until they are there.
            with limits().decoding.hold(_memory(photo, size, scale=1 if jpeg is None else 8)):
                if (
                    jpeg is not None
                    and len(jpeg.components) in (1, 3)
                    and whole_jpeg(data, jpeg, colours="GRAY", scale=8) is not None
                ):
                    return Verdict()
                _upright(photo, partial(_reduced, scale=8), has_room=True)
            return Verdict(complaint=None if jpeg is None else complaint(data, jpeg))
    except MaskkitError as error:
        return Verdict(fault=error.why)


def fault(error: Exception) -> str:
    """Say in a few words what is wrong with a photo's file."""
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, UnidentifiedImageError):
        return "damaged: its header cannot be read"
    if isinstance(error, OSError) and error.strerror:  # its text would repeat the path
        return error.strerror.lower()
    if isinstance(error, MemoryError):
        return "takes more memory than there is"
    text = str(error).lower()
    if "truncated" in text or "broken data" in text or "unexpected end" in text:
        return "cut off"
    return text.splitlines()[0][:200] if text else type(error).__name__


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn whatever is wrong with a photo into a MaskkitError that names it."""
    try:
        yield
    except MaskkitError:
        raise
    except PhotoError as error:
        raise undecodable(name, str(error)) from error
    except Exception as error:  # Pillow's plugins raise whatever their parsers meet, SyntaxError too
        raise undecodable(name, fault(error)) from error


@contextmanager
def _image(photo: Container, end: bytes = b"") -> Iterator[Image.Image]:
    """Open a photo with Pillow's plugin for its format and no other, if it is not too large to be decoded."""
    with Image.open(io.BytesIO(photo.data + end), formats=[photo.format]) as image:
        refuse_too_many_pixels(*image.size)
        memory, most = _memory(photo, image.size), limits().memory
        if memory > most:
            raise PhotoError(
                f"{image.width}x{image.height} as {photo.format} takes {as_bytes(memory)} of memory: at most "
                f"{as_bytes(most)} are used ({MOST_MEMORY[0]} raises it)"
            )
        if image.mode in ("F", "I") and photo.format != "PNG":  # PNG has 16 bits at most, others all ranges
            raise PhotoError("its values are no shades: floating-point or 32-bit numbers of unknown range")
        yield image


def _memory(photo: Container, size: tuple[int, int], *, scale: float = 1) -> int:
    """Return how many bytes it takes to decode a photo of this size at 1/scale of it."""
    each = MEMORY.get(photo.format, USUAL_MEMORY) / scale**2
    if photo.jpeg is not None and photo.jpeg.keeps_coefficients:
        each += 2 * photo.jpeg.samples
    return ceil(size[0] * size[1] * each)


def _upright(photo: Container, least: Least | None, *, has_room: bool = False) -> RgbPixels:
    try:
        return _decoded(photo, least, has_room=has_room)
    except OSError:
        if photo.jpeg is None or not is_whole(photo.data, photo.jpeg):
            raise
        return _decoded(photo, least, has_room=has_room, end=END)


def _decoded(photo: Container, least: Least | None, *, has_room: bool, end: bytes = b"") -> RgbPixels:
    """Return the upright pixels of a photo, once there is room for them."""
    with _image(photo, end) as image:
        size = image.size
        if least is not None and photo.orientation >= ON_ITS_SIDE:
            image.draft(None, least(image.width, image.height))
        elif least is not None:
            height, width = least(image.height, image.width)
            image.draft(None, (width, height))
        memory = 0 if has_room else _memory(photo, size, scale=size[0] / image.width)
        with limits().decoding.hold(memory):
            image.load()
            return _turned(rgb_of(image), photo.orientation)


def _turned(pixels: RgbPixels, orientation: int) -> RgbPixels:
    turn = TURNS.get(orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _reduced(height: int, width: int, scale: int) -> Size:
    return max(1, height // scale), max(1, width // scale)


def _shown(preprocess: Preprocess, box: Box | None, photo: Size) -> tuple[float, float, float, float]:
    """Return the part of a photo that a model sees: x0, y0, x1, y1 as fractions of width and height."""
    crop = preprocess.crop
    if crop is None:
        return 0.0, 0.0, 1.0, 1.0
    face = crop.fallback if box is None else box.tolist()
    return window(face, margin=crop.margin, shape=(preprocess.height, preprocess.width), photo=photo)
