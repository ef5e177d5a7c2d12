"""Hair: what hangs behind the head, what frames the face, and beards."""

from __future__ import annotations

import cv2
import numpy as np

from maskkit.drawing.canvas import (
    HEIGHT,
    Array,
    Canvas,
    X,
    Y,
    disc,
    filled,
    grain,
    inflated,
    mixed,
    planes,
    radial,
    smooth,
    soften,
)
from maskkit.drawing.people import Appearance, Style
from maskkit.drawing.skull import CENTRE, EYES, Skull

_SILVER = (0.73, 0.72, 0.71)

# Half the width that the hair leaves free, in face coordinates.
_WINDOWS: dict[Style, float] = {"crop": 97, "parted": 95, "bob": 85, "long": 84, "tied": 98}


def draw_back_hair(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Draw the hair that lies behind neck and shoulders."""
    random = np.random.default_rng([look.texture, 2])
    if look.style == "tied":
        bun = disc((CENTRE + 20 * look.part, EYES - skull.up - 26), (40, 34))
        _paint(canvas, look, bun, random, inflated(bun, 34, 34))
    elif look.style in {"bob", "long"}:
        cover = _frayed(_hanging(look, skull), look, random)
        _paint(canvas, look, cover, random, inflated(cover, 30, 34))
        canvas.tint(soften((skull.outline < 1).astype(np.float32), 12) * cover, (0.55, 0.55, 0.55))


def draw_front_hair(canvas: Canvas, look: Appearance, skull: Skull) -> Array:
    """Draw the hair on and around the face, and return its cover: masks and straps go beneath it."""
    random = np.random.default_rng([look.texture, 3])
    covered = look.style in {"bob", "long"}
    outside = skull.distance(grown=(18 if covered else 12) * look.volume)
    cover = np.clip((1 - outside) * 24 + 0.5, 0, 1)
    base = skull.dome(outside)
    if covered:
        hanging = _hanging(look, skull)
        cover = np.maximum(cover, hanging)
        base = np.maximum(base, inflated(hanging, 34, 30) + 34)
    else:
        cover = cover * np.clip((EYES + random.uniform(5, 30) - Y) / 14, 0, 1)  # sideburns
    cover = _frayed(cover * (1 - _opening(look, skull, random)), look, random)
    shadow = soften(np.roll(cover, 7, axis=0), 5) * (1 - cover)
    canvas.tint(shadow * (skull.outline < 1), (0.70, 0.60, 0.56))
    _paint(canvas, look, cover, random, soften(base, 3) + inflated(cover, 14, 9))
    return cover


def _hanging(look: Appearance, skull: Skull) -> Array:
    """Return the cover of hair that hangs to the chin (bob) or over the shoulders (long)."""
    random = np.random.default_rng([look.texture, 7])
    wide = 106 + 16 * look.volume
    flare = random.uniform(-6, 10) + 12 * look.curl
    end = random.uniform(110, 165) if look.style == "bob" else random.uniform(195, 300)
    right = [(wide - 6, -60), (wide + 6, 20), (wide + flare + 6, end - 30), (wide + flare - 14, end)]
    left = [(-x, y) for x, y in reversed(right)]
    return filled(smooth(skull.at([*right, (40, end + 8), (-40, end + 8), *left]), closed=True), soft=1.2)


def _opening(look: Appearance, skull: Skull, random: np.random.Generator) -> Array:
    """Return the cover of the face that the hair leaves free: a rounded window, its top the hairline."""
    covered = look.style in {"bob", "long"}
    fringe = covered and random.random() < 0.35
    x = (X - CENTRE) / np.float32(skull.half / 100)  # face coordinates, (512, 384)
    y = (Y - EYES) / np.float32(skull.down / 150)
    line = random.uniform(-84, -72) + (40 if fringe else -34 * look.recede) + 3 * grain(random, 14)
    if not fringe:
        # The hairline rises to the parting, and at the temples with age.
        parting = 50 * look.part
        if covered:
            line += 0.5 * np.abs(x - parting) - 34
        elif look.style != "crop":
            line -= 16 * np.exp(-(((x - parting) / 30) ** 2))
        line -= 24 * look.recede * np.exp(-(((np.abs(x) - 48) / 26) ** 2))
    narrow = _WINDOWS[look.style] + random.uniform(-4, 4)
    fall = np.clip((60 - y) / np.float32(60 - line.mean()), 0, 1)
    rounded = 1 - (x / narrow) ** 2 - (0.15 if fringe else 0.55) * fall**3
    window: Array = np.clip((y - line) / 6, 0, 1) * np.clip(rounded * 9 + 0.5, 0, 1)
    return window


def _frayed(cover: Array, look: Appearance, random: np.random.Generator) -> Array:
    """Break up the edge of hair into locks."""
    rough = grain(random, (4, 22)) + look.curl * 1.6 * grain(random, 9)
    soft = soften(cover, 3 + 2 * look.curl)
    at_edge = 4 * soft * (1 - soft)  # elsewhere, strong noise would leave flakes in the air
    frayed: Array = np.clip((soft - 0.5 + 0.09 * rough * at_edge) * 5 + 0.5, 0, 1)
    return frayed


def _paint(canvas: Canvas, look: Appearance, cover: Array, random: np.random.Generator, base: Array) -> None:
    """Cover `canvas` with hair whose strands and curls lie on the heights of `base`."""
    # Noise drawn out along the hair, which falls from the crown in parabolas.
    below = np.maximum(Y - np.float32(EYES - 165), 0)
    strand = (X - np.float32(CENTRE + 45 * look.part)) / np.sqrt(below + 12)  # the same all along one
    wave = look.curl * 0.5 * np.sin(Y / 13 + 2 * grain(random, 60))
    noise = random.standard_normal((6, 420), np.float32)
    fine = cv2.resize(noise, (4 * 420, HEIGHT), interpolation=cv2.INTER_CUBIC)
    column = (strand + wave) * 26 + 2 * 420
    strands = cv2.remap(fine, column, Y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    curls = look.curl**2 * grain(random, 8)
    silver = np.clip(look.grey + 0.14 * look.grey * (strands + 0.6 * grain(random, 40)), 0, 1)
    colour = planes(look.hair) * (1 - silver) + planes(_SILVER) * silver
    colour = colour * (1 + (0.15 - 0.08 * look.grey) * strands + 0.10 * curls)
    canvas.paint(cover, np.clip(colour, 0.02, 1).astype(np.float32))
    canvas.lay(cover, (base + 0.8 * strands + 1.6 * curls).astype(np.float32))


def draw_beard(canvas: Canvas, look: Appearance, skull: Skull) -> None:
    """Draw stubble, a moustache, a goatee or a full beard."""
    if look.beard == "none":
        return
    random = np.random.default_rng([look.texture, 4])
    side = 17 * (1 - 0.15 * look.smile)
    cover = np.maximum(*(disc(skull.spot(x, skull.mouth - 13), (23, 8), soft=4) for x in (-side, side)))
    if look.beard != "moustache":
        below = disc(skull.spot(0, 134), (32, 30), soft=7)
        if look.beard != "goatee":
            jaw = np.clip((radial(skull.spot(0, 34), (84, 100), 2.3) - 0.86) * 5, 0, 1)
            below = np.maximum(below, jaw * np.clip((Y - EYES - 10) / 50, 0, 1))
        lips = disc(skull.spot(0, skull.mouth + 3), (36 * look.mouth, 13 * look.lips + 2), soft=3)
        cover = np.maximum(cover, below * (1 - lips))
    cover = cover * np.clip((1.06 - skull.outline) * 20, 0, 1)  # where such a beard grows
    if look.beard == "stubble":
        dots = np.clip(0.5 + 0.25 * grain(random, (1.5, 2.5)), 0, 0.9)
        canvas.tint(soften(cover, 5) * dots, (0.52, 0.50, 0.50))
        return
    rough = grain(random, (2, 6))
    cover = soften(np.clip(cover * (1.6 + 0.3 * rough) - 0.25, 0, 0.94), 0.8)
    colour = planes(mixed(look.hair, _SILVER, min(1, 1.2 * look.grey)))
    canvas.paint(cover, np.clip(colour * (0.9 + 0.13 * rough), 0.02, 1))
    canvas.height[...] += cover * (4 + 0.8 * rough)
