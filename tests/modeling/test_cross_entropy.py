from math import log

import pytest
import torch
import torch.nn.functional as F

from maskkit.modeling.losses.cross_entropy import cross_entropy, smoothed


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


def test_smoothing_is_shared_among_all_classes() -> None:
    rows = smoothed(F.one_hot(torch.tensor([2, 0]), 4).float(), smoothing=0.1)
    torch.testing.assert_close(rows[0], torch.tensor([0.025, 0.025, 0.925, 0.025]))
    torch.testing.assert_close(rows.sum(dim=1), torch.ones(2))


def test_smoothed_targets_equal_the_smoothing_of_torch() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(7, 5), torch.randint(5, (7,))
    expected = F.cross_entropy(logits, target, label_smoothing=0.2, reduction="none")
    losses = cross_entropy(logits, smoothed(F.one_hot(target, 5).float(), smoothing=0.2))
    torch.testing.assert_close(losses, expected)


def test_targets_without_smoothing_stay() -> None:
    assert smoothed(torch.tensor([[0.0, 1.0, 0.0]]), smoothing=0.0).tolist() == [[0, 1, 0]]


def test_smoothing_of_mixed_targets_keeps_their_sum() -> None:
    rows = smoothed(torch.tensor([[0.7, 0.3, 0.0]]), smoothing=0.3)
    torch.testing.assert_close(rows, torch.tensor([[0.59, 0.31, 0.1]]))
