"""Steps of one photo, which batch norm cannot learn from where its maps are one pixel."""

from __future__ import annotations

import torch
from torch import nn

from maskkit.errors import MaskkitError, reason
from maskkit.imaging.dataset import batch_count
from maskkit.modeling.ending import model_name
from maskkit.modeling.trying import without_trace
from maskkit.options.techniques import Stepping
from maskkit.options.train_options import TrainOptions
from maskkit.processes.launched import launch


def refuse_lone_photos(
    model: nn.Module, options: TrainOptions, *, photos: int, size: tuple[int, int]
) -> None:
    """Raise a MaskkitError if an epoch of so many photos has a step of one, and the model cannot learn so.

    `size` is height and width in pixels. Where unlabelled photos come with each, none is alone, but where
    batch norm is measured anew for an average of the weights.
    """
    parts = options.one("optimizer").part(Stepping).accumulate * launch().world
    has_company = options.unlabeled is not None and options.one("average").name != "swa"
    if has_company or _smallest(photos, options.batch_size, parts) > 1:
        return
    why = _fault_of_one(model, size)
    if why is None:
        return
    divided = f", computed in {parts} parts{_of_processes()}," if parts > 1 else ""
    raise MaskkitError(
        f"{model_name(model)} cannot learn from one photo at a time",
        why=f"{photos} photos in batches of {options.batch_size}{divided} leave one alone, and batch norm "
        f"needs more: {why}",
        fix=", or ".join(_ways(photos, options.batch_size, parts)),
    )


def _of_processes() -> str:
    return f" by {launch().world} processes" if launch().world > 1 else ""


def _ways(photos: int, batch_size: int, parts: int) -> list[str]:
    """Name ways to have no step of one photo."""
    ways = []
    most = photos // max(1, batch_count(photos, batch_size)) // 2  # parts, of two photos each
    if 1 <= most < parts and launch().world == 1:
        ways.append(f"use --optimizer with accumulate={most}")
    enough = [size for size in range(2, photos + 1) if _smallest(photos, size, parts) > 1]
    if enough:
        ways.append(f"use --batch-size {enough[0]}")
    return [*ways, "use a --model without batch norm, such as convnext_atto"]


def takes_batches_of(model: nn.Module, options: TrainOptions, batch_size: int, size: tuple[int, int]) -> bool:
    """Whether a model can learn from full batches of so many photos of this size."""
    parts = options.one("optimizer").part(Stepping).accumulate
    return batch_size // parts > 1 or _fault_of_one(model, size) is None


def _smallest(photos: int, batch_size: int, parts: int) -> int:
    """Return how many photos the smallest step of an epoch has: parts without any are left out."""
    return max(1, photos // max(1, batch_count(photos, batch_size)) // parts)


def _fault_of_one(model: nn.Module, size: tuple[int, int]) -> str | None:
    """Say why a model cannot learn from one photo; None if it can. It is left as it is."""
    device = next(model.parameters()).device
    try:
        with without_trace(model) as call:
            model.train()
            call(torch.zeros(1, 3, *size, device=device))
    except (ValueError, RuntimeError) as error:
        return reason(error)
    return None
