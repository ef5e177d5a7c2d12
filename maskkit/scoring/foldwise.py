"""How far apart two trainings are, judged by the scores of the same folds alone.

The folds of a cross-validation share most of their training people, so their scores vary less than those of
trainings on new people would; an ordinary paired t-test finds differences that are none. Nadeau and Bengio
2003, "Inference for the generalization error" (https://doi.org/10.1023/A:1024068626366), correct the
variance of the mean over k folds from s²/k to (1/k + held out/trained on) s², which is (1/k + 1/(k - 1)) s²
for a cross-validation.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from maskkit.scoring.metrics import Floats
from maskkit.scoring.scores import Estimate


def fold_difference(first: Floats, second: Floats, *, confidence: float = 0.95) -> Estimate:
    """Return the mean of `second - first` over folds, with the interval of the corrected t-test.

    Args:
        first: A measure of each fold, (k,).
        second: The same of the other training on the same folds, (k,).
        confidence: How sure the interval is to hold the difference, between 0 and 1.

    Returns:
        The mean difference; without an interval if there is one fold only.
    """
    differences = second - first
    folds = len(differences)
    mean = float(differences.mean())
    if folds < 2:
        return Estimate(mean, None, None)
    deviation = np.sqrt((1 / folds + 1 / (folds - 1)) * differences.var(ddof=1))
    reach = float(stdtrit(folds - 1, 1 - (1 - confidence) / 2) * deviation)
    return Estimate(mean, mean - reach, mean + reach)
