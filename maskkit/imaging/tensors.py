"""From batches of pixels to what a model takes, and the views of it that a prediction is averaged over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.options.values import Tta

View = Callable[[Tensor], Tensor]  # images (N, 3, H, W) -> as many of the same size

DIRECTIONS: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))


def to_input(pixels: Tensor, preprocess: Preprocess, device: torch.device) -> Tensor:
    """Normalise pixels, uint8 (N, height, width, 3), on the device: bytes travel there, a quarter of floats.

    Returns:
        float32 (N, 3, height, width) in channels-last memory order, which costs no copy.
    """
    batch, height, width, channels = pixels.shape
    mean, std = torch.tensor([preprocess.mean, preprocess.std], dtype=torch.float64)  # (3,) each
    # (x / 255 - mean) / std as one multiplication and addition along whole rows, which is several times
    # faster than along the three channels.
    factor, offset = (each.float().repeat(width).to(device) for each in (1 / (255 * std), -mean / std))
    rows = pixels.to(device, non_blocking=True).view(batch, height, width * channels).float()
    return rows.mul_(factor).add_(offset).view(batch, height, width, channels).permute(0, 3, 1, 2)


def views_of(tta: Tta) -> tuple[View, ...]:
    """Return the views, the photo itself first: each scale, each shift, and the mirror image of each.

    All are made of the prepared photo and have its size, which compiled models need.
    """
    views: list[View] = [lambda images: images, *(partial(_moved, zoom=1 / scale) for scale in tta.scales)]
    if tta.shift:
        steps = [(tta.shift * right, tta.shift * down) for right, down in DIRECTIONS]
        views += [partial(_moved, right=right, down=down) for right, down in steps]
    if tta.hflip:
        views = [view for each in views for view in (each, partial(_mirrored, each))]
    return tuple(views)


def _mirrored(view: View, images: Tensor) -> Tensor:
    return view(images).flip(3)


def _moved(images: Tensor, *, zoom: float = 1.0, right: float = 0.0, down: float = 0.0) -> Tensor:
    """Show photos smaller by `zoom` or moved by a share of their size; what comes in is a mirror image."""
    # From a place in the view to one in the photo, both running from -1 to 1.
    matrix = torch.tensor([[zoom, 0.0, -2 * right], [0.0, zoom, -2 * down]], device=images.device)
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)
