"""Which parts of a model learn in which epoch."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import layer_numbers
from maskkit.modeling.ending import head_names
from maskkit.options.choices import Choice


# Each plan returns the first epoch, from 1, in which each parameter learns.
def at_once(model: nn.Module, _epochs: int = 0) -> dict[str, int]:
    """Let everything learn from the first epoch on."""
    return dict.fromkeys(dict(model.named_parameters()), 1)


def phase(model: nn.Module, epochs: int) -> dict[str, int]:
    """Let the head learn alone for some epochs, so that its noise does not spoil a pretrained backbone."""
    return dict.fromkeys(dict(model.named_parameters()), epochs + 1) | dict.fromkeys(head_names(model), 1)


def gradual(model: nn.Module, epochs: int) -> dict[str, int]:
    """Let the head learn first, and after every `epochs` epochs one more stage, from the top down.

    "Gradual unfreezing" of Howard & Ruder 2018, section 3.3, https://arxiv.org/abs/1801.06146. The stages are
    timm's.
    """
    fix = "use --freeze phase, which needs no layers, or choose another model"
    number = layer_numbers(model, coarse=True, fix=fix)
    top = max(number.values())
    return {name: 1 + epochs * (top - stage) for name, stage in number.items()}


class Unfreezing:
    """Lets more of a model learn from epoch to epoch, as chosen.

    What is frozen gets no gradient, so that no optimizer moves it, neither by momentum nor by weight decay;
    and it is in evaluation mode, so that its batch norm keeps its statistics and its dropout is off. Nothing
    of the timm model is changed before the first epoch, and what requires no gradient by now never will. The
    plan is one of `FREEZES`.

    Raises:
        MaskkitError: So few epochs that a part would never learn, or the model does not name its stages.
    """

    def __init__(self, model: nn.Module, choice: Choice, *, epochs: int) -> None:
        plan = FREEZES[choice.name](model, **choice.settings)
        learnable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.model = model
        self.begins = {name: begin for name, begin in plan.items() if name in learnable}
        last = max(self.begins.values(), default=1)
        if last > epochs:
            raise MaskkitError(
                f"--freeze {choice} is not done after {epochs} epochs",
                why=f"all of {type(model).__name__} learns from epoch {last} on",
                fix=f"use --epochs {last} or more, or unfreeze sooner",
            )

    def begin_epoch(self, number: int) -> None:
        """Freeze and unfreeze for an epoch, counted from 1; those before do not matter.

        Call it after `model.train()`, since it puts what is frozen into evaluation mode again.
        """
        learning = {name for name, begin in self.begins.items() if begin <= number}
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in learning)
            if name not in learning:
                parameter.grad = None
        if len(learning) < len(self.begins):
            _put_to_rest(self.model, learning)


def _put_to_rest(model: nn.Module, learning: set[str]) -> None:
    """Put into evaluation mode each module whose parameters are all frozen.

    A module without parameters goes with what it is part of: the dropout between frozen blocks rests, the one
    before the head does not.
    """
    awake = {""}
    for parts in (name.split(".") for name in learning):
        awake.update(".".join(parts[:depth]) for depth in range(len(parts)))
    for name, module in model.named_modules():  # parents first
        has_parameters = next(module.parameters(), None) is not None
        if name not in awake and not has_parameters and name.rpartition(".")[0] in awake:
            awake.add(name)
        module.training = module.training and name in awake


FREEZES: dict[str, Callable[..., dict[str, int]]] = {
    "none": at_once,
    "all": at_once,  # what learns is a head of its own by then, which has nothing to freeze
    "phase": phase,
    "gradual": gradual,
}
