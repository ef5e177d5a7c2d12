"""Parts of the people, by which what was fitted to some is judged on others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.scoring.judged import Judged
from maskkit.scoring.kinds import number_people
from maskkit.splitting.folds import class_counts, stratified_group_folds

PARTS = 5


def parts_of_people(judged: Judged, *, seed: int, fewest: int = PARTS) -> NDArray[np.int64]:
    """Deal the people into five parts alike in classes, or into as many as there are people if fewer.

    Returns:
        The part of each photo, that of all photos of its person, (N,).

    Raises:
        MaskkitError: There are fewer people than `fewest`.
    """
    number = number_people(judged.person, rows=len(judged.rows))
    people = int(number.max(initial=-1)) + 1
    if people < fewest:
        raise MaskkitError(
            f"there are {people} people to fit to",
            why=f"what is fitted to some is judged on others, for which {fewest} are needed",
            fix="give predictions of more people",
        )
    counts = class_counts(number, judged.truth, groups=people, classes=len(judged.space))
    return stratified_group_folds(counts, folds=min(PARTS, people), seed=seed)[number].astype(np.int64)
