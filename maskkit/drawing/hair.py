"""Hair: what hangs behind the head, what frames the face, and beards."""

from __future__ import annotations

import cv2
import numpy as np

from maskkit.drawing.canvas import Array, Canvas, Colour, X, Y, disc, filled, grain, inflated, radial, planes, smooth, soften
from maskkit.drawing.look import Look
from maskkit.drawing.skull import CENTRE, EYES, Skull

_SILVER = (0.73, 0.72, 0.71)


def draw_back_hair(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw the hair that lies behind neck and shoulders."""
    random = np.random.default_rng([look.texture, 2])
    if look.style == "tied":
        bun = disc((CENTRE + 20 * look.part, EYES - skull.up - 26), (40, 34))
        _paint(canvas, look, bun, random, inflated(bun, 34, 34))
    elif look.style in {"bob", "long"}:
        cover = _frayed(_hanging(look, skull), look, random)
        _paint(canvas, look, cover, random, inflated(cover, 30, 34))
        canvas.tint(soften(np.float32(skull.outline < 1), 12) * cover, (0.55, 0.55, 0.55))


def draw_front_hair(canvas: Canvas, look: Look, skull: Skull) -> Array:
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


def _hanging(look: Look, skull: Skull) -> Array:
    """Return the cover of hair that hangs to the chin (bob) or over the shoulders (long)."""
    random = np.random.default_rng([look.texture, 7])
    wide = 106 + 16 * look.volume
    flare = random.uniform(-6, 10) + 12 * look.curl
    end = random.uniform(110, 165) if look.style == "bob" else random.uniform(195, 300)
    right = [(wide - 6, -60), (wide + 6, 20), (wide + flare + 6, end - 30), (wide + flare - 14, end)]
    left = [(-x, y) for x, y in reversed(right)]
    return filled(smooth(skull.at([*right, (40, end + 8), (-40, end + 8), *left]), closed=True), soft=1.2)


def _opening(look: Look, skull: Skull, random: np.random.Generator) -> Array:
    """Return the cover of the face that the hair leaves free: a rounded window, its top the hairline."""
    fringe = look.style in {"bob", "long"} and random.random() < 0.35
    line = -78 + (40 if fringe else 0) - 34 * look.recede + random.uniform(-6, 6)
    narrow = {"crop": 97, "parted": 95, "bob": 85, "long": 84, "tied": 98}[look.style] + random.uniform(-4, 4)
    x = (X - CENTRE) / np.float32(skull.half / 100)
    y = (Y - EYES) / np.float32(skull.down / 150)
    if not fringe:
        # The hairline rises to the parting, and at the temples with age.
        parting = 50 * look.part
        if look.style in {"bob", "long"}:
            line = line - 34 + 0.5 * np.abs(x - parting)
        elif look.style != "crop":
            line = line - 16 * np.exp(-(((x - parting) / 30) ** 2))
        line = line - 24 * look.recede * np.exp(-(((np.abs(x) - 48) / 26) ** 2))
    line = line + 3 * grain(random, 14)
    below = np.clip((y - line) / 6, 0, 1)
    across = np.abs(x) / narrow
    fall = np.clip((60 - y) / np.float32(60 - np.mean(line)), 0, 1)
    sides = np.clip((1 - across**2 - (0.55 if not fringe else 0.15) * fall**3) * 9 + 0.5, 0, 1)
    return (below * sides).astype(np.float32)


def _frayed(cover: Array, look: Look, random: np.random.Generator) -> Array:
    """Break up the edge of hair into locks."""
    rough = grain(random, (4, 22)) + look.curl * 1.6 * grain(random, 9)
    soft = soften(cover, 3 + 2 * look.curl)
    at_edge = 4 * soft * (1 - soft)  # elsewhere, strong noise would leave flakes in the air
    return np.clip((soft - 0.5 + 0.09 * rough * at_edge) * 5 + 0.5, 0, 1).astype(np.float32)


def _strands(look: Look, random: np.random.Generator) -> Array:
    """Return noise drawn out along the hair, which falls from the crown in parabolas."""
    top = EYES - 165
    across = (X - np.float32(CENTRE + 45 * look.part)) / np.sqrt(np.maximum(Y - top, 0) + 12)  # one per strand
    wave = look.curl * 0.5 * np.sin(Y / 13 + 2 * grain(random, 60))
    fine = cv2.resize(random.standard_normal((6, 420), np.float32), (1680, 512), interpolation=cv2.INTER_CUBIC)
    drawn = cv2.remap(fine, (across + wave) * 26 + 840, Y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(drawn, np.float32)


def _paint(canvas: Canvas, look: Look, cover: Array, random: np.random.Generator, base: Array) -> None:
    """Cover `canvas` with hair whose strands and curls lie on the heights of `base`."""
    strands = _strands(look, random)
    curls = look.curl**2 * grain(random, 8)
    silver = np.clip(look.grey + 0.14 * look.grey * (strands + 0.6 * grain(random, 40)), 0, 1)
    colour = planes(look.hair) * (1 - silver) + planes(_SILVER) * silver
    colour = colour * (1 + (0.15 - 0.08 * look.grey) * strands + 0.10 * curls)
    canvas.paint(cover, np.clip(colour, 0.02, 1).astype(np.float32))
    canvas.lay(cover, (base + 0.8 * strands + 1.6 * curls).astype(np.float32))


def draw_beard(canvas: Canvas, look: Look, skull: Skull) -> None:
    """Draw stubble, a moustache, a goatee or a full beard."""
    if look.beard == "none":
        return
    random = np.random.default_rng([look.texture, 4])
    y = 102 + 0.3 * (68 * look.nose_length - 68)
    lip = disc(skull.spot(0, y + 3), (36 * look.mouth, 13 * look.lips + 2), soft=3)
    side = 17 * (1 - 0.15 * look.smile)
    tache = np.maximum(*(disc(skull.spot(x, y - 13), (23, 8), soft=4) for x in (-side, side)))
    chin = disc(skull.spot(0, 134), (32, 30), soft=7)
    jaw = np.clip((radial(skull.spot(0, 34), (84, 100), 2.3) - 0.86) * 5, 0, 1)
    jaw = jaw * np.clip((Y - EYES - 10) / 50, 0, 1)
    below = {"moustache": 0 * chin, "goatee": chin}.get(look.beard, np.maximum(chin, jaw))
    rough = grain(random, (1.5, 2.5) if look.beard == "stubble" else (2, 6))
    cover = np.maximum(tache, below * (1 - lip)) * np.clip((1.06 - skull.outline) * 20, 0, 1)
    if look.beard == "stubble":
        canvas.tint(soften(cover, 5) * np.clip(0.5 + 0.25 * rough, 0, 0.9), (0.52, 0.50, 0.50))
        return
    cover = soften(np.clip(cover * (1.6 + 0.3 * rough) - 0.25, 0, 0.94), 0.8)
    silver = np.clip(look.grey * 1.2, 0, 1)
    colour = planes(look.hair) * (1 - silver) + planes(_SILVER) * silver
    canvas.paint(cover, np.clip(colour * (0.9 + 0.13 * rough), 0.02, 1).astype(np.float32))
    canvas.height[...] += cover * (4 + 0.8 * rough)
