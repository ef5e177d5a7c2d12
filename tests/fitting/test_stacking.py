import numpy as np
import pytest
from members import drawn_panel
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from maskkit.errors import MaskkitError
from maskkit.fitting.stacking import fit_stack
from maskkit.scoring.metrics import Integers
from maskkit.scoring.panel import Panel

GRID = (0.003, 0.03, 0.3)


def drawn(rows: int = 240) -> tuple[Integers, Panel, Integers]:
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, rows)
    return truth, drawn_panel(truth, classes=3, skill=(1.5, 1.0)), random.integers(0, 4, rows)


def test_is_scikit_learns_regression_with_the_strength_of_its_grid_search() -> None:
    truth, panel, fold = drawn()
    assert panel.probs is not None
    logs = [np.log(part.astype(np.float64)) for part in panel.probs]
    features = np.hstack([part - part.mean(axis=1, keepdims=True) for part in logs])
    search = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": list(GRID)},
        scoring=lambda model, x, y: -log_loss(y, model.predict_proba(x), normalize=False) / len(y),
        cv=PredefinedSplit(fold),
    )
    search.fit(features, truth)
    stack = fit_stack(truth, panel.probs, fold, grid=GRID)
    assert stack.inverse_strength == search.best_params_["C"]
    expected = search.best_estimator_.predict_proba(features)
    np.testing.assert_allclose(stack.probabilities(panel.probs), expected, atol=1e-5)


def test_learns_to_undo_a_member_that_takes_two_classes_for_each_other() -> None:
    truth, panel, fold = drawn()
    assert panel.probs is not None
    crossed = panel.probs[0][:, [1, 0, 2]]
    stack = fit_stack(truth, [crossed], fold)
    right = stack.probabilities([crossed]).argmax(1) == truth
    assert (crossed.argmax(1) == truth).mean() < 0.4
    assert right.mean() > 0.6


def test_a_class_that_no_photo_was_of_has_probability_zero() -> None:
    truth, panel, fold = drawn()
    assert panel.probs is not None
    wider = [np.hstack([part[:, :1] * 0, part]).astype(np.float32) for part in panel.probs]
    probs = fit_stack(truth + 1, wider, fold, grid=GRID).probabilities(wider)
    assert probs.shape == (240, 4)
    assert probs[:, 0].tolist() == [0.0] * 240
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-6)


def test_long_tables_are_answered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, panel, fold = drawn()
    assert panel.probs is not None
    stack = fit_stack(truth, panel.probs, fold, grid=(0.1,))
    whole = stack.probabilities(panel.probs)
    monkeypatch.setattr("maskkit.predicting.blend_rule._BLOCK", 7)
    np.testing.assert_allclose(stack.probabilities(panel.probs), whole, atol=1e-7)


def test_one_fold_or_one_class_is_too_little_to_learn_from() -> None:
    truth, panel, fold = drawn()
    assert panel.probs is not None
    with pytest.raises(MaskkitError, match="too few people"):
        fit_stack(truth, panel.probs, fold * 0)
    with pytest.raises(MaskkitError, match="too few people"):
        fit_stack(truth * 0, panel.probs, fold)
