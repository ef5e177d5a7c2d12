"""What people wear: clothes, earrings, glasses, and masks, which go over everything but the hair."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from maskkit.drawing.canvas import (
    Array,
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
    radial,
    smooth,
    soften,
)
from maskkit.drawing.people import Appearance, Collar
from maskkit.drawing.skull import CENTRE, EYES, Skull

Cut = Literal["surgical", "cloth", "beak"]

# Half the width, height of the ends and of the lowest point of a neckline, in face coordinates.
_NECKLINES: dict[Collar, tuple[float, float, float]] = {
    "round": (66, 190, 240),
    "vee": (58, 190, 262),
    "shirt": (52, 190, 246),
    "high": (66, 166, 180),
}
_ON_NOSE, _ON_LIP, _ON_CHIN = 32.0, 86.0, 116.0  # upper edge, in face coordinates
_SURGICAL = (
    (0.52, 0.74, 0.88), (0.62, 0.82, 0.78), (0.93, 0.94, 0.94), (0.92, 0.72, 0.76), (0.13, 0.13, 0.14),
)  # fmt: skip
_CLOTH = (
    (0.12, 0.12, 0.13), (0.45, 0.46, 0.48), (0.70, 0.16, 0.18), (0.16, 0.24, 0.42), (0.85, 0.82, 0.76),
    (0.32, 0.44, 0.34), (0.62, 0.45, 0.60), (0.90, 0.90, 0.91),
)  # fmt: skip
_BEAK = ((0.94, 0.94, 0.93), (0.94, 0.94, 0.93), (0.14, 0.14, 0.15), (0.60, 0.61, 0.63))


def put_on_mask(
    canvas: Canvas, skull: Skull, *, hair: Array, worn_well: bool, random: np.random.Generator
) -> None:
    """Draw a mask of random cut and colour on the finished face, below hair, float32 (512, 384).

    If not worn well, it does not cover the nose: its upper edge is under the nose or on the chin.
    """
    cuts: tuple[Cut, ...] = ("surgical", "cloth", "beak")
    cut = cuts[random.choice(3, p=[0.5, 0.32, 0.18])]
    colours = {"surgical": _SURGICAL, "cloth": _CLOTH, "beak": _BEAK}[cut]
    shade = np.add(colours[random.integers(len(colours))], random.normal(0, 0.02, 3))
    red, green, blue = (float(part) for part in np.clip(shade, 0.04, 0.97))
    wrong = _ON_LIP if random.random() < 0.65 else _ON_CHIN
    top = (_ON_NOSE if worn_well else wrong) + random.uniform(-5, 5)
    upper, lower, corners = _outline(skull, cut, top, random)
    cover = filled(skull.at(np.concatenate([upper, lower])), soft=0.7)
    free = 1 - hair
    _straps(canvas, skull, corners, free, (0.5 * red + 0.45, 0.5 * green + 0.45, 0.5 * blue + 0.45))
    canvas.tint(soften(np.roll(cover, 6, axis=0), 6) * (1 - cover) * free, (0.66, 0.58, 0.56))
    weave = 1 + (0.035 if cut == "cloth" else 0.012) * grain(random, 1.6)
    fabric = planes((red, green, blue)) * weave
    if cut == "cloth":
        fabric = fabric * _pattern(random)
    canvas.paint(cover * free, fabric)
    relief = soften(canvas.height, 7) + inflated(cover, 26, 12) + _folds(skull, cut, top, upper, random)
    canvas.lay(cover * free, (relief + 1.2 * grain(random, (50, 16))).astype(np.float32))


def _outline(
    skull: Skull, cut: Cut, top: float, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[tuple[float, float]]]:
    """Return upper edge, lower edge and the right-hand corners, in face coordinates."""
    low = top - _ON_NOSE
    side_y, jaw_y = 44 + 0.52 * low, 108 + 0.30 * low
    bottom = 157 + 0.32 * low + (8 if cut == "beak" else 0) + random.uniform(-3, 5)
    side_x, jaw_x = skull.edge(side_y) - 3, skull.edge(min(jaw_y, 140)) + (4 if cut == "surgical" else 0)
    peak = {"surgical": 2, "cloth": 8, "beak": 6}[cut]
    half = [(14, top - peak + 2), (34, top + 4), (66, (top + side_y) / 2 + 4), (side_x, side_y)]
    upper = smooth([*[(-x, y) for x, y in reversed(half)], (0, top - peak), *half], rounds=2)
    low_half = [(jaw_x, jaw_y), (jaw_x * 0.62, bottom - 14), (jaw_x * 0.28, bottom - 1)]
    sides = [(side_x + 1, side_y + 10), *low_half]
    tip = 6 if cut == "beak" else 1
    lower = smooth([*sides, (0, bottom + tip), *[(-x, y) for x, y in reversed(sides)]], rounds=2)
    return upper, lower, [(side_x - 2, side_y + 2), (jaw_x - 2, jaw_y - 2)]


def _straps(
    canvas: Canvas, skull: Skull, corners: list[tuple[float, float]], free: Array, colour: Colour
) -> None:
    """Draw the loops from the corners to behind the ears."""
    (x, y), (low_x, low_y) = corners
    strokes = []
    for side in (-1, 1):
        above = [(side * x, y), (side * 99, y - 22), (side * 106, -2)]
        under = [(side * low_x, low_y), (side * 98, (low_y + 44) / 2), (side * 107, 40)]
        strokes += [(smooth(skull.at(line)), 0.95) for line in (above, under)]
    canvas.tint(np.roll(lines(strokes, thickness=3, soft=1.5), 2, axis=0) * free, (0.75, 0.68, 0.66))
    canvas.paint(lines(strokes, thickness=3, soft=0.7) * free, colour)


def _folds(
    skull: Skull, cut: Cut, top: float, upper: NDArray[np.float64], random: np.random.Generator
) -> Array:
    """Return what a mask's cut adds to its height in pixels: pleats, seams, a ridge."""
    hem = 1.6 * lines([(skull.at(upper + np.array([0, 7])), 1)], thickness=2, soft=1)
    if cut == "surgical":
        pleats = []
        for step in (0.32, 0.52, 0.72):
            y, bend = top + step * (150 - top * 0.72), random.uniform(4, 10)
            pleat = [(-84, y - bend), (-45, y), (0, y + 3), (45, y), (84, y - bend)]
            pleats.append((smooth(skull.at(pleat)), 1.0))
        return 2.6 * lines(pleats, thickness=3, soft=1.5) - hem
    ridge = np.exp(-np.abs(X[:1] - np.float32(CENTRE)) / (9 if cut == "cloth" else 16))
    along = np.clip((Y[:, :1] - EYES - skull.down * top / 150) / 30, 0, 1)
    crease = np.zeros_like(X)
    if cut == "beak":
        y = top + 28
        press = [[(side * 12, y + 16), (side * 50, y + 2), (side * 80, y + 8)] for side in (-1, 1)]
        crease = 2.0 * lines([(smooth(skull.at(line)), 1) for line in press], thickness=2, soft=1)
    return np.asarray((6 if cut == "cloth" else 13) * ridge * along - hem - crease, np.float32)


