"""The plain mean of the weights of several models, and which models have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import same_space
from maskkit.errors import MaskkitError

State = Mapping[str, Tensor]

# What weights mean nothing without, by what errors call it.
SAME = {
    "model": "models of timm",
    "pool": "poolings",
    "model_settings": "settings of the model",
    "heads": "heads",
    "preprocess": "preprocessings of photos",
}


def check_alike(models: Sequence[Checkpoint]) -> None:
    """Raise a MaskkitError unless the weights of these models are of one network for the same photos."""
    first = models[0]
    for other in models[1:]:
        same_space(first.space, other.space, names=(first.name, other.name))
        for name, words in SAME.items():
            ours, theirs = getattr(first, name), getattr(other, name)
            if ours != theirs:
                raise MaskkitError(
                    f"{first.name} and {other.name} have different {words}",
                    why=f"{_shown(ours)} against {_shown(theirs)}: a mean of their weights is no model",
                    fix="give models of the same --model, --head and --size; they may differ in seed, rates, "
                    "losses and augmentation",
                )


def mean_weights(models: Sequence[Checkpoint]) -> dict[str, Tensor]:
    """Return the mean of each weight, in its own type; of counters, which have none, the first one's.

    Statistics of batch norm are weights like others here. In an average they are not those of what the
    network computes, and should be measured.

    Raises:
        MaskkitError: One has other weights than the first.
    """
    sums: dict[str, Tensor] = {}
    first: State = {}
    for model in models:
        state = model.weights()
        if not sums:
            first, sums = state, {name: tensor.double() for name, tensor in state.items()}
            continue
        if {name: tensor.shape for name, tensor in state.items()} != {
            name: tensor.shape for name, tensor in first.items()
        }:
            raise MaskkitError(
                f"{models[0].name} and {model.name} have different weights",
                why="they differ in names or shapes, as of different versions of timm",
                fix="train both with the same version",
            )
        for name, tensor in state.items():
            sums[name] += tensor
    return {
        name: (sums[name] / len(models)).to(tensor.dtype) if tensor.is_floating_point() else tensor.clone()
        for name, tensor in first.items()
    }


def has_batch_norm(model: torch.nn.Module) -> bool:
    """Whether a model normalises by statistics that it keeps."""
    kinds = torch.nn.modules.batchnorm._BatchNorm
    return any(isinstance(module, kinds) and module.track_running_stats for module in model.modules())


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
