"""From a checkpoint back to the model it holds."""

from __future__ import annotations

from torch import nn

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build


def restore(checkpoint: Checkpoint) -> nn.Module:
    """Build the model that a checkpoint names and load its weights.

    Raises:
        MaskkitError: The weights do not fit the model, as when timm has changed it since.
    """
    model = build(checkpoint.model, classes=len(checkpoint.space))
    try:
        model.load_state_dict(checkpoint.weights())
    except RuntimeError as error:
        raise MaskkitError(
            f"{checkpoint.name} does not fit timm's {checkpoint.model}",
            why=str(error).splitlines()[-1].strip(),
            fix="install the version of timm that it was trained with",
        ) from error
    return model
