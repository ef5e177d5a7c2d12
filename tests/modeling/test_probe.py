from __future__ import annotations

import pytest
import torch

from maskkit.modeling.backbone import random_photos


@pytest.mark.parametrize("size", [(32, 32), (128, 96), (17, 250)])
def test_has_the_size_asked_for_and_is_the_same_every_time(size: tuple[int, int]) -> None:
    first = random_photos(size, count=2)
    torch.rand(3)
    assert first.shape == (2, 3, *size)
    assert torch.equal(first, random_photos(size, count=2))
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert 0.2 < float(first.std()) < 2


def test_draws_nothing_from_the_randomness_of_training() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    random_photos((32, 32), count=2)
    assert torch.equal(torch.rand(1), expected)
