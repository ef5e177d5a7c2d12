from math import log
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from maskkit.config import Loss
from maskkit.errors import MaskkitError
from maskkit.modeling.losses import LOSSES
from maskkit.modeling.losses.cross_entropy import cross_entropy, soft_targets


def test_knows_every_loss_that_options_allow() -> None:
    assert set(LOSSES) >= set(get_args(Loss))


def test_cross_entropy_is_the_negative_log_probability() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]).log()
    losses = cross_entropy(logits, torch.tensor([0, 1]))
    assert losses.tolist() == pytest.approx([log(2), log(8)])


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_torch_for_indices_and_for_probabilities(weighted: bool) -> None:
    torch.manual_seed(0)
    logits, weight = torch.randn(7, 5), torch.rand(5) if weighted else None
    for target in (torch.randint(5, (7,)), torch.rand(7, 5).softmax(dim=1)):
        expected = F.cross_entropy(logits, target, weight=weight, reduction="none")
        torch.testing.assert_close(cross_entropy(logits, target, weight=weight), expected)


def test_soft_targets_share_the_smoothing_among_all_classes() -> None:
    rows = soft_targets(torch.tensor([2, 0]), classes=4, smoothing=0.1)
    torch.testing.assert_close(rows[0], torch.tensor([0.025, 0.025, 0.925, 0.025]))
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(2))


def test_soft_targets_equal_the_smoothing_of_torch() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(7, 5), torch.randint(5, (7,))
    expected = F.cross_entropy(logits, target, label_smoothing=0.2, reduction="none")
    losses = cross_entropy(logits, soft_targets(target, classes=5, smoothing=0.2))
    torch.testing.assert_close(losses, expected)


def test_soft_targets_without_smoothing_are_one_hot() -> None:
    assert soft_targets(torch.tensor([1]), classes=3, smoothing=0.0).tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_refuses_a_smoothing_that_is_no_share(smoothing: float) -> None:
    with pytest.raises(MaskkitError, match=str(smoothing)):
        soft_targets(torch.tensor([1]), classes=3, smoothing=smoothing)
