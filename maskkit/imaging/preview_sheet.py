"""A picture of what the network really sees: the pixels it is given, and under each its target."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.photos import Pixels

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDTH = 192  # pixels that a photo takes at least; smaller ones are enlarged, pixel by pixel
COLUMNS = 8
GAP = 12
FONT = 13  # pixels
LINE = 17
INK, PAPER = (30, 30, 30), (255, 255, 255)


def contact_sheet(images: Tensor, captions: Sequence[str], preprocess: Preprocess) -> bytes:
    """Draw photos as the network is given them, and a caption under each, as a PNG.

    The images are normalised, (N, 3, H, W), on any device, from one batch or several; that is undone. Long
    lines of a caption are wrapped.
    """
    data = io.BytesIO()
    draw_sheet(pixels_of(images, preprocess), captions).save(data, "PNG", optimize=True)
    return data.getvalue()


def draw_sheet(photos: Pixels, captions: Sequence[str], *, columns: int = COLUMNS) -> Image.Image:
    """Draw photos, uint8 (N, H, W, 3), in so many columns, with a caption under each."""
    # Pixels are repeated so that photos are wide enough to be looked at, and captions to be read.
    times = max(1, -(-WIDTH // photos.shape[2]))
    photos = photos.repeat(times, axis=1).repeat(times, axis=2)
    height, width = photos.shape[1:3]
    font = ImageFont.load_default(FONT)
    texts = [_wrapped(caption, font, width) for caption in captions]
    below = LINE * max(map(len, texts), default=1)
    columns = max(1, min(columns, len(photos)))
    lines = -(-len(photos) // columns)
    step_x, step_y = width + GAP, height + below + GAP
    sheet = Image.new("RGB", (GAP + columns * step_x, GAP + lines * step_y), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, (photo, text) in enumerate(zip(photos, texts, strict=True)):
        left, top = GAP + number % columns * step_x, GAP + number // columns * step_y
        sheet.paste(Image.fromarray(photo), (left, top))
        for place, line in enumerate(text):
            draw.text((left, top + height + 2 + place * LINE), line, INK, font)
    return sheet


def pixels_of(images: Tensor, preprocess: Preprocess) -> Pixels:
    """Undo the normalisation of photos, (N, 3, H, W); return uint8 (N, H, W, 3)."""
    mean, std = torch.tensor([preprocess.mean, preprocess.std], dtype=torch.float32)[..., None, None]
    colours: Tensor = images.detach().float().cpu() * std + mean
    return (colours * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def _wrapped(caption: str, font: Font, width: int) -> list[str]:
    """Break lines between words, so that none is wider than `width` pixels; a longer word, anywhere."""
    lines: list[str] = []
    for line in caption.split("\n"):
        lines.append("")
        for word in filter(None, re.findall(r"[^\s/]*[\s/]*", line)):  # a class name has parts
            if lines[-1] and font.getlength(lines[-1] + word.rstrip()) > width:
                lines.append("")
            for letter in word:
                if font.getlength(lines[-1] + letter) > width and not letter.isspace():
                    lines.append("")
                lines[-1] += letter
    return lines
