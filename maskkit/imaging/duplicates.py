"""Photos that are there twice: the same file, or nearly the same picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maskkit.imaging.hashing import groups_of, near_pairs
from maskkit.imaging.survey import Survey


@dataclass(frozen=True)
class Duplicates:
    """Pairs of photos, as rows of a survey; of several equal photos, each is paired with the first only."""

    one: NDArray[np.int64]  # the first of each pair, (pairs,)
    other: NDArray[np.int64]  # the second, of a higher row
    is_exact: NDArray[np.bool_]  # whether both files hold the same bytes
    bits: NDArray[np.int64]  # in how many of 256 bits the pictures' hashes differ
    photos: int  # how many there are

    def __len__(self) -> int:
        return len(self.one)

    def take(self, chosen: NDArray[np.bool_]) -> Duplicates:
        """Return some of the pairs."""
        return Duplicates(
            self.one[chosen], self.other[chosen], self.is_exact[chosen], self.bits[chosen], self.photos
        )

    def inside(self, photos: int) -> Duplicates:
        """Return the pairs among the first so many photos."""
        return replace(self.take(self.other < photos), photos=photos)

    def differ(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether the codes, (photos,), of each pair differ and are known: 0 or more, (pairs,)."""
        one, other = codes[self.one], codes[self.other]
        return np.asarray((one >= 0) & (other >= 0) & (one != other))

    def groups(self) -> NDArray[np.int64]:
        """Return the first photo of the group of each photo, (photos,); most are a group by themselves."""
        return groups_of(np.column_stack([self.one, self.other]), self.photos)


def find_duplicates(survey: Survey) -> Duplicates:
    """Find exact duplicates among a survey's readable photos, and near ones by `maskkit.imaging.hashing`.

    Mirrored and strongly cropped copies are not found.
    """
    rows = np.flatnonzero(survey.readable)
    pairs, bits = near_pairs(survey["coarse"][rows], survey["fine"][rows])
    one, other = rows[pairs[:, 0]], rows[pairs[:, 1]]
    content = survey["content"]
    is_exact = (content[one] == content[other]).all(axis=1)
    return Duplicates(one, other, is_exact, bits, len(survey))