def _pattern(random: np.random.Generator) -> Array:
    """Return a factor for cloth: mostly plain, else dots, stripes or checks."""
    kind, pitch = random.random(), random.uniform(9, 16)
    u = np.sin(X[:1] * np.float32(np.pi / pitch))
    v = np.sin(Y[:, :1] * np.float32(np.pi / pitch))
    if kind < 0.1:
        return np.where(u * v > 0.55, np.float32(1.6), np.float32(1))
    if kind < 0.2:
        return np.broadcast_to(1 + np.float32(0.25) * np.sign(v), X.shape)
    if kind < 0.3:
        return np.asarray(1 + np.float32(0.14) * (np.sign(u) + np.sign(v)), np.float32)
    return np.ones_like(X)


def put_on_glasses(canvas: Canvas, look: Appearance, skull: Skull, *, hair: Array) -> None:
    """Draw the glasses of somebody who wears some, under the hair."""
    if look.glasses is None:
        return
    middle, power = skull.eye + 1, 2.1 if look.round_lenses else 3.4
    size = (31 * skull.half / 100, (27 if look.round_lenses else 22) * skull.half / 100)
    strokes = [(smooth(skull.at([(-middle + 30, 0), (0, -6), (middle - 30, 0)])), 1.0)]
    rims = np.zeros_like(X)
    for side in (-1, 1):
        at = skull.spot(side * middle, 5)
        far = radial(at, size, power)
        lens = np.clip((1 - far) * 20, 0, 1)
        glare = np.exp(-(((X - at[0] + 0.7 * (Y - at[1]) + 16) / 6) ** 2))
        canvas.paint(lens * (0.05 + 0.16 * glare).astype(np.float32), (0.95, 0.97, 1.0))
        rims = np.maximum(rims, np.clip(1.6 - np.abs(far - 1) * np.float32(size[1]), 0, 1))
        strokes.append((skull.at([(side * (middle + 30), -2), (side * 104, -4)]), 1.0))
    cover = np.maximum(rims, lines(strokes, thickness=3, soft=0.6)) * (1 - hair)
    canvas.tint(np.roll(soften(cover, 2), 4, axis=0) * np.float32(0.5), (0.6, 0.52, 0.5))
    canvas.paint(cover, look.glasses)
    canvas.height[...] += 2 * cover


def draw_clothes(canvas: Canvas, look: Appearance, skull: Skull) -> None:
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
        flap = [(half + 4, base - 8), (half + 16, base + 14), (44, deep + 18), (2, deep - 2)]
        for side in (-1, 1):
            cover = filled(skull.at([(side * x, y) for x, y in flap]), soft=0.9)
            canvas.tint(soften(np.roll(cover, 4, axis=0), 3), (0.8, 0.8, 0.8))
            canvas.paint(cover, mixed(look.clothes, (1, 1, 1), 0.08))
            canvas.height[...] += 4 * cover
    else:
        band = lines([(skull.at(neckline), 1)], thickness=7 if look.collar == "round" else 4, soft=1.2)
        canvas.height[...] += 3 * band
        canvas.tint(band, (0.92, 0.92, 0.92))


def draw_earrings(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Hang a pearl or a drop from each ear."""
    if not look.earrings or look.style in {"bob", "long"}:
        return
    for side in (-1, 1):
        at = skull.spot(side * 102, 52)
        drop = disc((at[0], at[1] + 3), (4, 5 if look.round_lenses else 9))
        colour: Colour = (0.90, 0.87, 0.82) if look.round_lenses else (0.80, 0.63, 0.30)
        canvas.paint(drop, colour)
        canvas.lay(drop, inflated(drop, 4, 8) + 40)
