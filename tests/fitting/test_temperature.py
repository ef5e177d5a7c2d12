"""Temperature scaling against a grid, torch, and a case whose answer is known."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from maskkit.artifacts.columns import SMALLEST
from maskkit.errors import MaskkitError
from maskkit.fitting.temperature import HIGHEST, LOWEST, fit_temperature
from maskkit.scoring.metrics import log_loss


def drawn(
    seed: int, *, rows: int = 400, classes: int = 5, sure: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw truths from probabilities, and return what a model says that is `sure` times as sure."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (rows, classes))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(classes, p=row) for row in honest])
    said = np.exp(sure * logits)
    return truth, said / said.sum(axis=1, keepdims=True)


def test_undoes_what_made_the_probabilities_too_sure() -> None:
    truth, probs = drawn(0, rows=20_000, classes=3, sure=3)
    assert fit_temperature(truth, probs) == pytest.approx(3, rel=0.05)


def test_two_photos_of_which_one_is_right_become_as_unsure_as_that() -> None:
    # Three of four right, said with 0.9: the odds 3 are 9 ** (1 / T), so T = log 9 / log 3 = 2.
    probs = np.tile([0.9, 0.1], (4, 1))
    assert fit_temperature(np.array([0, 0, 0, 1]), probs) == pytest.approx(2, abs=1e-4)


def tempered(probs: np.ndarray, temperature: float) -> np.ndarray:
    return np.asarray(softmax(np.log(np.maximum(probs, SMALLEST)) / temperature, axis=1))


@pytest.mark.parametrize("sure", [0.4, 1.0, 2.5])
def test_no_temperature_of_a_grid_has_a_lower_log_loss(sure: float) -> None:
    truth, probs = drawn(1, sure=sure)
    grid = [log_loss(truth, tempered(probs, one)) for one in np.geomspace(LOWEST, HIGHEST, 500)]
    found = log_loss(truth, tempered(probs, fit_temperature(truth, probs)))
    assert found <= min(grid) + 1e-9


def test_agrees_with_the_optimizer_that_the_paper_used() -> None:
    truth, probs = drawn(2, sure=2.0)
    logits, target = torch.log(torch.tensor(probs)), torch.tensor(truth)
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(logits * scale, target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    assert fit_temperature(truth, probs) == pytest.approx(1 / scale.item(), rel=1e-3)


def test_answers_that_are_all_right_or_all_wrong_end_at_the_bounds() -> None:
    probs = np.array([[0.8, 0.2], [0.3, 0.7]], np.float32)
    assert fit_temperature(np.array([0, 1]), probs) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(np.array([1, 0]), probs) == pytest.approx(HIGHEST, rel=1e-3)


def test_probabilities_of_zero_are_no_trouble() -> None:
    probs = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    assert np.isfinite(fit_temperature(np.array([0, 1, 2, 1]), probs))


def test_refuses_what_does_not_belong_together() -> None:
    with pytest.raises(MaskkitError, match=r"truth of shape \(0,\)"):
        fit_temperature(np.empty(0, np.int64), np.empty((0, 3)))
    with pytest.raises(MaskkitError, match=r"shape \(2,\).*shape \(3, 2\)"):
        fit_temperature(np.array([0, 1]), np.full((3, 2), 0.5))
    with pytest.raises(MaskkitError, match="truth holds class 2"):
        fit_temperature(np.array([0, 2]), np.full((2, 2), 0.5))
