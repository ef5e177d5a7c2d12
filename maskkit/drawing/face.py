"""Skin and features: head, neck, ears, eyes, nose, mouth, and the marks that age leaves."""

from __future__ import annotations

import numpy as np

from maskkit.drawing.canvas import Array, Canvas, Colour, disc, filled, grain, inflated, lines, smooth, soften
from maskkit.drawing.canvas import X
from maskkit.drawing.look import Look
from maskkit.drawing.skull import CENTRE, Skull

SIDES = (-1, 1)


def draw_neck(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw neck and ears, which lie behind the face."""
    wide = 60 + 9 * (look.jaw - 2.3)
    neck = filled(
        smooth(skull.at([(-wide, 60), (-wide, 150), (-wide - 8, 182), (-118, 225), (-118, 330), (118, 330),
                         (118, 225), (wide + 8, 182), (wide, 150), (wide, 60)]), closed=True)
    )  # fmt: skip
    canvas.paint(neck, look.skin)
    canvas.lay(neck, inflated(neck, 60, 42))
    # The neck lies in the shadow of the chin.
    shadow = soften(np.float32(skull.distance(grown=8) < 1), 10)
    canvas.tint(neck * np.roll(shadow, 20, axis=0), (0.62, 0.52, 0.50))
    if look.style in {"bob", "long"}:
        return  # the hair covers the ears
    for side in SIDES:
        ear = disc(skull.spot(side * 101, 18), (14, 31), power=2.3)
        canvas.paint(ear, _mixed(look.skin, (0.85, 0.45, 0.38), 0.16))
        canvas.lay(ear, inflated(ear, 9, 12) + 22)
        canvas.bump(skull.spot(side * 102, 15), (5, 14), -7)


def draw_face(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw the head with all its features."""
    random = np.random.default_rng([look.texture, 1])
    _head(canvas, look, skull, random)
    _relief(canvas, look, skull)
    _age(canvas, look, skull, random)
    for side in SIDES:
        _eye(canvas, look, skull, side)
        _brow(canvas, look, skull, side, random)
    _nostrils(canvas, look, skull)
    _mouth(canvas, look, skull)


def _head(canvas: Canvas, look: Look, skull: Skull, random: np.random.Generator) -> None:
    outline = skull.outline
    head = np.clip((1 - outline) * 26 + 0.5, 0, 1)
    canvas.paint(head, look.skin)
    canvas.lay(head, skull.dome(outline))
    for side in SIDES:
        rosy = max(0.0, 1 - 0.9 * look.wrinkles)
        canvas.blush(skull.spot(side * 52, 52), (24, 20), _mixed((1, 1, 1), (1.06, 0.82, 0.82), rosy))
    canvas.blush(skull.spot(0, 62), (18, 16), (1.02, 0.90, 0.88))
    canvas.blush(skull.spot(0, -70), (60, 30), (1.03, 1.02, 1.0))
    uneven = np.clip(1 + 0.022 * look.blotches * grain(random, 18) + 0.012 * grain(random, 3), 0.8, 1.2)
    spots = soften((grain(random, 7) > 2.1).astype(np.float32), 1.6) * np.float32(0.35 * look.blotches)
    skin = (outline < 1.2).astype(np.float32)
    canvas.colour[...] *= 1 + skin * (uneven - 1)
    canvas.tint(spots * skin, (0.72, 0.58, 0.48))
    pores = (0.05 + 0.12 * look.wrinkles) * grain(random, 2.2) + 0.22 * look.wrinkles * grain(random, 9)
    canvas.height[...] += pores * head


def _relief(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Shape brow, sockets, nose, cheeks and chin."""
    spot, wide, long = skull.spot, 1.14 * look.nose_width, 68 * look.nose_length
    canvas.bump(spot(0, -30), (40, 9), 3 * look.brow)
    for side in SIDES:
        canvas.bump(spot(side * 43 * look.eye_gap, -1), (25, 13), -11)
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


def _age(canvas: Canvas, look: Look, skull: Skull, random: np.random.Generator) -> None:
    """Add what time leaves: folds beside nose and mouth, lines, bags under the eyes, a slack jaw."""
    old, long = look.wrinkles, 68 * look.nose_length
    fine, folds = [], []
    for row in range(4):
        y = -88 + 13 * row + random.normal(0, 2)
        wave = [(x, y + 4 * (x / 45) ** 2 + random.normal(0, 1.2)) for x in np.linspace(-46, 46, 7)]
        fine.append((smooth(skull.at(wave)), (0.75 * old - 0.12 * (row % 2)) * random.uniform(0.6, 1.1)))
    for side in SIDES:
        fold = [(side * 21, long - 8), (side * 32, long + 8), (side * 42, 96), (side * 44, 110)]
        folds.append((smooth(skull.at(fold)), 0.08 + 0.9 * old))
        folds.append((smooth(skull.at([(side * 38, 116), (side * 41, 126), (side * 38, 138)])), 0.7 * look.sag))
        fine.append((smooth(skull.at([(side * 5, -20), (side * 6, -30), (side * 5, -42)])), 0.6 * old))
        for turn in (-0.45, -0.1, 0.28, 0.6):
            x, y = 68 * look.eye_gap, 1 + 12 * turn
            reach = 20 * min(1.1, 0.4 + old) * random.uniform(0.7, 1.1)
            foot = [(side * x, y), (side * (x + reach * np.cos(turn)), y + reach * np.sin(turn))]
            fine.append((skull.at(foot), 0.8 * old * random.uniform(0.6, 1.1)))
        eye = 43 * look.eye_gap
        bag = [(side * (eye - 20), 12), (side * (eye - 6), 20), (side * (eye + 10), 20), (side * (eye + 22), 13)]
        folds.append((smooth(skull.at(bag)), 0.75 * look.bags))
        canvas.bump(skull.spot(side * eye, 14), (15, 5), 2.6 * look.bags)
        canvas.blush(skull.spot(side * (eye - 4), 15), (17, 7), _mixed((1, 1, 1), (0.66, 0.58, 0.64), look.bags))
    _grooves(canvas, lines(fine, thickness=2, soft=1.4), depth=4.0, dark=0.42)
    _grooves(canvas, lines(folds, thickness=4, soft=2.2), depth=6.5, dark=0.5)


def _grooves(canvas: Canvas, cover: Array, *, depth: float, dark: float) -> None:
    canvas.height[...] -= np.float32(depth) * cover
    canvas.tint(np.float32(dark) * cover, (0.55, 0.40, 0.36))


def _eye(canvas: Canvas, look: Look, skull: Skull, side: int) -> None:
    middle, size, tilt = 43 * look.eye_gap, 1.14 * look.eye_size, look.eye_tilt
    lid = 1 - 0.22 * look.sag

    def place(points: list[tuple[float, float]]) -> np.ndarray:
        return skull.at([(side * (middle + size * x), size * y - tilt * x) for x, y in points])

    above = [(-21, 3), (-13, -6 * lid), (-1, -11.5 * lid), (12, -9 * lid), (21, -1)]
    under = [(21, -1), (13, 5.5), (0, 8.5), (-12, 7), (-21, 3)]
    upper, lower = smooth(place(above)), smooth(place(under))
    opening = filled(np.concatenate([upper, lower]), soft=0.6)
    canvas.paint(opening, (0.90, 0.87, 0.85))
    canvas.lay(opening, soften(canvas.height, 4))
    at = skull.spot(side * middle, -1.2 * size)
    radius = 10.2 * size * skull.half / 100
    rim, ring = disc(at, (radius, radius), soft=1.3), disc(at, (radius * 0.72, radius * 0.72), soft=2.5)
    canvas.paint(opening * rim, _mixed(look.eye_colour, (0.03, 0.03, 0.04), 0.55))
    canvas.paint(opening * ring, _mixed(look.eye_colour, (1, 0.95, 0.8), 0.10))
    canvas.paint(opening * disc(at, (radius * 0.42, radius * 0.42), soft=1), (0.02, 0.02, 0.025))
    canvas.tint(opening * lines([(upper, 1)], thickness=9, soft=2.2), (0.50, 0.45, 0.46))
    canvas.paint(disc((at[0] - 3, at[1] - 4), (2.0, 2.0), soft=0.8) * np.float32(0.9), (1, 1, 1))
    canvas.paint(disc((at[0] + 3, at[1] + 4), (1.6, 1.4), soft=1) * np.float32(0.3), (1, 1, 1))
    canvas.paint(disc(tuple(place([(-19, 3)])[0]), (3, 2.4), soft=1.2) * np.float32(0.7), (0.80, 0.50, 0.47))
    dark = _mixed(look.skin, (0.05, 0.03, 0.03), 0.75 + 0.2 * look.lashes)
    canvas.paint(lines([(upper, 0.75 + 0.25 * look.lashes)], thickness=2 + (look.lashes > 0.45), soft=0.7), dark)
    if look.lashes > 0.35:
        wing = smooth(place([(12, -9 * lid), (20, -4), (26, -8 - 3 * look.lashes)]))
        canvas.paint(lines([(wing, look.lashes)], thickness=2, soft=0.7), dark)
        shadow = smooth(place([(-16, -9), (0, -17), (17, -12)]))
        canvas.tint(lines([(shadow, 0.7 * look.lashes)], thickness=9, soft=3), (0.72, 0.58, 0.60))
    canvas.tint(lines([(lower, 0.55)], soft=0.8), (0.55, 0.38, 0.36))
    crease = smooth(place([(-17, -5), (-9, -12 * lid - 1), (3, -17 * lid), (15, -14 * lid), (23, -5)]))
    _grooves(canvas, lines([(crease, 0.8)], thickness=2, soft=1.1), depth=2.5, dark=0.45)


def _brow(canvas: Canvas, look: Look, skull: Skull, side: int, random: np.random.Generator) -> None:
    """Draw an eyebrow hair by hair, so that its edges are not a stencil's."""
    middle = 43 * look.eye_gap
    hairs = []
    for share in np.sort(random.random(210)):
        x = -24 + 54 * share
        arch = -27 - 7 * look.brow_arch * np.sin(np.pi * min(1, share * 1.1)) + 5 * max(0, share - 0.55) * 2
        thick = 5.2 * look.brow * (1 - 0.75 * share**2) * random.uniform(-1, 1)
        lean = 0.35 + 1.1 * share + random.normal(0, 0.15)
        reach = random.uniform(4, 7)
        root = (middle + x, arch + thick)
        tip = (root[0] + reach * np.sin(lean), root[1] - reach * np.cos(lean) * 0.7)
        hairs.append((skull.at([(side * root[0], root[1]), (side * tip[0], tip[1])]), random.uniform(0.45, 0.9)))
    grey = _mixed(look.hair, (0.62, 0.60, 0.58), 0.6 * look.grey)
    colour = _mixed(grey, (0.08, 0.06, 0.05), 0.35 * (1 - look.grey))
    cover = lines(hairs, soft=0.6)
    canvas.paint(np.clip(soften(cover, 2.5) * np.float32(0.5) + cover, 0, 1) * np.float32(0.9), colour)


def _nostrils(canvas: Canvas, look: Look, skull: Skull) -> None:
    long, wide = 68 * look.nose_length, 1.14 * look.nose_width
    for side in SIDES:
        hole = disc(skull.spot(side * 8.5 * wide, long + 3.5), (5 * wide, 2.8), soft=1.6)
        canvas.tint(hole, (0.32, 0.18, 0.17))
        wing = [(side * 17 * wide, long - 12), (side * 23 * wide, long - 4), (side * 18.5 * wide, long + 5)]
        _grooves(canvas, lines([(smooth(skull.at(wing)), 0.6)], thickness=2, soft=1.4), depth=2.4, dark=0.4)


def _mouth(canvas: Canvas, look: Look, skull: Skull) -> None:
    wide, full, lift = 38 * look.mouth * (1 + 0.1 * look.smile), 1.1 * look.lips, 5 * look.smile
    y = 102 + 0.3 * (68 * look.nose_length - 68)
    corner, gap = y - lift, max(0, 16 * (look.smile - 0.5))

    def arc(middle: float, bend: float) -> list[tuple[float, float]]:
        half = wide * bend
        return [(-wide, corner), (-half, middle), (0, middle), (half, middle), (wide, corner)]

    slit, floor = arc(y, 0.5), arc(y + gap, 0.55)
    top = [(-wide, corner), (-wide * 0.52, y - 6.5 * full), (-6, y - 9.5 * full), (0, y - 7 * full),
           (6, y - 9.5 * full), (wide * 0.52, y - 6.5 * full), (wide, corner)]  # fmt: skip
    bottom = arc(y + gap + 13 * full, 0.5)
    natural = _mixed(look.skin, (0.62, 0.22, 0.22), 0.38)
    colour = _mixed(natural, (0.72, 0.13, 0.20), 0.75 * look.lip_colour)
    upper, lower = smooth(skull.at(slit)), smooth(skull.at(floor))
    teeth = filled(np.concatenate([upper, lower[::-1]]), soft=0.8)
    canvas.paint(teeth, (0.93, 0.90, 0.86))
    canvas.tint(teeth * np.clip((np.abs(X - CENTRE) - 0.5 * wide) / wide, 0, 1), (0.35, 0.25, 0.25))
    for outline, edge, shade, swell in ((top, upper, 0.86, 3.5), (bottom, lower, 1.0, 5.5)):
        lip = filled(np.concatenate([edge, smooth(skull.at(outline))[::-1]]), soft=1.1)
        canvas.paint(lip * np.float32(0.9), tuple(shade * part for part in colour))  # type: ignore[arg-type]
        canvas.height[...] += inflated(lip, 7, swell)
    seam = lines([(upper, 0.9), (lower, 0.7)], thickness=2, soft=0.9)
    canvas.height[...] -= np.float32(2.5) * seam
    canvas.tint(seam, (0.38, 0.24, 0.24))
    for side in SIDES:
        canvas.blush(skull.spot(side * (wide + 3), corner), (5, 5), (0.82, 0.76, 0.74))


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(one, other, strict=True))
    return red, green, blue
