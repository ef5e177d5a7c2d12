from math import log

import pytest
import torch

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.logit_adjusted import logit_adjusted

COUNTS = torch.tensor([6, 3, 1])


def test_equals_equation_10_worked_by_hand() -> None:
    logits = torch.tensor([[2.0, 3.0, 5.0]]).log()  # with the priors: 2 * 0.6, 3 * 0.3, 5 * 0.1
    assert logit_adjusted(logits, torch.tensor([1]), counts=COUNTS).item() == pytest.approx(log(2.6 / 0.9))
    twice = (2 * 0.36 + 3 * 0.09 + 5 * 0.01) / (5 * 0.01)
    assert logit_adjusted(logits, torch.tensor([2]), counts=COUNTS, tau=2).item() == pytest.approx(log(twice))


def test_equals_the_pairwise_form_of_the_paper() -> None:
    torch.manual_seed(0)
    logits, target, tau = torch.randn(9, 3), torch.randint(3, (9,)), 1.5
    prior = COUNTS / COUNTS.sum()
    ratio = (prior[None, :] / prior[target, None]) ** tau  # (N, C): a margin for each pair of classes
    other = (logits - logits.gather(1, target[:, None])).exp()
    expected = (ratio * other).sum(dim=1).log()
    torch.testing.assert_close(logit_adjusted(logits, target, counts=COUNTS, tau=tau), expected)


@pytest.mark.parametrize(("tau", "counts"), [(0.0, COUNTS), (1.0, torch.tensor([4, 4, 4]))])
def test_is_cross_entropy_without_tau_or_imbalance(tau: float, counts: torch.Tensor) -> None:
    torch.manual_seed(0)
    logits = torch.randn(9, 3)
    for target in (torch.randint(3, (9,)), torch.rand(9, 3).softmax(dim=1)):
        torch.testing.assert_close(
            logit_adjusted(logits, target, counts=counts, tau=tau), cross_entropy(logits, target)
        )


def test_logits_learn_to_predict_as_if_classes_were_equally_frequent() -> None:
    """Of a photo that all classes could show, p(class | photo) is the prior; the logits end up equal."""
    logits = torch.zeros(3, requires_grad=True)
    target = torch.repeat_interleave(torch.arange(3), COUNTS)
    optimizer = torch.optim.LBFGS([logits], max_iter=100)

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        loss = logit_adjusted(logits.expand(10, 3), target, counts=COUNTS).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()  # of others torch 2.8 makes a number with a warning

    logits.data += torch.tensor([1.0, -2.0, 0.5])
    optimizer.step(step)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(logits.softmax(0), torch.full((3,), 1 / 3), atol=1e-3, rtol=0)


def test_pushes_a_class_without_examples_down_as_hard_as_any() -> None:
    logits = torch.zeros(1, 4, requires_grad=True)
    losses = logit_adjusted(logits, torch.tensor([2]), counts=torch.tensor([6, 3, 1, 0]))
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert losses.item() == pytest.approx(log((6 + 3 + 1 + 6) / 1))
    assert gradient[0, 3].item() == pytest.approx(gradient[0].max().item())
