"""Whether what a training remembers of its epochs is of the model and the photos that it goes on with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def are_alike(best: Any, model: nn.Module) -> bool:
    """Whether this is a state dict of the model, by names and shapes."""
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    is_state = isinstance(best, dict) and all(isinstance(one, Tensor) for one in best.values())
    return is_state and {name: tensor.shape for name, tensor in best.items()} == expected


def are_answers(answers: Any, *, epochs: int, photos: int, classes: int) -> bool:
    """Whether these are the answers of so many epochs to so many photos, by class, (photos,) each."""
    each = answers if isinstance(answers, list) else [None]
    return len(each) == epochs and all(
        isinstance(one, Tensor)
        and one.dtype == torch.int64
        and one.shape == (photos,)
        and bool(((one >= 0) & (one < classes)).all())
        for one in each
    )
