"""From a checkpoint back to the model it holds."""

from __future__ import annotations

from torch import nn

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.choices import parse_sum
from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.heads import attach, stored_numbers
from maskkit.techniques import HEADS


def restore(checkpoint: Checkpoint) -> nn.Module:
    """Build the model that a checkpoint names, with its pooling and its heads, and load its weights.

    Raises:
        MaskkitError: The weights do not fit the model, as when timm has changed it since.
    """
    weights = checkpoint.weights()
    model = build(checkpoint.model, classes=len(checkpoint.space), pool=checkpoint.pool)
    heads = parse_sum("+".join(checkpoint.heads), HEADS, option="the checkpoint's head")
    try:
        attach(model, heads, checkpoint.space, numbers=stored_numbers(weights))
        model.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        raise MaskkitError(
            f"{checkpoint.name} does not fit timm's {checkpoint.model}",
            why=str(error).splitlines()[-1].strip(),
            fix="install the version of timm that it was trained with",
        ) from error
    return model
