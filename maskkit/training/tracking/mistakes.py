"""The photos that a model was most wrong about, drawn for a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from maskkit.imaging.photos import Photos
from maskkit.labels import LabelSpace
from maskkit.scoring.mistakes import losses, worst_mistakes

HEIGHT = 192  # pixels of a drawn photo, whatever its size
FONT, LINE, GAP = 13, 17, 12  # pixels
PAPER, INK, QUIET = (253, 253, 251), (28, 31, 35), (92, 99, 107)  # those of the HTML pages, in light


@dataclass(frozen=True)
class Mistake:
    """One photo taken for something else.

    Args:
        truth: Its class's name.
        answer: The name of the class it was taken for.
        loss: Cross entropy in nats.
        pixels: The photo as the model sees it, uint8 (height, width, 3).
    """

    truth: str
    answer: str
    loss: float
    pixels: NDArray[np.uint8]


def pictured(
    photos: Photos,
    rows: NDArray[np.int64],
    label: NDArray[np.int64],
    probs: NDArray[np.float32],
    *,
    space: LabelSpace,
    most: int,
) -> list[Mistake]:
    """Return the worst mistakes with their photos, worst first.

    Args:
        photos: All photos.
        rows: Those that were answered, (rows,).
        label: Their truth, (rows,).
        probs: Their class probabilities, (rows, classes).
        space: The classes.
        most: How many mistakes at most.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    worst = worst_mistakes(label, probs, most)
    names, answers, loss = space.names, probs.argmax(1), losses(label, probs)
    return [
        Mistake(names[label[row]], names[answers[row]], float(loss[row]), pixels)
        for row, pixels in zip(worst, photos.take(rows[worst]), strict=True)
    ]


def draw_mistakes(mistakes: Sequence[Mistake]) -> Image.Image:
    """Draw the photos on one sheet, row by row, each above what it is and what it was taken for."""
    font = ImageFont.load_default(FONT)
    captions = [
        (f"is {item.truth}", f"taken for {item.answer}", f"loss {item.loss:.2f}") for item in mistakes
    ]
    photos = [_enlarged(item.pixels) for item in mistakes]
    widest = max(font.getlength(text) for caption in captions for text in caption)
    width = max(ceil(widest), *(photo.width for photo in photos)) + GAP
    height = HEIGHT + 3 * LINE + 2 * GAP
    across = ceil(sqrt(len(mistakes)))
    down = ceil(len(mistakes) / across)
    sheet = Image.new("RGB", (across * width + GAP, down * height + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, (photo, caption) in enumerate(zip(photos, captions, strict=True)):
        left, top = GAP + index % across * width, GAP + index // across * height
        sheet.paste(photo, (left, top))
        for number, text in enumerate(caption):
            at = (left, top + HEIGHT + 4 + number * LINE)
            pen.text(at, text, INK if number < 2 else QUIET, font)
    return sheet


def _enlarged(pixels: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(pixels)
    return image.resize(
        (max(1, round(image.width * HEIGHT / image.height)), HEIGHT), Image.Resampling.BICUBIC
    )
