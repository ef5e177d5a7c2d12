"""How two sets of photos differ, property by property."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskkit.describing.two_sample import auc_of


@dataclass(frozen=True)
class Difference:
    """One property in both sets.

    Args:
        name: Of the property.
        first, second: Its mean in each set.
        standardised: Second mean less first, over the root of the mean of both variances (Austin 2009,
            https://doi.org/10.1080/03610910902859574); above 0.1 without sign is said to matter. None if
            the property is constant.
        auc: Share of pairs, one photo of each set, in which the second has the higher value; 0.5 is no
            difference.
    """

    name: str
    first: float
    second: float
    standardised: float | None
    auc: float


@dataclass(frozen=True)
class Share:
    """What share of each set is of one kind, such as a size or a class."""

    name: str
    first: float
    second: float


def differences(
    first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]]
) -> list[Difference]:
    """Compare each property of two sets of one or more photos, (photos,) each."""
    found = []
    for name, one in first.items():
        other = second[name]
        width = np.sqrt((one.var() + other.var()) / 2)
        is_second = np.repeat([False, True], [len(one), len(other)])
        found.append(
            Difference(
                name,
                float(one.mean()),
                float(other.mean()),
                float((other.mean() - one.mean()) / width) if width > 1e-9 else None,
                auc_of(np.concatenate([one, other]), is_second),
            )
        )
    return found


def shares(first: Sequence[tuple[str, int]], second: Sequence[tuple[str, int]]) -> list[Share]:
    """Compare counts by name, in the order in which names come in the first, then in the second."""
    one, other = dict(first), dict(second)
    totals = [max(1, sum(counts.values())) for counts in (one, other)]
    return [
        Share(name, one.get(name, 0) / totals[0], other.get(name, 0) / totals[1]) for name in {**one, **other}
    ]
