"""A confusion matrix as a picture, for trackers, which show no tables."""

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

MOST_CLASSES = 200  # beyond, a cell would be too small to be seen
SIDE, LEAST_CELL, MOST_CELL = 1440, 7, 42  # pixels: of the matrix at most, of a cell
FONT, GAP = 14, 10
PAPER, INK, QUIET, RULE = (253, 253, 251), (28, 31, 35), (92, 99, 107), (220, 222, 219)
HIT, MISS = np.array([48, 116, 178]), np.array([200, 92, 28])  # colours as in the HTML pages, in light
DEEPEST = 0.6  # share of a colour where it is deepest: the ink stays readable on it
KEY = "blue: right answers    orange: mistakes    the deeper, the larger their share of the row"

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Layout:
    classes: int
    cell: int
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    names_width: int
    left: int
    top: int

    def at(self, row: int, column: int) -> tuple[int, int]:
        return self.left + column * self.cell, self.top + row * self.cell

    @property
    def size(self) -> tuple[int, int]:
        side = self.classes * self.cell
        return self.left + side + 2 * GAP + 15 * FONT // 2, self.top + side + 4 * GAP + FONT


def draw_confusion(confusion: NDArray[np.int64], names: Sequence[str], *, title: str) -> Image.Image:
    """Draw counts: a row per truth, a column per answer, as deep as the root of a count's share of its row.

    The root lets 1 in 100 be seen. Beside each row stands how many photos it has and how many of 100
    were answered right. Names are numbered, for those whose letters the font lacks.

    Args:
        confusion: Counts (C, C), C at most MOST_CLASSES.
        names: Of the classes.
        title: One line above.
    """
    layout = _layout(names)
    width, height = layout.size
    title_font, key_font = ImageFont.load_default(FONT + 3), ImageFont.load_default(FONT)
    widest = ceil(max(title_font.getlength(title), key_font.getlength(KEY))) + 2 * GAP
    image = Image.new("RGB", (max(width, widest), height), PAPER)
    pen = ImageDraw.Draw(image)
    pen.text((GAP, GAP), title, INK, title_font)
    pen.text((GAP, height - FONT - GAP), KEY, QUIET, key_font)
    _draw_names(image, pen, names, layout)
    totals = confusion.sum(1)  # (C,)
    for row in range(len(confusion)):
        for column in range(len(confusion)):
            _draw_cell(pen, layout, (row, column), int(confusion[row, column]), int(totals[row]))
        _draw_total(pen, layout, row, int(confusion[row, row]), int(totals[row]))
    _draw_borders(pen, layout, names)
    return image


def _layout(names: Sequence[str]) -> _Layout:
    classes = len(names)
    cell = max(LEAST_CELL, min(MOST_CELL, SIDE // classes))
    font = ImageFont.load_default(min(FONT, cell - 1))
    least = ImageFont.load_default(FONT).getlength("answer")
    names_width = ceil(max(least, *(font.getlength(text) for text in _numbered(names))))
    return _Layout(
        classes=classes,
        cell=cell,
        font=font,
        names_width=names_width,
        left=2 * GAP + names_width,
        top=6 * GAP + FONT + names_width,
    )


def _numbered(names: Sequence[str]) -> list[str]:
    return [f"{name}  {number}" for number, name in enumerate(names)]


def _draw_names(image: Image.Image, pen: ImageDraw.ImageDraw, names: Sequence[str], layout: _Layout) -> None:
    head = ImageFont.load_default(FONT)
    pen.text((layout.left - GAP, layout.top - GAP), "truth", QUIET, head, anchor="rs")
    pen.text((layout.left, layout.top - layout.names_width - 2 * GAP), "answer", QUIET, head, anchor="ls")
    right = layout.left + layout.classes * layout.cell + GAP
    pen.text((right, layout.top - GAP), "photos", QUIET, head, anchor="ls")
    pen.text((right + 4 * FONT, layout.top - GAP), "% right", QUIET, head, anchor="ls")
    for number, text in enumerate(_numbered(names)):
        _, y = layout.at(number, 0)
        pen.text((layout.left - GAP, y + layout.cell // 2), text, INK, layout.font, anchor="rm")
        turned = Image.new("RGB", (layout.names_width, layout.cell), PAPER)
        upright = f"{number}  {names[number]}"
        ImageDraw.Draw(turned).text((0, layout.cell // 2), upright, INK, layout.font, anchor="lm")
        x, _ = layout.at(0, number)
        image.paste(turned.rotate(90, expand=True), (x, layout.top - layout.names_width - GAP))


def _draw_cell(
    pen: ImageDraw.ImageDraw, layout: _Layout, place: tuple[int, int], count: int, total: int
) -> None:
    row, column = place
    x, y = layout.at(row, column)
    box = (x, y, x + layout.cell, y + layout.cell)
    pen.rectangle(box, fill=shade(count, total, right=row == column), outline=RULE)
    if count and layout.font.getlength(str(count)) < layout.cell - 2:
        pen.text((x + layout.cell // 2, y + layout.cell // 2), str(count), INK, layout.font, anchor="mm")


def _draw_total(pen: ImageDraw.ImageDraw, layout: _Layout, row: int, right: int, total: int) -> None:
    x, y = layout.at(row, layout.classes)
    middle = y + layout.cell // 2
    pen.text((x + GAP + 3 * FONT, middle), str(total), QUIET, layout.font, anchor="rm")
    share = f"{100 * right / total:.0f}" if total else "-"
    pen.text((x + GAP + 4 * FONT + 2 * FONT, middle), share, QUIET, layout.font, anchor="rm")


def _draw_borders(pen: ImageDraw.ImageDraw, layout: _Layout, names: Sequence[str]) -> None:
    """Draw a darker line wherever the level of the first factor changes."""
    first = [name.partition("/")[0] for name in names]
    changes = [index for index in range(1, len(names)) if first[index] != first[index - 1]]
    for index in changes if len(changes) < len(names) - 1 else []:  # the only factor divides nothing
        pen.line((layout.at(index, 0), layout.at(index, layout.classes)), QUIET)
        pen.line((layout.at(0, index), layout.at(layout.classes, index)), QUIET)


def shade(count: int, total: int, *, right: bool) -> Colour:
    """Return the colour of a cell with `count` of its row's `total` photos."""
    depth = DEEPEST * (count / total) ** 0.5 if total else 0.0
    mixed = np.array(PAPER) * (1 - depth) + (HIT if right else MISS) * depth
    red, green, blue = (round(value) for value in mixed.tolist())
    return red, green, blue


HEIGHT = 192  # pixels of a drawn photo, whatever its size
FONT, LINE, GAP = 13, 17, 12  # pixels
PAPER, INK, QUIET = (253, 253, 251), (28, 31, 35), (92, 99, 107)  # those of the HTML pages, in light


@dataclass(frozen=True)
class PicturedMistake:
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
) -> list[PicturedMistake]:
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
        PicturedMistake(names[label[row]], names[answers[row]], float(loss[row]), pixels)
        for row, pixels in zip(worst, photos.take(rows[worst]), strict=True)
    ]


def draw_mistakes(mistakes: Sequence[PicturedMistake]) -> Image.Image:
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
