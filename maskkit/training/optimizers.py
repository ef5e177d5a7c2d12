"""What turns gradients into steps: AdamW and SGD of torch, and every optimizer of timm by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
from timm.optim import (  # type: ignore[attr-defined]  # it does not say what it exports
    create_optimizer_v2,
    get_optimizer_info,
    list_optimizers,
)
from torch import nn

from maskkit.errors import MaskkitError, nearest
from maskkit.modeling.backbone import parameter_groups
from maskkit.options.choices import Choice
from maskkit.options.techniques import Stepping

Groups = list[dict[str, Any]]


def build_optimizer(model: nn.Module, choice: Choice, learning_rate: float) -> torch.optim.Optimizer:
    """Build the chosen optimizer for the parameters of a timm model that require a gradient.

    The model is where and how it will be trained. `learning_rate` is the highest of the backbone; the
    optimizer keeps it as `defaults["lr"]`.

    Raises:
        MaskkitError: There is no such optimizer, it cannot work here, or the model does not name the layers
            that `layer_decay` needs.
    """
    check_optimizer(choice.name)
    how = choice.part(Stepping)
    groups = parameter_groups(
        model, learning_rate=learning_rate, head=how.head, weight_decay=how.weight_decay,
        layer_decay=how.layer_decay,
    )  # fmt: skip
    build = OPTIMIZERS.get(choice.name) or partial(_of_timm, choice.name)
    return build(groups, learning_rate, **choice.beside(Stepping))


def check_optimizer(name: str) -> None:
    """Raise a MaskkitError of a name that is no optimizer, or of one that cannot work here."""
    names = optimizer_names()
    if name not in names:
        raise MaskkitError(
            f"unknown optimizer: {name!r}",
            why=f"it is neither {' nor '.join(OPTIMIZERS)}, nor among the others of timm {timm.__version__}",
            fix=nearest(name, names, all_by="`maskkit train --optimizer list` names most"),
        )
    if get_optimizer_info(name).second_order:
        raise MaskkitError(
            f"cannot train with {name}",
            why="it needs second derivatives, which the training does not compute",
            fix="use adamw, or another optimizer of first derivatives",
        )


def optimizer_names() -> list[str]:
    """Name every optimizer, ours first."""
    return [*OPTIMIZERS, *(str(name) for name in list_optimizers() if name not in OPTIMIZERS)]


def _adamw(groups: Groups, learning_rate: float) -> torch.optim.Optimizer:
    """AdamW, from Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101."""
    # Fused: one pass over the weights, on every kind of device.
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


def _sgd(
    groups: Groups, learning_rate: float, *, momentum: float = 0.9, nesterov: bool = True
) -> torch.optim.Optimizer:
    """SGD, with the momentum of Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html."""
    looks_ahead = nesterov and momentum > 0  # without momentum there is nothing ahead, and torch refuses
    return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, nesterov=looks_ahead, fused=True)


def _of_timm(name: str, groups: Groups, learning_rate: float) -> torch.optim.Optimizer:
    try:
        return create_optimizer_v2(groups, name, lr=learning_rate)
    except (ImportError, AssertionError) as error:  # asserted: that there is a CUDA device
        raise MaskkitError(
            f"the optimizer {name} cannot work here",
            why=str(error),
            fix="use one that torch alone computes, such as adamw",
        ) from error


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adamw": _adamw, "sgd": _sgd}
