"""Eyes and eyebrows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.drawing.canvas import Canvas, disc, filled, lines, mixed, smooth, soften
from maskkit.drawing.look import Look
from maskkit.drawing.skull import Skull

Line = NDArray[np.float64]


def draw_eye(canvas: Canvas, look: Look, skull: Skull, *, side: int) -> None:
    """Draw the left (`side` -1) or right (1) eye with its lids and lashes."""
    lid = 1 - 0.22 * look.sag  # a slack lid hangs lower
    above = [(-21, 3), (-13, -6 * lid), (-1, -11.5 * lid), (12, -9 * lid), (21, -1)]
    under = [(21, -1), (13, 5.5), (0, 8.5), (-12, 7), (-21, 3)]
    crease = [(-17, -5), (-9, -12 * lid - 1), (3, -17 * lid), (15, -14 * lid), (23, -5)]
    upper, lower = _placed(look, skull, side, above), _placed(look, skull, side, under)
    _eyeball(canvas, look, skull, side, upper, lower)
    _lashes(canvas, look, skull, side, upper)
    canvas.tint(lines([(lower, 0.55)], soft=0.8), (0.55, 0.38, 0.36))
    fold = lines([(_placed(look, skull, side, crease), 0.8)], thickness=2, soft=1.1)
    canvas.carve(fold, depth=2.5, dark=0.45)


def _placed(look: Look, skull: Skull, side: int, points: Sequence[tuple[float, float]]) -> Line:
    """Turn points around a pupil, x away from the nose, into a rounded line in pixels."""
    size = 1.14 * look.eye_size
    line = [(side * (skull.eye + size * x), size * y - look.eye_tilt * x) for x, y in points]
    return smooth(skull.at(line))


def _eyeball(canvas: Canvas, look: Look, skull: Skull, side: int, upper: Line, lower: Line) -> None:
    """Draw white, iris and pupil, in the shadow of the upper lid."""
    opening = filled(np.concatenate([upper, lower]), soft=0.6)
    canvas.paint(opening, (0.90, 0.87, 0.85))
    canvas.lay(opening, soften(canvas.height, 4))
    size = 1.14 * look.eye_size
    x, y = skull.spot(side * skull.eye, -1.2 * size)
    radius = 10.2 * size * skull.half / 100
    rings = (
        (1.0, 1.3, mixed(look.eye_colour, (0.03, 0.03, 0.04), 0.55)),
        (0.72, 2.5, mixed(look.eye_colour, (1, 0.95, 0.8), 0.10)),
        (0.42, 1.0, (0.02, 0.02, 0.025)),
    )
    for share, soft, colour in rings:
        canvas.paint(opening * disc((x, y), (share * radius, share * radius), soft=soft), colour)
    canvas.tint(opening * lines([(upper, 1)], thickness=9, soft=2.2), (0.50, 0.45, 0.46))
    canvas.paint(disc((x - 3, y - 4), (2.0, 2.0), soft=0.8) * np.float32(0.9), (1, 1, 1))
    canvas.paint(disc((x + 3, y + 4), (1.6, 1.4), soft=1) * np.float32(0.3), (1, 1, 1))
    corner = float(upper[0, 0]) + 2 * side, float(upper[0, 1])
    canvas.paint(disc(corner, (3, 2.4), soft=1.2) * np.float32(0.7), (0.80, 0.50, 0.47))


def _lashes(canvas: Canvas, look: Look, skull: Skull, side: int, upper: Line) -> None:
    """Draw the upper lashes; strong ones end in a wing, under a little eye shadow."""
    strong = look.lashes
    dark = mixed(look.skin, (0.05, 0.03, 0.03), 0.75 + 0.2 * strong)
    rim = lines([(upper, 0.75 + 0.25 * strong)], thickness=3 if strong > 0.45 else 2)
    canvas.paint(rim, dark)
    if strong > 0.35:
        wing = _placed(look, skull, side, [(12, -8), (20, -4), (26, -8 - 3 * strong)])
        canvas.paint(lines([(wing, strong)], thickness=2), dark)
        shadow = _placed(look, skull, side, [(-16, -9), (0, -17), (17, -12)])
        canvas.tint(lines([(shadow, 0.7 * strong)], thickness=9, soft=3), (0.72, 0.58, 0.60))


def draw_brow(canvas: Canvas, look: Look, skull: Skull, *, side: int, random: np.random.Generator) -> None:
    """Draw an eyebrow hair by hair, so that its edges are not a stencil's."""
    hairs = []
    for share in np.sort(random.random(210)).tolist():  # 0 next to the nose, 1 at the temple
        arch = -27 - 7 * look.brow_arch * np.sin(np.pi * min(1, share * 1.1)) + 10 * max(0, share - 0.55)
        across = 5.2 * look.brow * (1 - 0.75 * share**2) * random.uniform(-1, 1)
        lean, reach = 0.35 + 1.1 * share + random.normal(0, 0.15), random.uniform(4, 7)
        x, y = skull.eye - 24 + 54 * share, arch + across
        tip = side * (x + reach * np.sin(lean)), y - 0.7 * reach * np.cos(lean)
        hairs.append((skull.at([(side * x, y), tip]), random.uniform(0.45, 0.9)))
    grey = mixed(look.hair, (0.62, 0.60, 0.58), 0.6 * look.grey)
    colour = mixed(grey, (0.08, 0.06, 0.05), 0.35 * (1 - look.grey))
    cover = lines(hairs, soft=0.6)
    canvas.paint(np.clip(soften(cover, 2.5) * np.float32(0.5) + cover, 0, 1) * np.float32(0.9), colour)
