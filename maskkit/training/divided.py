"""What cannot be divided among processes that compute a batch together, or who begin unlike: refused."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.imaging.dataset import batch_count
from maskkit.modeling.losses import BATCHWISE
from maskkit.modeling.norms import state_digest
from maskkit.options.train_options import TrainOptions
from maskkit.processes.launched import launch
from maskkit.processes.team import Alone


def refuse_undivided(options: TrainOptions, *, photos: int) -> None:
    """Raise a MaskkitError if several processes would learn otherwise than one, or some of them nothing.

    `photos` are those of an epoch. The device is resolved.
    """
    world = launch().world
    if world == 1:
        return
    of_batch = [loss.name for loss in options.chosen("loss") if loss.name in BATCHWISE]
    if of_batch:
        raise _refused(
            f"--loss {of_batch[0]} is one value of a whole batch, of which each process has a share",
            "train without torchrun, or leave that loss out",
        )
    if options.one("consistency").settings.get("annealing", "none") != "none":
        raise _refused(
            "the annealing of --consistency takes the mean of the photos that stay in a whole batch",
            "train without torchrun, or leave the annealing out",
        )
    if (smallest := _smallest(photos, options.batch_size)) < world:
        enough = next((size for size in range(world, photos + 1) if _smallest(photos, size) >= world), None)
        raise _refused(
            f"{photos} photos in batches of {options.batch_size} leave steps of {smallest}",
            "start fewer processes" if enough is None else f"use --batch-size {enough}",
        )
    if options.batch_norm == "synchronised" and options.device != "cuda":
        raise MaskkitError(
            "the batch norm of --model can be synchronised on CUDA alone",
            why=f"torch synchronises batch norm on no {options.device}",
            fix="leave it out; or use a --model without batch norm, such as convnext_atto",
        )


def refuse_unlike(model: nn.Module, team: Alone) -> None:
    """Raise a MaskkitError unless all processes start from one model, by the same libraries."""
    own = {"torch": torch.__version__, "NumPy": np.__version__, "the weights": state_digest(model)[:12]}
    every = team.gather(own)
    for rank, other in enumerate(every):
        unlike = [
            f"{name}: {every[0][name]} and {other[name]}" for name in own if other[name] != every[0][name]
        ]
        if unlike:
            raise MaskkitError(
                f"process {rank + 1} of {team.world}, on host {team.hosts[rank]}, begins with another model",
                why="; ".join(unlike),
                fix="install the same packages on all hosts, and give them the same --weights",
            )


def _smallest(photos: int, batch_size: int) -> int:
    """Return how many photos the smallest batch of so many has."""
    return photos // max(1, batch_count(photos, batch_size))


def _refused(why: str, fix: str) -> MaskkitError:
    return MaskkitError(f"{launch().world} processes cannot compute these steps together", why=why, fix=fix)
