from math import exp, log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from maskkit.modeling.losses.uda import annealed, annealing_threshold, uda

WEAK = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log()
STRONG = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()


def test_is_the_divergence_from_the_sharpened_answer_worked_by_hand() -> None:
    losses, confident = uda(WEAK, STRONG, temperature=0.5, threshold=0.8)
    high, low = 0.81 / 0.82, 0.01 / 0.82  # squared, which is what a temperature of 1/2 does
    assert losses.tolist() == pytest.approx([high * log(high / 0.5) + low * log(low / 0.5), 0], rel=1e-5)
    assert confident.tolist() == [True, False]


@pytest.mark.parametrize(("temperature", "threshold"), [(0.4, 0.0), (1.0, 0.4), (2.0, 0.9)])
def test_is_that_of_numpy_and_of_torch(temperature: float, threshold: float) -> None:
    random = np.random.default_rng(0)
    weak, strong = 2 * random.normal(size=(2, 40, 18))
    plain, sharp = np.exp(weak), np.exp(weak / temperature)
    plain, sharp = (each / each.sum(1, keepdims=True) for each in (plain, sharp))
    answer = np.exp(strong) / np.exp(strong).sum(1, keepdims=True)
    kept = plain.max(1) > threshold
    expected = (sharp * np.log(sharp / answer)).sum(1) * kept
    losses, confident = uda(
        torch.from_numpy(weak), torch.from_numpy(strong), temperature=temperature, threshold=threshold
    )
    np.testing.assert_allclose(losses.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert confident.tolist() == kept.tolist()
    whole = F.kl_div(torch.from_numpy(np.log(answer[kept])), torch.from_numpy(sharp[kept]), reduction="sum")
    assert float(losses.sum()) == pytest.approx(float(whole), rel=1e-5, abs=1e-6)


def test_nothing_is_learnt_through_the_weak_view() -> None:
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    uda(weak, strong, threshold=0)[0].sum().backward()  # type: ignore[no-untyped-call]
    assert weak.grad is None
    assert strong.grad is not None
    assert bool((strong.grad != 0).all())


def test_only_a_probability_above_the_threshold_counts() -> None:
    even = torch.zeros(1, 2)
    assert uda(even, even, threshold=0.5)[1].tolist() == [False]
    assert uda(even, even, threshold=0.499)[1].tolist() == [True]


@pytest.mark.parametrize("threshold", [0.0, 0.8, 1.0])
def test_gradient_is_finite_when_certain(threshold: float) -> None:
    weak = torch.tensor([[1e4, -1e4], [1e4, -1e4], [0.0, 0.0], [-60.0, 60.0]])
    strong = torch.tensor([[-1e4, 1e4], [1e4, -1e4], [1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    losses, _ = uda(weak, strong, threshold=threshold)
    (gradient,) = torch.autograd.grad(losses.sum(), strong)
    assert bool(losses.isfinite().all())
    assert bool(gradient.isfinite().all())


@given(st.lists(st.floats(-30, 30), min_size=6, max_size=6), st.floats(0.05, 5))
def test_is_never_below_zero_and_is_zero_for_equal_answers(logits: list[float], temperature: float) -> None:
    weak, strong = torch.tensor(logits).reshape(2, 1, 3)
    assert float(uda(weak, strong, temperature=temperature, threshold=0)[0]) >= -1e-5
    assert float(uda(weak, weak, temperature=1, threshold=0)[0]) == pytest.approx(0, abs=1e-6)


def test_the_threshold_of_annealing_is_that_of_the_paper() -> None:
    for progress in (0.0, 0.3, 1.0):
        shares = {"linear": progress, "log": 1 - exp(-progress * 5), "exp": exp((progress - 1) * 5)}
        for schedule, share in shares.items():
            expected = share * (1 - 1 / 18) + 1 / 18
            assert annealing_threshold(schedule, progress, classes=18) == pytest.approx(expected)
    assert annealing_threshold("linear", 0, classes=18) == pytest.approx(1 / 18)
    assert annealing_threshold("linear", 1, classes=18) == 1


def test_photos_whose_class_is_known_better_than_the_threshold_are_left_out() -> None:
    logits = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5]]).log()
    target = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    assert annealed(logits, target, threshold=0.7).tolist() == [False, True, True]
    assert annealed(logits, target, threshold=0.4).tolist() == [False, False, False]
    assert annealed(logits, target, threshold=1).tolist() == [True, True, True]


def test_of_a_mixed_photo_the_mean_of_its_classes_probabilities_is_compared() -> None:
    logits, target = torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([[0.5, 0.5, 0]])
    assert annealed(logits, target, threshold=0.46).tolist() == [True]
    assert annealed(logits, target, threshold=0.44).tolist() == [False]
