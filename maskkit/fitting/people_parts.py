"""Parts of the people, by which what was fitted to some is judged on others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.scoring.bootstrap import number_people
from maskkit.scoring.metrics import Integers
from maskkit.splitting.folds import class_counts, stratified_group_folds

PARTS = 5


def parts_of_people(
    truth: Integers, person: Integers, *, classes: int, seed: int, fewest: int = PARTS
) -> NDArray[np.int64]:
    """Deal the people into five parts alike in classes, or into as many as there are people if fewer.

    Args:
        truth: Class of each photo, (N,).
        person: A code per person, negative where unknown, (N,); such a photo is a person of its own.
        classes: Number of classes.
        seed: Another seed deals other parts.
        fewest: People that are needed.

    Returns:
        The part of each photo, that of all photos of its person, (N,).

    Raises:
        MaskkitError: There are fewer people.
    """
    number = number_people(person, rows=len(truth))
    people = int(number.max(initial=-1)) + 1
    if people < fewest:
        raise MaskkitError(
            f"there are {people} people to fit to",
            why=f"what is fitted to some is judged on others, for which {fewest} are needed",
            fix="give predictions of more people",
        )
    counts = class_counts(number, truth.astype(np.int64), groups=people, classes=classes)
    return stratified_group_folds(counts, folds=min(PARTS, people), seed=seed)[number].astype(np.int64)
