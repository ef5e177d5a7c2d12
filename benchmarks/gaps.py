"""Simulate how often the interval of a gap between the best and the worst level holds the true gap.

    python benchmarks/gaps.py --simulations 2000

Levels have so many people of seven photos each, alike in part, and are right in so many of 100. Beside the
interval of `maskkit evaluate` stands the percentile one of the bootstrap, which knows nothing of the choice.
"""

from __future__ import annotations

import argparse

import numpy as np

from maskkit.scoring.gaps import gap_between, resampled_accuracies

PHOTOS, ALIKE = 7, 0.4  # photos of a person, and how alike they are (the correlation of two)
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "two levels, no gap": ((300, 350), (75, 75)),
    "two levels, small gap": ((300, 350), (75, 78)),
    "two levels, large gap": ((300, 350), (70, 80)),
    "two levels of few people": ((20, 30), (75, 75)),
    "three levels, no gap": ((290, 310, 50), (75, 75, 75)),
    "three levels, the rare one worst": ((290, 310, 50), (77, 75, 50)),
    "three levels, the rare one somewhat worse": ((290, 310, 50), (77, 77, 70)),
    "three levels, one worse": ((210, 220, 220), (76, 76, 70)),
    "three levels, evenly apart": ((210, 220, 220), (79, 76, 73)),
    "three levels of few people": ((60, 80, 12), (75, 75, 60)),
    "six levels, no gap": ((110,) * 6, (75,) * 6),
    "six levels, one worse": ((110,) * 6, (75, 75, 75, 75, 75, 65)),
    "six levels, halves": ((110,) * 6, (78, 78, 78, 70, 70, 70)),
    "six levels, evenly apart": ((110,) * 6, (80, 78, 76, 74, 72, 70)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--replicates", type=int, default=1000)
    given = parser.parse_args()
    print("| levels | held | gap above | gap below | held by percentiles |\n|---|---|---|---|---|")
    for name, (people, right) in CASES.items():
        random, missed, plain = np.random.default_rng(0), np.zeros(2), 0
        for _ in range(given.simulations):
            truth = np.ptp(right) / 100
            value, redrawn = drawn(people, right, random, given.replicates)
            found = gap_between(value, redrawn, 0.95)
            assert found.low is not None
            assert found.high is not None
            missed += found.high < truth, found.low > truth
            low, high = np.quantile(np.ptp(redrawn, axis=1), [0.025, 0.975])
            plain += low <= truth <= high
        above, below = missed / given.simulations
        held = 1 - above - below
        print(
            f"| {name} | {held:.3f} | {above:.3f} | {below:.3f} | {plain / given.simulations:.3f} |",
            flush=True,
        )


def drawn(
    people: tuple[int, ...], right: tuple[int, ...], random: np.random.Generator, replicates: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of right answers in each level, (L,), and those of resampled people, (R, L)."""
    level = np.repeat(np.arange(len(people)), people)
    mean, worth = np.array(right)[level] / 100, 1 / ALIKE - 1
    skill = random.beta(mean * worth, (1 - mean) * worth)
    is_right = random.random((len(level), PHOTOS)) < skill[:, None]
    person = np.repeat(np.arange(len(level)), PHOTOS)
    return resampled_accuracies(
        np.repeat(level, PHOTOS), is_right.ravel(), person, levels=len(people), replicates=replicates
    )


if __name__ == "__main__":
    main()
