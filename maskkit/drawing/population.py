"""Who is drawn: people with the shares of genders and ages that the competition has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskkit.drawing.look import Look, look

GENDERS = ("male", "female")
BANDS = ((18, 29), (30, 59), (60, 74))  # youngest and oldest of each age band
SHARES = {"male": 0.4, "female": 0.6}
BAND_SHARES = (0.45, 0.47, 0.08)


@dataclass(frozen=True)
class Person:
    """One person of the demo. `age` is in years; `number` is unique in the data set and names the folder."""

    number: int
    gender: str
    age: int
    look: Look

    @property
    def id(self) -> str:
        """Six digits, as the competition names people."""
        return f"{self.number:06d}"


def population(people: int, *, seed: int, first: int = 1, at_least: int = 0) -> list[Person]:
    """Make up people with the competition's shares of genders and ages, in random order.

    Args:
        people: How many.
        seed: The same seed gives the same people.
        first: The first person's number.
        at_least: So many people per gender are 60 or older, as long as they stay under a sixth of all.
    """
    random = np.random.default_rng([seed, first])
    cells = [cell for cell, count in _counts(people, at_least).items() for _ in range(count)]
    made = []
    for number, cell in enumerate(random.permutation(len(cells)), start=first):
        gender, band = cells[cell]
        youngest, oldest = BANDS[band]
        # Most of those over 60 are in their sixties.
        share = random.random() ** (2 if band == 2 else 1)
        age = youngest + int(share * (oldest - youngest + 1))
        own = np.random.default_rng([seed, number, 0])
        made.append(Person(number, gender, age, look(own, gender=gender, age=age)))
    return made


def _counts(people: int, at_least: int) -> dict[tuple[str, int], int]:
    """Return how many people each gender and age band gets, by largest remainders."""
    wanted = {
        (gender, band): people * SHARES[gender] * share
        for gender in GENDERS
        for band, share in enumerate(BAND_SHARES)
    }
    old = min(at_least, people // 12)
    counts = {cell: max(int(number), old if cell[1] == 2 else 0) for cell, number in wanted.items()}
    while sum(counts.values()) != people:
        step = 1 if sum(counts.values()) < people else -1
        fixed = {cell for cell in wanted if step < 0 and cell[1] == 2}
        missing = {cell: step * (wanted[cell] - counts[cell]) for cell in wanted if cell not in fixed}
        counts[max(missing, key=lambda cell: missing[cell])] += step
    return counts
