"""Skin and features: neck, ears, head, eyes and brows, nose, mouth, and the marks that age leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.drawing.canvas import (
    Canvas,
    Stroke,
    X,
    disc,
    filled,
    grain,
    inflated,
    lines,
    mixed,
    smooth,
    soften,
)
from maskkit.drawing.people import Appearance
from maskkit.drawing.skull import CENTRE, Skull

SIDES = (-1, 1)
Line = NDArray[np.float64]


def draw_neck(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Draw neck and ears, which lie behind the face."""
    wide = 60 + 9 * (look.jaw - 2.3)
    neck = filled(
        smooth(skull.at([(-wide, 60), (-wide, 150), (-wide - 8, 182), (-118, 225), (-118, 330), (118, 330),
                         (118, 225), (wide + 8, 182), (wide, 150), (wide, 60)]), closed=True)
    )  # fmt: skip
    canvas.paint(neck, look.skin)
    canvas.lay(neck, inflated(neck, 60, 42))
    # The neck lies in the shadow of the chin.
    shadow = soften((skull.distance(grown=8) < 1).astype(np.float32), 10)
    canvas.tint(neck * np.roll(shadow, 20, axis=0), (0.62, 0.52, 0.50))
    if look.style in {"bob", "long"}:
        return  # the hair covers the ears
    for side in SIDES:
        ear = disc(skull.spot(side * 101, 18), (14, 31), power=2.3)
        canvas.paint(ear, mixed(look.skin, (0.85, 0.45, 0.38), 0.16))
        canvas.lay(ear, inflated(ear, 9, 12) + 22)
        canvas.bump(skull.spot(side * 102, 15), (5, 14), -7)


