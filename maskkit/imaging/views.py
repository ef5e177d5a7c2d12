"""The views of a photo that a prediction is averaged over, by what `--tta` says."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.options.values import Tta

View = Callable[[Tensor], Tensor]  # images (N, 3, H, W) -> as many of the same size

DIRECTIONS: Final = ((1, 0), (-1, 0), (0, 1), (0, -1))


def views_of(tta: Tta) -> tuple[View, ...]:
    """Return the views, the photo itself first: each scale, each shift, and the mirror image of each.

    All are made of the prepared photo and have its size, which compiled models need.
    """
    views: list[View] = [_unchanged, *(partial(_moved, zoom=1 / scale) for scale in tta.scales)]
    if tta.shift:
        steps = [(tta.shift * right, tta.shift * down) for right, down in DIRECTIONS]
        views += [partial(_moved, right=right, down=down) for right, down in steps]
    if tta.hflip:
        views = [view for each in views for view in (each, partial(_mirrored, each))]
    return tuple(views)


def _unchanged(images: Tensor) -> Tensor:
    return images


def _mirrored(view: View, images: Tensor) -> Tensor:
    return view(images).flip(3)


def _moved(images: Tensor, *, zoom: float = 1.0, right: float = 0.0, down: float = 0.0) -> Tensor:
    """Show photos smaller by `zoom` or moved by a share of their size; what comes in is a mirror image."""
    # From a place in the view to one in the photo, both running from -1 to 1.
    matrix = torch.tensor([[zoom, 0.0, -2 * right], [0.0, zoom, -2 * down]], device=images.device)
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)
