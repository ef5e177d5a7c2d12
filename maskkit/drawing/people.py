"""Who is drawn: people with the competition's shares of genders and ages, and what each looks like.

Features are drawn at random, each leaning a little with gender or age. Every cue overlaps between the genders
and scatters around the age, so that a classifier has to weigh several, as with real faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from maskkit.drawing.canvas import Colour

Name = TypeVar("Name", bound=str)
Style = Literal["crop", "parted", "bob", "long", "tied"]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]
Collar = Literal["round", "vee", "shirt", "high"]

GENDERS = ("male", "female")
BANDS = ((18, 29), (30, 59), (60, 74))  # youngest and oldest of each age band
SHARES = {"male": 0.4, "female": 0.6}
BAND_SHARES = (0.45, 0.47, 0.08)

_SKINS = ((0.97, 0.83, 0.74), (0.93, 0.75, 0.62), (0.84, 0.63, 0.48), (0.68, 0.46, 0.33), (0.43, 0.28, 0.20))
_HAIR = ((0.10, 0.085, 0.08), (0.19, 0.12, 0.09), (0.34, 0.22, 0.14), (0.52, 0.33, 0.18), (0.80, 0.62, 0.38))
_RED = (0.58, 0.26, 0.13)
_EYES = ((0.24, 0.14, 0.08), (0.36, 0.22, 0.11), (0.42, 0.38, 0.20), (0.33, 0.47, 0.58), (0.38, 0.50, 0.40))
_CLOTHES = (
    (0.16, 0.20, 0.32), (0.85, 0.84, 0.80), (0.50, 0.14, 0.17), (0.18, 0.36, 0.32), (0.78, 0.60, 0.32),
    (0.35, 0.36, 0.40), (0.62, 0.70, 0.80), (0.74, 0.45, 0.48), (0.12, 0.12, 0.13), (0.45, 0.36, 0.55),
)  # fmt: skip
_WALLS = (
    (0.80, 0.82, 0.84), (0.62, 0.70, 0.74), (0.86, 0.80, 0.72), (0.55, 0.62, 0.54), (0.72, 0.62, 0.58),
    (0.42, 0.47, 0.54), (0.88, 0.87, 0.83), (0.66, 0.60, 0.68),
)  # fmt: skip
_FRAMES = ((0.08, 0.08, 0.09), (0.30, 0.17, 0.09), (0.55, 0.45, 0.25), (0.20, 0.24, 0.34))
_STYLES: dict[str, dict[Style, float]] = {
    "male": {"crop": 0.52, "parted": 0.32, "bob": 0.05, "long": 0.05, "tied": 0.06},
    "female": {"crop": 0.05, "parted": 0.08, "bob": 0.27, "long": 0.42, "tied": 0.18},
}
_BEARDS: dict[Beard, float] = {"none": 0.5, "stubble": 0.22, "moustache": 0.07, "goatee": 0.08, "full": 0.13}


@dataclass(frozen=True)
class Appearance:
    """What all photos of a person share. Factors are around 1; other amounts are from 0 to about 1."""

    skin: Colour
    blotches: float  # uneven colour and spots
    width: float
    length: float
    jaw: float  # exponent of the outline below the eyes: 2 is oval, 3 is square
    eye_gap: float
    eye_size: float
    eye_tilt: float
    eye_colour: Colour
    lashes: float
    brow: float  # thickness
    brow_arch: float
    nose_width: float
    nose_length: float
    lips: float  # fullness
    lip_colour: float  # 0 is the skin's own, 1 is lipstick
    mouth: float  # width
    smile: float
    style: Style
    hair: Colour
    curl: float
    volume: float
    part: float  # where the hair parts, -1 to 1 across the head
    recede: float
    grey: float
    beard: Beard
    wrinkles: float
    bags: float
    sag: float
    glasses: Colour | None
    round_lenses: bool
    earrings: bool
    collar: Collar
    clothes: Colour
    wall: Colour
    texture: int  # seeds the strands, pores and spots


def appearance(random: np.random.Generator, *, gender: str, age: int) -> Appearance:
    """Make up a look for somebody of this gender and age (years)."""
    man = gender == "male"
    lean = 1 if man else -1

    def around(mean: float, shift: float, spread: float) -> float:
        """Draw a cue that leans by `shift` with the gender; the usual overlap is a spread as wide as that."""
        return float(mean + lean * shift + spread * random.standard_normal())

    def chance(male: float, female: float) -> bool:
        return bool(random.random() < (male if man else female))

    aged = _within((age + 2.0 * random.standard_normal() - 18) / 47, 0, 1.25)
    tone = float(random.beta(1.3, 1.7))
    style: Style = _pick(random, _STYLES[gender])
    if style in {"long", "tied"} and random.random() < 0.9 * (aged - 0.3):
        style = "bob"
    return Appearance(
        skin=_faded(_along(_SKINS, tone, random, 0.008), 0.3 * aged),
        blotches=_within(0.05 + 0.9 * aged + 0.1 * random.standard_normal(), 0, 1),
        width=_within(around(1, 0.015, 0.03), 0.92, 1.08),
        length=_within(around(1, 0.015, 0.03), 0.92, 1.08),
        jaw=_within(around(2.35, 0.3, 0.25), 1.85, 3.2),
        eye_gap=_within(around(1, 0, 0.045), 0.9, 1.1),
        eye_size=_within(around(1.08 - 0.2 * aged, -0.045, 0.05), 0.78, 1.25),
        eye_tilt=around(0.03, -0.02, 0.05),
        eye_colour=_along(_EYES, float(random.beta(1, 1 + 3 * tone)), random, 0.02),
        lashes=_within(around(0.42, -0.25, 0.22), 0.05, 1),
        brow=_within(around(1, 0.24, 0.2), 0.5, 1.7),
        brow_arch=_within(around(0.5, -0.18, 0.22), 0, 1.2),
        nose_width=_within(around(1 + 0.08 * aged, 0.06, 0.08), 0.8, 1.3),
        nose_length=_within(around(1 + 0.05 * aged, 0.02, 0.05), 0.88, 1.15),
        lips=_within(around(1.1 - 0.45 * aged, -0.13, 0.12), 0.45, 1.4),
        lip_colour=_within(around(0.25, -0.25, 0.25), 0, 1),
        mouth=_within(around(1, 0.02, 0.07), 0.85, 1.18),
        smile=float(random.uniform(0.1, 1)),
        style=style,
        hair=_hair(random, tone),
        curl=float(random.beta(0.7, 1.6)),
        volume=_within(around(1.15 - 0.4 * aged, -0.06, 0.16), 0.6, 1.5),
        part=float(random.uniform(-0.8, 0.8)),
        recede=_within(aged * random.beta(1.6, 1.4) * (1.25 if man and style != "tied" else 0.35), 0, 1),
        grey=_within((aged - 0.45) * 2.0 + 0.1 * random.standard_normal(), 0, 1) * chance(0.95, 0.8),
        beard=_pick(random, _BEARDS) if man else "none",
        wrinkles=_within(aged**1.15 * random.lognormal(0, 0.1), 0, 1.35),
        bags=_within(0.05 + 1.0 * aged + 0.1 * random.standard_normal(), 0, 1.2),
        sag=_within(aged**1.4 + 0.07 * random.standard_normal(), 0, 1.3),
        glasses=_one(random, _FRAMES) if random.random() < 0.10 + 0.25 * aged else None,
        round_lenses=bool(random.random() < 0.4),
        earrings=chance(0.04, 0.42),
        collar=_pick(random, {"round": 0.35, "vee": 0.2, "shirt": 0.3, "high": 0.15}),
        clothes=_near(random, _one(random, _CLOTHES), 0.04),
        wall=_near(random, _one(random, _WALLS), 0.025),
        texture=int(random.integers(2**31)),
    )


def _within(value: float, low: float, high: float) -> float:
    """Clip to a plain float: NumPy's own would turn every plane it meets into float64."""
    return min(max(float(value), low), high)


