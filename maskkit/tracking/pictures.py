"""Pictures for trackers, which show no tables: a confusion matrix, and the photos of the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from maskkit.imaging.photos import Photos
from maskkit.imaging.preview_sheet import draw_sheet
from maskkit.labels import LabelSpace
from maskkit.scoring.metrics import cross_entropies
from maskkit.scoring.mistakes import worst_mistakes

MOST_CLASSES = 200  # beyond, a cell would be too small to be seen
SIDE, LEAST_CELL, MOST_CELL = 1440, 7, 42  # pixels: of the matrix at most, of a cell
FONT, GAP = 14, 10
PAPER, INK, QUIET, RULE = (253, 253, 251), (28, 31, 35), (92, 99, 107), (220, 222, 219)
HIT, MISS = np.array([48, 116, 178]), np.array([200, 92, 28])  # colours as in the HTML pages, in light
DEEPEST = 0.6  # share of a colour where it is deepest: the ink stays readable on it
KEY = "blue: right answers    orange: mistakes    the deeper, the larger their share of the row"

Colour = tuple[int, int, int]


def draw_confusion(confusion: NDArray[np.int64], names: Sequence[str], *, title: str) -> Image.Image:
    """Draw counts: a row per truth, a column per answer, as deep as the root of a count's share of its row.

    The root lets 1 in 100 be seen. Beside each row stands how many photos it has and how many of 100
    were answered right. Names are numbered, for those whose letters the font lacks. `confusion` holds counts
    (C, C), C at most MOST_CLASSES.
    """
    classes = len(names)
    cell = max(LEAST_CELL, min(MOST_CELL, SIDE // classes))
    font, plain = ImageFont.load_default(min(FONT, cell - 1)), ImageFont.load_default(FONT)
    numbered = [f"{name}  {number}" for number, name in enumerate(names)]
    wide = ceil(max(plain.getlength("prediction"), *(font.getlength(text) for text in numbered)))
    left, top, side = 2 * GAP + wide, 6 * GAP + FONT + wide, classes * cell
    right, middle = left + side + GAP, cell // 2
    width = max(right + GAP + 15 * FONT // 2, ceil(max(map(plain.getlength, (title, KEY)))) + 2 * GAP)
    image = Image.new("RGB", (width, top + side + 4 * GAP + FONT), PAPER)
    pen = ImageDraw.Draw(image)
    for place, anchor, text, colour in (
        ((GAP, GAP), "la", title, INK),
        ((GAP, image.height - FONT - GAP), "la", KEY, QUIET),
        ((left - GAP, top - GAP), "rs", "truth", QUIET),
        ((left, top - wide - 2 * GAP), "ls", "prediction", QUIET),
        ((right, top - GAP), "ls", "photos", QUIET),
        ((right + 4 * FONT, top - GAP), "ls", "% right", QUIET),
    ):
        pen.text(place, text, colour, plain, anchor=anchor)
    for row, counts in enumerate(confusion.tolist()):
        y, total = top + row * cell, sum(counts)
        pen.text((left - GAP, y + middle), numbered[row], INK, font, anchor="rm")
        upright = Image.new("RGB", (wide, cell), PAPER)
        ImageDraw.Draw(upright).text((0, middle), f"{row}  {names[row]}", INK, font, anchor="lm")
        image.paste(upright.rotate(90, expand=True), (left + row * cell, top - wide - GAP))
        for column, count in enumerate(counts):
            x = left + column * cell
            pen.rectangle((x, y, x + cell, y + cell), shade(count, total, right=row == column), RULE)
            if count and font.getlength(str(count)) < cell - 2:
                pen.text((x + middle, y + middle), str(count), INK, font, anchor="mm")
        share = f"{100 * counts[row] / total:.0f}" if total else "-"
        pen.text((right + 3 * FONT, y + middle), str(total), QUIET, font, anchor="rm")
        pen.text((right + 6 * FONT, y + middle), share, QUIET, font, anchor="rm")
    _rule_off(pen, names, (left, top), cell)
    return image


def _rule_off(pen: ImageDraw.ImageDraw, names: Sequence[str], corner: tuple[int, int], cell: int) -> None:
    """Draw a darker line wherever the level of the first factor changes."""
    (left, top), first = corner, [name.partition("/")[0] for name in names]
    changes = [index for index in range(1, len(names)) if first[index] != first[index - 1]]
    for index in changes if len(changes) < len(names) - 1 else []:  # the only factor divides nothing
        at, end = index * cell, len(names) * cell
        pen.line((left, top + at, left + end, top + at), QUIET)
        pen.line((left + at, top, left + at, top + end), QUIET)


def shade(count: int, total: int, *, right: bool) -> Colour:
    """Return the colour of a cell with `count` of its row's `total` photos."""
    depth = DEEPEST * (count / total) ** 0.5 if total else 0.0
    mixed = np.array(PAPER) * (1 - depth) + (HIT if right else MISS) * depth
    red, green, blue = (round(value) for value in mixed.tolist())
    return red, green, blue


@dataclass(frozen=True)
class PicturedMistake:
    """One photo taken for something else."""

    truth: str  # its class's name
    answer: str  # the name of the class it was taken for
    loss: float  # cross entropy in nats
    pixels: NDArray[np.uint8]  # the photo as the model sees it, (height, width, 3)


def pictured(
    photos: Photos,
    rows: NDArray[np.int64],
    label: NDArray[np.int64],
    probs: NDArray[np.float32],
    space: LabelSpace,
    most: int,
) -> list[PicturedMistake]:
    """Return the worst mistakes among some photos with their photos, worst first, at most so many.

    The truth (rows,) and the probabilities (rows, classes) are those of `rows` (rows,) of all photos.

    Raises:
        MaskkitError: A photo cannot be decoded.
    """
    worst = worst_mistakes(label, probs, most)
    names, answers, loss = space.names, probs.argmax(1), cross_entropies(label, probs)
    return [
        PicturedMistake(names[label[row]], names[answers[row]], float(loss[row]), pixels)
        for row, pixels in zip(worst, photos.take(rows[worst]), strict=True)
    ]


def draw_mistakes(mistakes: Sequence[PicturedMistake]) -> Image.Image:
    """Draw the photos on one sheet, row by row, each above what it is and what it was taken for."""
    captions = [f"is {one.truth}\ntaken for {one.answer}\nloss {one.loss:.2f}" for one in mistakes]
    photos = np.stack([one.pixels for one in mistakes])
    return draw_sheet(photos, captions, columns=ceil(sqrt(len(mistakes))))
