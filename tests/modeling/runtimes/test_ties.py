from __future__ import annotations

import torch
from torch import Tensor

from maskkit.modeling.runtimes.ties import MARGIN, settled

WANTED = torch.tensor([[4.0, 0.0, -4.0], [-1.0, 0.0, 1.0]])


def off_by(error: float) -> Tensor:
    """Logits of which each is off by `error` of the deviation of its photo's, in turns up and down."""
    return WANTED + error * WANTED.std(1, keepdim=True) * torch.tensor([1.0, -2.0, 1.0]) / 2**0.5


def test_only_photos_near_a_tie_are_computed_exactly() -> None:
    asked: list[int] = []

    def exact(images: Tensor) -> Tensor:
        asked.append(len(images))
        return images[:, :, 0, 0] + 100

    classify = settled(lambda images: images[:, :, 0, 0].clone(), exact, wanted=WANTED, given=off_by(0.02))
    close, clear = 0.9 * MARGIN * 0.02, 1.1 * MARGIN * 0.02
    logits = torch.tensor([[1.0, 0.0, -1.0], [close, 0.0, -2.0], [-2.0, 0.0, clear]])
    logits /= logits.std(1, keepdim=True)
    logits[1] *= close / (logits[1, 0] - logits[1, 1])
    images = logits[:, :, None, None].expand(3, 3, 4, 4)
    given = classify(images)
    assert torch.equal(given[0], logits[0])
    assert asked in ([1], [2])
    assert torch.equal(given[1], logits[1] + 100)


def test_nothing_is_asked_twice_where_nothing_is_close() -> None:
    def never(images: Tensor) -> Tensor:
        raise AssertionError(len(images))

    classify = settled(lambda images: images[:, :, 0, 0].clone(), never, wanted=WANTED, given=WANTED)
    images = torch.randn(5, 3, 4, 4)
    assert torch.equal(classify(images), images[:, :, 0, 0])


def test_an_error_that_is_common_to_all_classes_widens_nothing() -> None:
    def never(images: Tensor) -> Tensor:
        raise AssertionError(len(images))

    given = WANTED + torch.tensor([[0.5], [-0.25]])
    classify = settled(lambda images: images[:, :, 0, 0].clone(), never, wanted=WANTED, given=given)
    logits = torch.tensor([[1.0, 0.9, 0.0]])
    assert torch.equal(classify(logits[:, :, None, None].expand(1, 3, 2, 2)), logits)


def test_a_single_class_has_no_ties() -> None:
    one = torch.ones(2, 1)
    classify = settled(lambda images: images[:, :, 0, 0], lambda images: images, wanted=one, given=one)
    assert classify(torch.ones(4, 1, 2, 2)).shape == (4, 1)


def test_logits_that_are_no_numbers_pass_through() -> None:
    classify = settled(
        lambda images: images[:, :, 0, 0].clone(),
        lambda images: images,
        wanted=WANTED,
        given=WANTED * torch.nan,
    )
    assert classify(torch.full((2, 3, 1, 1), torch.nan)).isnan().all()
