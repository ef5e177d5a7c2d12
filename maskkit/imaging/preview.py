"""A picture of what the network really sees: the pixels it is given, and under each what it should answer."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.photos import Pixels

WIDTH = 192  # pixels that a photo takes at least; smaller ones are enlarged, pixel by pixel
COLUMNS = 8
GAP = 12
FONT = 13  # pixels
LINE = 17
INK, PAPER = (30, 30, 30), (255, 255, 255)
LEAST = 0.03  # share of a target that is worth its line; smoothing gives every class a little


def contact_sheet(images: Tensor, captions: Sequence[str], preprocess: Preprocess) -> bytes:
    """Draw photos as the network is given them, and a caption under each, as a PNG.

    Args:
        images: Normalised, (N, 3, H, W), on any device; from one batch or several.
        captions: One per photo; long lines are wrapped.
        preprocess: How the photos were normalised, which is undone.
    """
    photos = _enlarged(pixels_of(images, preprocess))
    height, width = photos.shape[1:3]
    font = ImageFont.load_default(FONT)
    texts = [_wrapped(caption, font, width) for caption in captions]
    below = LINE * max((text.count("\n") + 1 for text in texts), default=1)
    columns = max(1, min(COLUMNS, len(photos)))
    lines = -(-len(photos) // columns)
    step_x, step_y = width + GAP, height + below + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, GAP + lines * step_y), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (photo, text) in enumerate(zip(photos, texts, strict=True)):
        left, top = GAP + number % columns * step_x, GAP + number // columns * step_y
        sheet.paste(Image.fromarray(photo), (left, top))
        draw.multiline_text((left, top + height + 2), text, INK, font, spacing=LINE - FONT)
    data = io.BytesIO()
    sheet.save(data, "PNG", optimize=True)
    return data.getvalue()


def pixels_of(images: Tensor, preprocess: Preprocess) -> Pixels:
    """Undo the normalisation of photos, (N, 3, H, W); return uint8 (N, H, W, 3)."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32)[:, None, None]
        for values in (preprocess.mean, preprocess.std)
    )
    colours = images.detach().float().cpu() * std + mean
    return (colours * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def captions_of(targets: NDArray[np.floating], names: Sequence[str]) -> list[str]:
    """Write targets for people: the classes with a share worth naming, largest first.

    Args:
        targets: Class probabilities, (N, C).
        names: Of the classes.

    Returns:
        A caption per row, such as `0.62 wear/female/60plus`, a line per class. What the other classes
        have together is the last line, if it is worth one.
    """
    return [_caption(target, names) for target in targets]


def _caption(target: NDArray[np.floating], names: Sequence[str]) -> str:
    named = [index for index in np.argsort(-target, kind="stable").tolist() if target[index] >= LEAST]
    lines = [f"{target[index]:.2f} {names[index]}" for index in named]
    rest = 1 - float(target[named].sum())
    return "\n".join([*lines, f"{rest:.2f} others"] if rest >= LEAST else lines)


def _enlarged(photos: Pixels) -> Pixels:
    """Repeat pixels so that photos are wide enough to be looked at, and captions to be read."""
    times = max(1, -(-WIDTH // photos.shape[2]))
    return photos.repeat(times, axis=1).repeat(times, axis=2)


def _wrapped(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    letters = max(1, int(width // font.getlength("e")))
    lines = [textwrap.fill(line, letters, break_on_hyphens=False) for line in caption.split("\n")]
    return "\n".join(lines)
