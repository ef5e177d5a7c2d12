from math import log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit.errors import MaskkitError
from maskkit.modeling.losses.class_weights import SCHEMES, class_weights

LOG_RATIO = log(1.02 + 1 / 5) / log(1.02 + 4 / 5)
COUNTS = st.lists(st.integers(0, 2_000_000), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("none", [1, 1]),
        ("inverse", [5 / 2, 5 / 8]),  # proportional to 1, 1/4
        ("sqrt", [5 / 3, 5 / 6]),  # proportional to 1, 1/2
        ("log", [5 / (1 + 4 * LOG_RATIO), 5 * LOG_RATIO / (1 + 4 * LOG_RATIO)]),  # to 1, ln 1.22 / ln 1.82
        ("effective", [5 * 3.439 / 7.439, 5 / 7.439]),  # to 1, 0.1 / (1 - 0.9^4) = 1 / 3.439
    ],
)
def test_equals_weights_worked_by_hand(scheme: str, expected: list[float]) -> None:
    weights = class_weights(torch.tensor([1, 4]), scheme=scheme, beta=0.9)
    assert weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None)  # the machine may be busy
@given(counts=COUNTS)
def test_mean_over_the_counted_examples_is_one(scheme: str, counts: list[int]) -> None:
    weights = class_weights(torch.tensor(counts), scheme=scheme)
    assert weights.dtype == torch.float32
    mean = (weights.double() * torch.tensor(counts)).sum() / sum(counts)
    assert mean.item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None)  # the machine may be busy
@given(counts=COUNTS)
def test_rarer_classes_never_weigh_less_and_absent_ones_nothing(scheme: str, counts: list[int]) -> None:
    weights = class_weights(torch.tensor(counts), scheme=scheme).tolist()
    seen = sorted((count, -weight) for count, weight in zip(counts, weights, strict=True) if count)
    assert [weight for _, weight in seen] == sorted(weight for _, weight in seen)
    assert all((weight > 0) == (count > 0) for count, weight in zip(counts, weights, strict=True))


def test_log_weights_are_bounded_however_rare_a_class_is() -> None:
    """From 1 / ln 1.02 = 50.5 for the rarest to 1 / ln 2.02 = 1.4 for the only one."""
    weights = class_weights(torch.tensor([1, 10**9]), scheme="log")
    assert (weights[0] / weights[1]).item() == pytest.approx(log(2.02) / log(1.02), rel=1e-5)


def test_beta_moves_effective_from_no_weighting_to_inverse() -> None:
    counts = torch.tensor([3, 40, 500])
    for beta, scheme in ((0.0, "none"), (1 - 1e-9, "inverse")):
        torch.testing.assert_close(
            class_weights(counts, scheme="effective", beta=beta),
            class_weights(counts, scheme=scheme),
            rtol=1e-5,
            atol=0,
        )


@pytest.mark.parametrize("counts", [[0, 0], [3, -1]])
def test_refuses_counts_that_weigh_nothing(counts: list[int]) -> None:
    with pytest.raises(MaskkitError, match="cannot weigh classes"):
        class_weights(torch.tensor(counts), scheme="inverse")
