from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.splitting import leftovers
from maskkit.splitting.leftovers import place_leftovers


def objective(
    fold: NDArray[np.int64],
    counts: NDArray[np.int64],
    stratum: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> float:
    """The objective as the module's docstring says it, summed measure by measure."""
    size = counts.sum(axis=1)
    measures = [(column, 1.0) for column in counts.T] + [(size, 1.0)]
    measures += [(np.ones(len(counts)), leftovers.GROUP_WEIGHT)]
    measures += [(size * (stratum == one), leftovers.STRATUM_WEIGHT) for one in np.unique(stratum)]
    total = 0.0
    for amounts, weight in measures:
        for number, share in enumerate(shares):
            total += weight * (amounts[fold == number].sum() / max(1, amounts.sum()) - share) ** 2
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shares", [[0.25, 0.25, 0.25, 0.25], [0.2, 0.8]])
def test_no_move_or_swap_improves_the_result(shares: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.poisson(random.gamma(1, 3, (24, 1)), (24, 3))
    stratum = random.integers(0, 4, 24)
    dealt = np.where(np.arange(24) < 8, random.integers(0, len(shares), 24), -1)
    share = np.array(shares)
    fold = place_leftovers(
        dealt, counts, strata=stratum[:, None], kind=np.arange(24), shares=share, random=random
    )
    assert np.array_equal(fold[:8], dealt[:8])

    reached = objective(fold, counts, stratum, share)
    for group in range(8, 24):
        for number in range(len(shares)):
            moved = fold.copy()
            moved[group] = number
            assert objective(moved, counts, stratum, share) >= reached - 1e-9
    for one, other in combinations(range(8, 24), 2):
        swapped = fold.copy()
        swapped[[one, other]] = fold[[other, one]]
        assert objective(swapped, counts, stratum, share) >= reached - 1e-9


def test_never_puts_two_leftovers_of_a_kind_into_one_fold() -> None:
    # Two small twins would even out a giant together; apart, they keep each kind spread.
    counts = np.array([[10], [5], [5], [1]])
    fold = place_leftovers(
        np.full(4, -1),
        counts,
        strata=np.zeros((4, 0), np.int64),
        kind=np.array([0, 1, 1, 2]),
        shares=np.full(2, 0.5),
        random=np.random.default_rng(0),
    )
    assert fold[1] != fold[2]


def test_exchanges_a_sample_when_leftovers_are_too_many_for_every_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    counts = random.poisson(6, (400, 3))
    monkeypatch.setattr(leftovers, "ROUND_COST", 6 * 20**2)  # a sample of 20 groups, 6 measures each
    fold = place_leftovers(
        np.full(400, -1),
        counts,
        strata=np.zeros((400, 1), np.int64),
        kind=np.arange(400),
        shares=np.full(4, 0.25),
        random=random,
    )
    held = np.stack([counts[fold == number].sum(axis=0) for number in range(4)])  # (folds, classes)
    assert np.ptp(held, axis=0).max() <= 12  # of 600: two groups' worth
    assert set(fold) == {0, 1, 2, 3}
