"""What a model learns of the answers of others beside the labels: knowledge distillation.

Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.options.choices import Choice
from maskkit.scoring.judged import Judged
from maskkit.training.fold import Fold
from maskkit.training.fold_rows import FoldRows

log = logging.getLogger(__name__)


def taught(fold: Fold, rows: FoldRows, how: Choice) -> Fold:
    """Return the fold with targets that lie between the labels and a teacher's probabilities.

    The target of a photo is (1 - `weight`) of its own plus `weight` of the teacher's probabilities, which are
    raised to the power of 1 / `temperature` and divided by their sum: equation 1 of the paper, since they are
    a softmax of their logarithms. With cross entropy that is the paper's sum of two objectives (section 2),
    but for the student's own softmax, which stays at a temperature of 1, so that it serves any loss, head and
    mix. Photos that the teacher does not have keep their targets.

    Raises:
        MaskkitError: The teacher's classes are others, it has answers only, or none of the photos.
    """
    assert rows.teacher is not None
    judged = Judged.of(rows.manifest, [rows.teacher], "any")
    probs = judged.need_probs("a model learns from them").astype(np.float64)  # (photos, C)
    taught_rows = judged.rows[fold.target[judged.rows] >= 0]
    probs = probs[fold.target[judged.rows] >= 0]
    count = int(np.isin(fold.training, taught_rows).sum())
    if not count:
        raise MaskkitError(
            f"{rows.teacher.name} has none of the photos trained on",
            why="a model learns from probabilities of those",
            fix="give predictions of the photos in MANIFEST",
        )
    log.info("%d of %d photos are learnt with a teacher's probabilities", count, len(fold.training))
    if rows.teacher.leaked:
        log.info("the teacher's models were trained on these people too, and repeat their labels more surely")
    share = how.number("weight")
    own = np.eye(len(fold.space))[fold.target[taught_rows]]
    soft = np.full((len(fold.target), len(fold.space)), np.nan, np.float32)
    if fold.soft is not None:
        soft = fold.soft.copy()
        own = np.where(np.isnan(soft[taught_rows]), own, soft[taught_rows])
    soft[taught_rows] = (1 - share) * own + share * _softened(probs, how.number("temperature"))
    return replace(fold, soft=soft)


def _softened(probs: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return probabilities, (N, C), at another temperature."""
    powers = (probs / probs.max(axis=1, keepdims=True)) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