def draw_face(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Draw the head with all its features."""
    random = np.random.default_rng([look.texture, 1])
    _head(canvas, look, skull, random)
    _relief(canvas, look, skull)
    _age(canvas, look, skull, random)
    for side in SIDES:
        _eye(canvas, look, skull, side=side)
        _brow(canvas, look, skull, side=side, random=random)
    _nostrils(canvas, look, skull)
    _mouth(canvas, look, skull)


def _head(canvas: Canvas, look: Appearance, skull: Skull, random: np.random.Generator) -> None:
    outline = skull.outline
    head = np.clip((1 - outline) * 26 + 0.5, 0, 1)
    canvas.paint(head, look.skin)
    canvas.lay(head, skull.dome(outline))
    for side in SIDES:
        rosy = max(0.0, 1 - 0.9 * look.wrinkles)
        canvas.blush(skull.spot(side * 52, 52), (24, 20), mixed((1, 1, 1), (1.06, 0.82, 0.82), rosy))
    canvas.blush(skull.spot(0, 62), (18, 16), (1.02, 0.90, 0.88))
    canvas.blush(skull.spot(0, -70), (60, 30), (1.03, 1.02, 1.0))
    uneven = np.clip(1 + 0.022 * look.blotches * grain(random, 18) + 0.012 * grain(random, 3), 0.8, 1.2)
    spots = soften((grain(random, 7) > 2.1).astype(np.float32), 1.6) * np.float32(0.35 * look.blotches)
    skin = (outline < 1.2).astype(np.float32)
    canvas.colour[...] *= 1 + skin * (uneven - 1)
    canvas.tint(spots * skin, (0.72, 0.58, 0.48))
    pores = (0.05 + 0.12 * look.wrinkles) * grain(random, 2.2) + 0.22 * look.wrinkles * grain(random, 9)
    canvas.height[...] += pores * head


def _relief(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Shape brow, sockets, nose, cheeks and chin."""
    spot, wide, long = skull.spot, 1.14 * look.nose_width, skull.nose
    canvas.bump(spot(0, -30), (40, 9), 3 * look.brow)
    for side in SIDES:
        canvas.bump(spot(side * skull.eye, -1), (25, 13), -11)
        canvas.bump(spot(side * 56, 42), (20, 15), 7 - 3 * look.sag, 0.5 * side)
        canvas.bump(spot(side * 62, 82), (15, 22), -4)
        canvas.bump(spot(side * 16 * wide, long - 3), (6.5, 6), 7)
        canvas.bump(spot(side * 20, long + 10), (7, 5), -3)
    canvas.bump(spot(0, long * 0.42), (7 * wide, long * 0.42), 15)
    canvas.bump(spot(0, long - 6), (10 * wide, 9.5), 15)
    canvas.bump(spot(0, long + 15), (4, 7), -2.2)
    canvas.bump(spot(0, 104), (26, 14), 4)
    canvas.bump(spot(0, 120), (17, 4.5), -4)
    canvas.bump(spot(0, 138), (20, 11), 6)


def _age(canvas: Canvas, look: Appearance, skull: Skull, random: np.random.Generator) -> None:
    """Add what time leaves: lines, folds beside nose and mouth, bags under the eyes, a slack jaw."""
    old = look.wrinkles
    fine = [_forehead_line(skull, row, old, random) for row in range(4)]
    folds = []
    for side in SIDES:
        fine.append(_stroke(skull, side, [(5, -20), (6, -30), (5, -42)], 0.6 * old))
        for turn in (-0.45, -0.1, 0.28, 0.6):  # crow's feet
            start = (1.58 * skull.eye, 1 + 12 * turn)
            reach = 20 * min(1.1, 0.4 + old) * random.uniform(0.7, 1.1)
            end = (start[0] + reach * np.cos(turn), start[1] + reach * np.sin(turn))
            fine.append(_stroke(skull, side, [start, end], 0.8 * old * random.uniform(0.6, 1.1)))
        nasolabial = [(21, skull.nose - 8), (32, skull.nose + 8), (42, 96), (44, 110)]
        folds.append(_stroke(skull, side, nasolabial, 0.08 + 0.9 * old))
        folds.append(_stroke(skull, side, [(38, 116), (41, 126), (38, 138)], 0.7 * look.sag))
        bag = [(skull.eye + x, y) for x, y in ((-20, 12), (-6, 20), (10, 20), (22, 13))]
        folds.append(_stroke(skull, side, bag, 0.75 * look.bags))
        canvas.bump(skull.spot(side * skull.eye, 14), (15, 5), 2.6 * look.bags)
        shadow = mixed((1, 1, 1), (0.66, 0.58, 0.64), look.bags)
        canvas.blush(skull.spot(side * (skull.eye - 4), 15), (17, 7), shadow)
    canvas.carve(lines(fine, thickness=2, soft=1.4), depth=4.0, dark=0.42)
    canvas.carve(lines(folds, thickness=4, soft=2.2), depth=6.5, dark=0.5)


def _forehead_line(skull: Skull, row: int, old: float, random: np.random.Generator) -> Stroke:
    y = -88 + 13 * row + random.normal(0, 2)
    wave = [(x, y + 4 * (x / 45) ** 2 + random.normal(0, 1.2)) for x in np.linspace(-46, 46, 7)]
    return _stroke(skull, 1, wave, (0.75 * old - 0.12 * (row % 2)) * random.uniform(0.6, 1.1))


def _stroke(skull: Skull, side: int, points: Sequence[tuple[float, float]], strength: float) -> Stroke:
    """Return a rounded line on one side of the face, given in face coordinates of the other."""
    return smooth(skull.at([(side * x, y) for x, y in points])), strength


def _nostrils(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Darken the holes of the nose and carve its wings."""
    long, wide = skull.nose, 1.14 * look.nose_width
    for side in SIDES:
        hole = disc(skull.spot(side * 8.5 * wide, long + 3.5), (5 * wide, 2.8), soft=1.6)
        canvas.tint(hole, (0.32, 0.18, 0.17))
        wing = [(side * 17 * wide, long - 12), (side * 23 * wide, long - 4), (side * 18.5 * wide, long + 5)]
        canvas.carve(lines([(smooth(skull.at(wing)), 0.6)], thickness=2, soft=1.4), depth=2.4, dark=0.4)


def _mouth(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Draw lips that curve up, and part over the teeth, the more somebody smiles."""
    wide, full, y = 38 * look.mouth * (1 + 0.1 * look.smile), 1.1 * look.lips, skull.mouth
    corner, gap = y - 5 * look.smile, max(0, 16 * (look.smile - 0.5))

    def arc(middle: float, bend: float) -> NDArray[np.float64]:
        half = wide * bend
        line = [(-wide, corner), (-half, middle), (0, middle), (half, middle), (wide, corner)]
        return smooth(skull.at(line))

    bow = [(-wide, corner), (-wide * 0.52, y - 6.5 * full), (-6, y - 9.5 * full), (0, y - 7 * full),
           (6, y - 9.5 * full), (wide * 0.52, y - 6.5 * full), (wide, corner)]  # fmt: skip
    upper, lower = arc(y, 0.5), arc(y + gap, 0.55)
    teeth = filled(np.concatenate([upper, lower[::-1]]), soft=0.8)
    canvas.paint(teeth, (0.93, 0.90, 0.86))
    canvas.tint(teeth * np.clip((np.abs(X - CENTRE) - 0.5 * wide) / wide, 0, 1), (0.35, 0.25, 0.25))
    natural = mixed(look.skin, (0.62, 0.22, 0.22), 0.38)
    colour = mixed(natural, (0.72, 0.13, 0.20), 0.75 * look.lip_colour)
    top, bottom = smooth(skull.at(bow)), arc(y + gap + 13 * full, 0.5)
    for edge, rim, shade, swell in ((upper, top, 0.86, 3.5), (lower, bottom, 1.0, 5.5)):
        lip = filled(np.concatenate([edge, rim[::-1]]), soft=1.1)
        canvas.paint(lip * np.float32(0.9), mixed((0, 0, 0), colour, shade))
        canvas.height[...] += inflated(lip, 7, swell)
    seam = lines([(upper, 0.9), (lower, 0.7)], thickness=2, soft=0.9)
    canvas.height[...] -= np.float32(2.5) * seam
    canvas.tint(seam, (0.38, 0.24, 0.24))
    for side in SIDES:
        canvas.blush(skull.spot(side * (wide + 3), corner), (5, 5), (0.82, 0.76, 0.74))


def _eye(canvas: Canvas, look: Appearance, skull: Skull, *, side: int) -> None:
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


def _placed(look: Appearance, skull: Skull, side: int, points: Sequence[tuple[float, float]]) -> Line:
    """Turn points around a pupil, x away from the nose, into a rounded line in pixels."""
    size = 1.14 * look.eye_size
    line = [(side * (skull.eye + size * x), size * y - look.eye_tilt * x) for x, y in points]
    return smooth(skull.at(line))


def _eyeball(canvas: Canvas, look: Appearance, skull: Skull, side: int, upper: Line, lower: Line) -> None:
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


def _lashes(canvas: Canvas, look: Appearance, skull: Skull, side: int, upper: Line) -> None:
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


def _brow(canvas: Canvas, look: Appearance, skull: Skull, *, side: int, random: np.random.Generator) -> None:
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
