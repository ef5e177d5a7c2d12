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
    planes,
    smooth,
    soften,
)
from maskkit.drawing.look import Look
from maskkit.drawing.skull import Skull


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
    wide = 150 + 18 * (look.jaw - 2.3) + 40 * (look.width - 1)
    deep = {"round": 232, "vee": 262, "shirt": 238, "high": 172}[look.collar]
    open_ = {"round": 66, "vee": 58, "shirt": 52, "high": 66}[look.collar]
    base = 190 if look.collar != "high" else 166
    neckline = smooth([(-open_, base), (-open_ * 0.62, (base + deep) / 2 + 6), (0, deep + 8),
                       (open_ * 0.62, (base + deep) / 2 + 6), (open_, base)])  # fmt: skip
    if look.collar == "vee":
        neckline = np.array([(-open_, base), (0, deep), (open_, base)], np.float64)
    right = smooth(
        [(open_ + 3, base - 2), (wide * 0.62, 205), (wide, 224), (wide + 28, 300), (wide + 30, 400)]
    )
    outline = np.concatenate([neckline, right, right[::-1] * (-1, 1)])
    cover = filled(skull.at(outline), soft=0.8)
    weave = 1 + 0.03 * grain(random, 2) + 0.05 * grain(random, (30, 60))
    if random.random() < 0.2:
        weave = weave * (1 + 0.12 * np.sign(np.sin((Y if random.random() < 0.6 else X) / 6)))
    canvas.tint(soften(cover, 7) * (1 - cover), (0.72, 0.66, 0.64))
    canvas.paint(cover, planes(look.clothes) * weave.astype(np.float32))
    canvas.lay(cover, inflated(cover, 60, 26) + 22 + 1.5 * grain(random, (26, 50)))
    _collar(canvas, look, skull, neckline, open_, base, deep)


def _collar(
    canvas: Canvas, look: Look, skull: Skull, neckline: np.ndarray, open_: float, base: float, deep: float
) -> None:
    if look.collar == "shirt":
        for side in (-1, 1):
            flap = [(side * (open_ + 4), base - 8), (side * (open_ + 16), base + 14), (side * 44, deep + 26),
                    (side * 2, deep + 6)]  # fmt: skip
            cover = filled(skull.at(flap), soft=0.9)
            canvas.tint(soften(np.roll(cover, 4, axis=0), 3), (0.8, 0.8, 0.8))
            canvas.paint(cover, tuple(min(1, 1.08 * part) for part in look.clothes))  # type: ignore[arg-type]
            canvas.height[...] += 4 * cover
        return
    band = lines([(skull.at(neckline), 1)], thickness=7 if look.collar == "round" else 4, soft=1.2)
    canvas.height[...] += 3 * band
    canvas.tint(band, (0.92, 0.92, 0.92))


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
