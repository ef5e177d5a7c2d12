"""From batches of pixels to what a model takes, and the views that predictions are averaged over."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess


def to_input(pixels: Tensor, preprocess: Preprocess, device: torch.device) -> Tensor:
    """Normalise on the device.

    Args:
        pixels: uint8 (N, height, width, 3).
        preprocess: Mean and standard deviation per channel.
        device: Where the model is. Bytes travel there, a quarter of what floats would cost.

    Returns:
        float32 (N, 3, height, width) in channels-last memory order.
    """
    mean = torch.tensor(preprocess.mean, device=device)
    std = torch.tensor(preprocess.std, device=device)
    values = pixels.to(device, non_blocking=True).float() / 255
    return ((values - mean) / std).permute(0, 3, 1, 2)  # a view: channels-last costs no copy


def _mirrored(images: Tensor) -> Tensor:
    return images.flip(3)


VIEWS: dict[str, tuple[Callable[[Tensor], Tensor], ...]] = {
    "none": (lambda images: images,),
    "hflip": (lambda images: images, _mirrored),
}
