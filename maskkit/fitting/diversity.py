"""How differently members answer: what a vote over them can gain.

Pairwise measures of Kuncheva and Whitaker 2003, https://doi.org/10.1023/A:1022859003006, who also found that
none of them predicts well what a vote gains. They tell copies from second opinions; `--fit` tells the gain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from maskkit.scoring.metrics import Integers


@dataclass(frozen=True)
class MemberPair:
    """Two members beside each other.

    Args:
        first: Index of one.
        second: Index of the other.
        disagreement: Share of photos on which their answers differ.
        double_fault: Share of photos that both have wrong; None without truth.
        q_statistic: From -1, where they are wrong on different photos, over 0, where one's mistakes say
            nothing of the other's, to 1; None without truth, or where it is 0/0.
    """

    first: int
    second: int
    disagreement: float
    double_fault: float | None = None
    q_statistic: float | None = None


def pairs(answers: Sequence[Integers], truth: Integers | None = None) -> Iterator[MemberPair]:
    """Yield each two members.

    Args:
        answers: The class that each answers, (N,) per member.
        truth: Class of each photo, (N,), if known.
    """
    right = None if truth is None else [answer == truth for answer in answers]
    for one, other in combinations(range(len(answers)), 2):
        disagreement = float((answers[one] != answers[other]).mean())
        if right is None:
            yield MemberPair(one, other, disagreement)
            continue
        both, neither = (int((right[one] & right[other]).sum()), int((~right[one] & ~right[other]).sum()))
        first, second = (int((right[one] & ~right[other]).sum()), int((~right[one] & right[other]).sum()))
        odds = both * neither, first * second
        q = (odds[0] - odds[1]) / sum(odds) if sum(odds) else None
        yield MemberPair(one, other, disagreement, neither / len(right[one]), q)