def _hair(random: np.random.Generator, tone: float) -> Colour:
    """Draw a natural hair colour; light ones are rarer on darker skin."""
    if random.random() < 0.07 * (1 - tone):
        return _near(random, _RED, 0.03)
    return _along(_HAIR, float(random.beta(1.1, 1.1 + 5 * tone)), random, 0.006)


def _pick(random: np.random.Generator, chances: dict[Name, float]) -> Name:
    return list(chances)[random.choice(len(chances), p=list(chances.values()))]


def _one(random: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[random.integers(len(colours))]


def _near(random: np.random.Generator, colour: Colour, spread: float) -> Colour:
    red, green, blue = np.clip(np.add(colour, spread * random.standard_normal(3)), 0.02, 0.98)
    return float(red), float(green), float(blue)


def _faded(colour: Colour, share: float) -> Colour:
    """Draw a colour towards a grey of its own brightness."""
    grey = sum(colour) / 3
    red, green, blue = (part + share * (grey - part) for part in colour)
    return red, green, blue


def _along(scale: tuple[Colour, ...], share: float, random: np.random.Generator, spread: float) -> Colour:
    """Return the colour at `share` (0 to 1) of the way along a scale, a little off."""
    steps = np.linspace(0, 1, len(scale))
    red, green, blue = (float(np.interp(share, steps, channel)) for channel in zip(*scale, strict=True))
    return _near(random, (red, green, blue), spread)


@dataclass(frozen=True)
class Person:
    """One person of the demo. `age` is in years; `number` is unique in the data set and names the folder."""

    number: int
    gender: str
    age: int
    look: Appearance

    @property
    def id(self) -> str:
        """Six digits, as the competition names people."""
        return f"{self.number:06d}"


def population(people: int, *, seed: int, first: int = 1, at_least: int = 0) -> list[Person]:
    """Make up people with the competition's shares of genders and ages, in random order, numbered from first.

    At least so many per gender are 60 or older, as long as they stay under a sixth of all.
    """
    random = np.random.default_rng([seed, first])
    wanted = {
        (gender, band): people * SHARES[gender] * share
        for gender in GENDERS
        for band, share in enumerate(BAND_SHARES)
    }
    old = min(at_least, people // 12)
    counts = {cell: max(int(number), old if cell[1] == 2 else 0) for cell, number in wanted.items()}
    while sum(counts.values()) != people:  # largest remainders
        step = 1 if sum(counts.values()) < people else -1
        fixed = {cell for cell in wanted if step < 0 and cell[1] == 2}
        missing = {cell: step * (wanted[cell] - counts[cell]) for cell in wanted if cell not in fixed}
        counts[max(missing, key=lambda cell: missing[cell])] += step
    cells = [cell for cell, count in counts.items() for _ in range(count)]
    made = []
    for number, cell in enumerate(random.permutation(len(cells)), start=first):
        gender, band = cells[cell]
        youngest, oldest = BANDS[band]
        # Most of those over 60 are in their sixties.
        share = random.random() ** (2 if band == 2 else 1)
        age = youngest + int(share * (oldest - youngest + 1))
        own = np.random.default_rng([seed, number, 0])
        made.append(Person(number, gender, age, appearance(own, gender=gender, age=age)))
    return made
