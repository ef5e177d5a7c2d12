"""Whether a model that gives 80 % is right four times out of five.

Photos are put into bins by the probability of their answer; in each bin the mean of that probability is set
beside the share of right answers: the reliability diagram (Niculescu-Mizil and Caruana 2005,
https://doi.org/10.1145/1102351.1102430). The mean distance, weighted by photos, is the expected calibration
error, the largest one the maximum calibration error (Naeini et al. 2015,
https://ojs.aaai.org/index.php/AAAI/article/view/9602; equations 3 and 5 of Guo et al. 2017,
https://arxiv.org/abs/1706.04599). Even perfect probabilities of few photos have some: a bin of 20 photos is
off by several hundredths by chance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskkit.errors import MaskkitError
from maskkit.scoring.metrics import Integers, Probabilities, check_pairs, defined, log_loss, ratio_of

BINS = 15  # as Guo et al. 2017


@dataclass(frozen=True)
class Bin:
    """Photos answered with a probability above `low`, up to and with `high`."""

    low: float  # lower end
    high: float  # upper end
    photos: int  # photos N of the bin
    confidence: float | None  # mean probability of their answers; None in an empty bin
    accuracy: float | None  # share of right answers; None in an empty bin


@dataclass(frozen=True)
class Calibration:
    """How far probabilities are from what they promise; each measure is lower the better."""

    photos: int  # photos N
    confidence: float  # mean probability of the answers; above `accuracy`, the model is too sure of itself
    accuracy: float  # share of right answers
    ece: float  # expected calibration error, from 0 to 1
    max_error: float  # maximum calibration error, from 0 to 1; a small bin can make it
    brier: float  # mean over photos of the squared distance to the truth, summed over classes, from 0 to 2
    log_loss: float  # mean cross entropy, in nats
    bins: tuple[Bin, ...]  # of equal width, from 0 to 1


def calibration(truth: Integers, probs: Probabilities, *, bins: int = BINS) -> Calibration:
    """Compare the probability of each answer with how often such answers are right.

    Truth is (N,), probabilities are (N, C), rows sum to 1. The bins are of equal width.

    Raises:
        MaskkitError: There is no photo, no bin, or the arrays do not belong together.
    """
    check_pairs(truth, probs)
    if bins < 1:
        raise MaskkitError(f"cannot make {bins} bins", why="15 are usual", fix="use 1 or more")
    answer = probs.argmax(axis=1)
    sure = probs[np.arange(len(truth)), answer].astype(np.float64)  # (N,)
    right = answer == truth
    # Ends belong to the bin below, as in the papers; a row that sums to a little more than 1 stays inside.
    number = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(number, minlength=bins)
    confidence, accuracy = (
        ratio_of(np.bincount(number, values, minlength=bins), count) for values in (sure, right)
    )
    gap = np.abs(confidence - accuracy)  # (bins,)
    ends = np.linspace(0, 1, bins + 1)
    return Calibration(
        photos=len(truth),
        confidence=float(sure.mean()),
        accuracy=float(right.mean()),
        ece=float(np.nansum(gap * count) / len(truth)),
        max_error=float(np.nanmax(gap)),
        brier=_brier(truth, probs),
        log_loss=log_loss(truth, probs),
        bins=tuple(
            Bin(float(low), float(high), int(photos), defined(mean), defined(true))
            for low, high, photos, mean, true in zip(
                ends[:-1], ends[1:], count, confidence, accuracy, strict=True
            )
        ),
    )


def _brier(truth: Integers, probs: Probabilities) -> float:
    """Return the score of Brier 1950, https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2."""
    own = probs[np.arange(len(truth)), truth].astype(np.float64)
    squares = np.einsum("nc,nc->n", probs, probs, dtype=np.float64)
    return float((squares - 2 * own + 1).mean())
