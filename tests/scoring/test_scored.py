import numpy as np

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.scoring.judged import Scored


def test_brings_truth_and_answers_into_one_order(folds: Manifest) -> None:
    order = np.random.default_rng(0).permutation(len(folds))
    shuffled = Predictions(folds.table["path"].take(order), folds.labels[order])
    scored = Scored.of(folds, shuffled)
    assert np.array_equal(scored.truth, scored.answer)
    assert np.array_equal(scored.place[scored.rows], np.argsort(order))
    assert scored.fold is not None
    assert np.array_equal(scored.fold, folds.folds)
