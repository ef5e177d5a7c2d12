"""From batches of pixels to what a model takes."""

from __future__ import annotations

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
        float32 (N, 3, height, width) in channels-last memory order, which costs no copy.
    """
    batch, height, width, channels = pixels.shape
    mean, std = (
        torch.tensor(values, dtype=torch.float64) for values in (preprocess.mean, preprocess.std)
    )  # (3,)
    # (x / 255 - mean) / std as one multiplication and addition along whole rows, which is several times
    # faster than along the three channels.
    factor, offset = ((each.float().repeat(width)).to(device) for each in (1 / (255 * std), -mean / std))
    rows = pixels.to(device, non_blocking=True).view(batch, height, width * channels).float()
    return rows.mul_(factor).add_(offset).view(batch, height, width, channels).permute(0, 3, 1, 2)
