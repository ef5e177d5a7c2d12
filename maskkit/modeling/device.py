"""Where to compute."""

from __future__ import annotations

import torch

from maskkit.errors import MaskkitError
from maskkit.options.train_options import Device


def resolve_device(choice: Device) -> torch.device:
    """Return the device asked for, or for `auto` the fastest there is.

    Raises:
        MaskkitError: The device asked for is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, is_there in present.items() if is_there))
    if not present[choice]:
        raise MaskkitError(
            f"there is no {choice} device",
            why=f"this machine and this build of torch have {', '.join(n for n in present if present[n])}",
            fix="use --device auto",
        )
    return torch.device(choice)
