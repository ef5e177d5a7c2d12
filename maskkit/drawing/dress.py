"""What surrounds a face: the wall behind it, clothes, earrings."""

from __future__ import annotations

import numpy as np

from maskkit.drawing.canvas import (
    Canvas,
    Colour,
    X,
    Y,
    disc,
    filled,
    grain,
    inflated,
    lines,
    mixed,
    planes,
    smooth,
    soften,
)
from maskkit.drawing.look import Collar, Look
from maskkit.drawing.skull import Skull

# Half the width, height of the ends and of the lowest point of a neckline, in face coordinates.
_NECKLINES: dict[Collar, tuple[float, float, float]] = {
    "round": (66, 190, 240),
    "vee": (58, 190, 262),
    "shirt": (52, 190, 246),
    "high": (66, 166, 180),
}


def draw_wall(canvas: Canvas, look: Look) -> None:
    """Fill the canvas with a wall out of focus, lighter to one side."""
    random = np.random.default_rng([look.texture, 5])
    slope = random.uniform(-0.18, 0.18) * (X / 192 - 1) + random.uniform(-0.12, 0.04) * (Y / 256 - 1)
    patches = 0.05 * grain(random, 110) * random.uniform(0.3, 1.6)
    canvas.colour[...] = planes(look.wall) * (0.93 + slope + patches)
    if random.random() < 0.4:  # a shelf, a window or a door frame
        x, wide = random.uniform(0, 384), random.uniform(25, 90)
        frame = np.clip((wide - np.abs(X - x)) / 9 + 0.5, 0, 1).astype(np.float32)
        canvas.paint(frame * np.float32(0.3), (1, 1, 1) if random.random() < 0.3 else (0.3, 0.3, 0.3))


def draw_clothes(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw shoulders in a shirt, a pullover or a blouse, its neckline over the neck."""
    random = np.random.default_rng([look.texture, 6])
    half, base, deep = _NECKLINES[look.collar]
    middle = [] if look.collar == "vee" else [(0.62 * half, (base + deep) / 2 + 6)]
    right = [*middle, (half, base)]
    left = [(-x, y) for x, y in reversed(right)]
    neckline = smooth([*left, (0, deep), *right], rounds=0 if look.collar == "vee" else 3)
    wide = 150 + 18 * (look.jaw - 2.3) + 40 * (look.width - 1)
    shoulder = [(half + 3, base - 2), (wide * 0.62, 205), (wide, 224), (wide + 28, 300), (wide + 30, 400)]
    outer = smooth(shoulder)
    cover = filled(skull.at(np.concatenate([neckline, outer, outer[::-1] * (-1, 1)])), soft=0.8)
    weave = 1 + 0.03 * grain(random, 2) + 0.05 * grain(random, (30, 60))
    if random.random() < 0.2:
        weave *= 1 + 0.12 * np.sign(np.sin((Y if random.random() < 0.6 else X) / 6))
    canvas.tint(soften(cover, 7) * (1 - cover), (0.72, 0.66, 0.64))
    canvas.paint(cover, planes(look.clothes) * weave)
    canvas.lay(cover, inflated(cover, 60, 26) + 22 + 1.5 * grain(random, (26, 50)))
    if look.collar == "shirt":
        _flaps(canvas, look, skull)
    else:
        band = lines([(skull.at(neckline), 1)], thickness=7 if look.collar == "round" else 4, soft=1.2)
        canvas.height[...] += 3 * band
        canvas.tint(band, (0.92, 0.92, 0.92))


def _flaps(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw the two flaps of a shirt's collar."""
    half, base, deep = _NECKLINES[look.collar]
    flap = [(half + 4, base - 8), (half + 16, base + 14), (44, deep + 18), (2, deep - 2)]
    for side in (-1, 1):
        cover = filled(skull.at([(side * x, y) for x, y in flap]), soft=0.9)
        canvas.tint(soften(np.roll(cover, 4, axis=0), 3), (0.8, 0.8, 0.8))
        canvas.paint(cover, mixed(look.clothes, (1, 1, 1), 0.08))
        canvas.height[...] += 4 * cover


def draw_earrings(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Hang a pearl or a drop from each ear."""
    if not look.earrings or look.style in {"bob", "long"}:
        return
    for side in (-1, 1):
        at = skull.spot(side * 102, 52)
        drop = disc((at[0], at[1] + 3), (4, 5 if look.round_lenses else 9))
        colour: Colour = (0.90, 0.87, 0.82) if look.round_lenses else (0.80, 0.63, 0.30)
        canvas.paint(drop, colour)
        canvas.lay(drop, inflated(drop, 4, 8) + 40)
