from math import log

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maskkit.modeling.losses.fixmatch import fixmatch

WEAK = torch.tensor([[0.96, 0.04], [0.02, 0.98], [0.9, 0.1]]).log()
STRONG = torch.tensor([[0.5, 0.5], [0.75, 0.25], [0.5, 0.5]]).log()


def test_equals_equation_4_worked_by_hand() -> None:
    losses, confident = fixmatch(WEAK, STRONG, threshold=0.95)
    assert losses.tolist() == pytest.approx([log(2), log(4), 0])
    assert confident.tolist() == [True, True, False]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.95])
def test_is_that_of_numpy_and_of_torch(threshold: float) -> None:
    random = np.random.default_rng(0)
    weak, strong = 2 * random.normal(size=(2, 40, 18))
    sure, answer = (np.exp(each) / np.exp(each).sum(1, keepdims=True) for each in (weak, strong))
    label, kept = weak.argmax(1), sure.max(1) >= threshold
    losses, confident = fixmatch(torch.from_numpy(weak), torch.from_numpy(strong), threshold=threshold)
    np.testing.assert_allclose(losses.numpy(), -np.log(answer[np.arange(40), label]) * kept, rtol=1e-4)
    assert confident.tolist() == kept.tolist()
    rows = torch.from_numpy(np.flatnonzero(kept))
    whole = F.cross_entropy(torch.from_numpy(strong)[rows], torch.from_numpy(label)[rows], reduction="sum")
    assert float(losses.sum()) == pytest.approx(float(whole) if len(rows) else 0, rel=1e-5)


def test_nothing_is_learnt_through_the_weak_view() -> None:
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    fixmatch(weak, strong)[0].sum().backward()  # type: ignore[no-untyped-call]
    assert weak.grad is None
    assert strong.grad is not None
    assert (strong.grad != 0).any(1).tolist() == [True, True, False]


def test_a_probability_that_equals_the_threshold_counts() -> None:
    even = torch.zeros(1, 2)
    assert fixmatch(even, even, threshold=0.5)[1].tolist() == [True]
    assert fixmatch(even, even, threshold=0.501)[1].tolist() == [False]


@pytest.mark.parametrize("threshold", [0.0, 0.95, 1.0])
def test_gradient_is_finite_when_certain(threshold: float) -> None:
    weak = torch.tensor([[1e4, -1e4], [1e4, -1e4], [0.0, 0.0]])
    strong = torch.tensor([[-1e4, 1e4], [1e4, -1e4], [1e4, -1e4]], requires_grad=True)
    losses, _ = fixmatch(weak, strong, threshold=threshold)
    (gradient,) = torch.autograd.grad(losses.sum(), strong)
    assert bool(losses.isfinite().all())
    assert bool(gradient.isfinite().all())
