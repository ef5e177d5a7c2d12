import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.scoring.results import Estimate, difference, noise

share = st.floats(0, 1)


def test_the_interval_of_a_difference_is_that_of_newcombe() -> None:
    """Newcombe 1998, table II, contrast (a): 56/70 less 48/80, by method 10, is 0.0524 to 0.3339."""
    found = difference(Estimate(56 / 70, 0.6921, 0.8777), Estimate(48 / 80, 0.4903, 0.7003))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=2e-3)
    assert found.high == pytest.approx(0.3339, abs=2e-3)
    assert found.is_noise is False


def test_a_difference_smaller_than_its_interval_is_noise() -> None:
    found = noise(["a", "b"], [Estimate(0.80, 0.75, 0.85), Estimate(0.82, 0.77, 0.87)])
    assert found is not None
    assert (found.best, found.second) == ("b", "a")
    assert found.difference.low == pytest.approx(0.02 - 0.05 * 2**0.5)
    assert found.below == pytest.approx(0.05 * 2**0.5)
    assert found.sentence == (
        "not told apart: b and a, the best two; differences below 0.071 between these are inside the noise"
    )


def test_a_best_score_that_stands_out_is_no_noise() -> None:
    scores = [Estimate(0.5, 0.45, 0.55), Estimate(0.9, 0.88, 0.92), Estimate(0.5, 0.45, 0.55)]
    assert noise(["a", "b", "c"], scores) is None


def test_scores_without_an_interval_are_passed_over() -> None:
    known = Estimate(0.8, 0.7, 0.9)
    assert noise(["a", "b"], [known, Estimate(0.8, None, None)]) is None
    assert noise(["a", "b"], [known, Estimate(None, None, None)]) is None
    assert noise([], []) is None
    assert difference(known, Estimate(0.1, None, None)).is_noise is None
    assert difference(known, Estimate(None, None, None)).value is None


@given(st.lists(share, min_size=3, max_size=3), st.lists(share, min_size=3, max_size=3))
def test_a_difference_is_its_opposite_the_other_way_round(first: list[float], second: list[float]) -> None:
    one, other = (
        Estimate(value, low, high) for low, value, high in (sorted(first), sorted(second))
    )  # fmt: skip
    there, back = difference(one, other), difference(other, one)
    assert there.low is not None
    assert back.high is not None
    assert there.low == pytest.approx(-back.high)
    assert there.is_noise == back.is_noise
    assert difference(one, one).is_noise
