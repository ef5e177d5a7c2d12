import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from members import drawn_panel
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from maskkit.fitting.member_weights import linear_pool_weights
from maskkit.scoring.metrics import Floats, Integers


def drawn(seed: int = 0, skill: tuple[float, ...] = (2.0, 1.5, 1.0)) -> tuple[Integers, Floats]:
    truth = np.random.default_rng(seed).integers(0, 5, 300)
    probs = drawn_panel(truth, classes=5, skill=skill, seed=seed).probs
    assert probs is not None
    exact = np.stack(probs).astype(np.float64)
    return truth, exact / exact.sum(axis=2, keepdims=True)


def test_no_weights_of_a_fine_grid_have_a_smaller_log_loss() -> None:
    truth, probs = drawn(skill=(2.0, 1.5))
    grid = np.linspace(0, 1, 1001)
    losses = [log_loss(truth, share * probs[0] + (1 - share) * probs[1], labels=range(5)) for share in grid]
    first, second = linear_pool_weights(truth, list(probs))
    assert first == pytest.approx(grid[int(np.argmin(losses))], abs=2e-3)
    assert first + second == pytest.approx(1)
    assert log_loss(truth, first * probs[0] + second * probs[1], labels=range(5)) <= min(losses) + 1e-6


def test_agrees_with_a_general_minimiser() -> None:
    truth, probs = drawn(3, skill=(1.4, 1.5, 1.2))
    given = probs[:, np.arange(len(truth)), truth]
    found = minimize(
        lambda shares: -np.log(shares @ given).mean(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        tol=1e-12,
    )
    np.testing.assert_allclose(linear_pool_weights(truth, list(probs)), found.x, atol=5e-3)


def test_a_member_that_knows_nothing_gets_no_weight() -> None:
    truth, probs = drawn()
    sure_and_wrong = np.eye(5)[(truth + 1) % 5] * 0.98 + 0.004
    shares = linear_pool_weights(truth, [probs[0], sure_and_wrong])
    assert shares.tolist() == [1, 0]


def test_the_members_with_the_largest_shares_are_weighed_anew() -> None:
    truth, probs = drawn(3, skill=(1.4, 1.5, 1.2))
    shares = linear_pool_weights(truth, list(probs), most_members=2)
    out = int(np.argmin(linear_pool_weights(truth, list(probs))))
    assert np.flatnonzero(shares == 0).tolist() == [out]
    kept = [member for member in range(3) if member != out]
    assert shares[kept].tolist() == linear_pool_weights(truth, list(probs[kept])).tolist()


def test_a_probability_of_zero_for_the_truth_is_no_infinite_loss() -> None:
    truth = np.array([0, 1])
    certain, even = np.array([[1.0, 0.0], [1.0, 0.0]]), np.full((2, 2), 0.5)
    shares = linear_pool_weights(truth, [certain, even])
    assert np.isfinite(shares).all()
    assert shares[1] > 0.9


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_is_never_worse_than_a_member_or_their_mean(seed: int) -> None:
    truth, probs = drawn(seed)
    shares = linear_pool_weights(truth, list(probs))
    losses = [
        log_loss(truth, np.tensordot(one, probs, 1), labels=range(5))
        for one in (shares, *np.eye(3), np.full(3, 1 / 3))
    ]
    assert losses[0] <= min(losses[1:]) + 1e-5
