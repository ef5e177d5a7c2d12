import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from torch import Tensor

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.f1 import f1

CERTAIN = 1e4


def logits_of(*rows: list[float]) -> Tensor:
    return torch.tensor(rows).log()


def test_equals_the_loss_worked_by_hand() -> None:
    logits, target = logits_of([0.75, 0.25], [0.5, 0.5], [0.25, 0.75]), torch.tensor([0, 0, 1])
    first = 2 * (0.75 + 0.5) / (2 + 0.75 + 0.5 + 0.25)  # 2 sum(t p) / (sum(t) + sum(p))
    second = 2 * 0.75 / (1 + 0.25 + 0.5 + 0.75)
    assert f1(logits, target).tolist() == pytest.approx([1 - (first + second) / 2] * 3)


def test_takes_the_shares_of_a_mixed_target() -> None:
    logits, target = logits_of([0.75, 0.25]), torch.tensor([[0.5, 0.5]])
    scores = 2 * 0.5 * 0.75 / (0.5 + 0.75), 2 * 0.5 * 0.25 / (0.5 + 0.25)
    shares = 1, 0.5 + 0.25  # the second class has three quarters of one example's worth
    expected = 1 - (scores[0] * shares[0] + scores[1] * shares[1]) / sum(shares)
    assert f1(logits, target).item() == pytest.approx(expected)


@settings(deadline=None)  # the machine may be busy
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 9)), min_size=1, max_size=30
    ),
    weighted=st.booleans(),
)
def test_equals_scikit_learn_at_hard_predictions(rows: list[tuple[int, int, float]], weighted: bool) -> None:
    truth, answer, weight = (np.array(column) for column in zip(*rows, strict=True))
    value = f1(
        CERTAIN * F.one_hot(torch.tensor(answer), 6),
        torch.tensor(truth),
        example_weight=torch.tensor(weight) if weighted else None,
    )
    score = f1_score(
        truth, answer, average="macro", sample_weight=weight if weighted else None, zero_division=0
    )
    assert value.tolist() == pytest.approx([1 - score] * len(rows), abs=1e-5)


def test_a_whole_weight_equals_repetition_and_a_weight_of_0_absence() -> None:
    torch.manual_seed(0)
    logits, target, times = torch.randn(5, 4), torch.tensor([0, 1, 1, 2, 3]), torch.tensor([1, 3, 2, 1, 0])
    repeated = f1(logits.repeat_interleave(times, 0), target.repeat_interleave(times))
    weighted = f1(logits, target, example_weight=times)
    torch.testing.assert_close(weighted, repeated[:1].expand(5))


def test_classes_that_a_batch_lacks_do_not_count() -> None:
    logits, target = torch.randn(8, 3), torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    wide = torch.cat([logits, torch.full((8, 15), -CERTAIN)], dim=1)
    torch.testing.assert_close(f1(wide, target), f1(logits, target))
    assert f1(CERTAIN * F.one_hot(target, 18), target).tolist() == [0] * 8


def test_does_not_jump_as_the_last_probability_leaves_a_class() -> None:
    target = torch.tensor([0, 1])
    losses = [
        f1(logits_of([1 - share, 0, share], [0, 1, 0]), target)[0].item() for share in (0.0, 1e-6, 0.5, 1.0)
    ]
    assert losses == pytest.approx([0, 0, 1 - (2 * 0.5 / 1.5 + 1) / 2.5, 1 - 1 / 3], abs=1e-5)


def test_class_weight_is_what_an_f1_counts_in_the_mean() -> None:
    logits, target = logits_of([0.75, 0.25], [0.5, 0.5], [0.25, 0.75]), torch.tensor([0, 0, 1])
    first, second = 2.5 / 3.5, 1.5 / 2.5
    for factor in (1, 5):
        value = f1(logits, target, weight=factor * torch.tensor([1.0, 3.0]))[0].item()
        assert value == pytest.approx(1 - (first + 3 * second) / 4)
    assert f1(logits, target, weight=torch.tensor([0.0, 1.0]))[0].item() == pytest.approx(1 - second)


def test_nothing_that_counts_is_no_loss() -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    nothing = f1(logits, torch.tensor([0, 1]), example_weight=torch.zeros(2))
    nothing = nothing + f1(logits, torch.tensor([0, 1]), weight=torch.zeros(3))
    assert nothing.tolist() == [0, 0]
    (gradient,) = torch.autograd.grad(nothing.sum(), logits)
    assert (gradient == 0).all()


def test_pulls_a_rare_class_harder_than_a_frequent_one() -> None:
    logits = torch.zeros(20, 2, requires_grad=True)
    target = torch.tensor([1] + [0] * 19)
    (gradient,) = torch.autograd.grad(f1(logits, target).mean(), logits)
    assert gradient[0, 1].abs() > 3 * gradient[1, 0].abs()


def test_hardly_pulls_at_an_error_it_is_sure_of_which_cross_entropy_does() -> None:
    logits, target = (
        torch.tensor([[0.0, 12.0], [12.0, 0.0], [0.0, 12.0]], requires_grad=True),
        torch.tensor([0, 0, 1]),
    )
    (gradient,) = torch.autograd.grad(f1(logits, target).mean(), logits)
    (other,) = torch.autograd.grad(cross_entropy(logits, target).mean(), logits)
    assert 0 < -gradient[0, 0] < 1e-4 < 0.3 < -other[0, 0]
