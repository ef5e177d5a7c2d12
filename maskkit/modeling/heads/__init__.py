"""Heads: what stands in the place of a timm model's classifier, and how it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.modeling.ending import only_last_layer
from maskkit.modeling.heads.cosine import Cosine
from maskkit.modeling.heads.numbers import Numbers, Regression, coral, corn, numeric_factors
from maskkit.modeling.heads.parts import Classify, Factors, HeadPart, Joint, Main
from maskkit.modeling.target import Target
from maskkit.options.choices import Choice
from maskkit.options.model_settings import is_plain

PARTS = "parts"  # names in the state of `Heads`
NUMBERS = "numbers"

# From the number of features and the label space to a part that names classes.
MAIN: dict[str, Callable[..., Main]] = {
    "joint": Joint, "factors": Factors, "cosine": Cosine, "arcface": partial(Cosine, margin=0.3),
}  # fmt: skip
# From the number of features and the statistics of numbers to a part that learns numbers.
AUXILIARY: dict[str, Callable[..., HeadPart]] = {"regression": Regression, "coral": coral, "corn": corn}
HEADS: dict[str, Callable[..., HeadPart]] = {**MAIN, **AUXILIARY}

Outputs = Tensor | Mapping[str, Tensor]  # of a model in training: timm's logits (N, C), or outputs by part


class Heads(nn.Module):
    """One or more parts, each of another name, on the same features.

    While training it returns each part's outputs, float (S, N, K) by name (see `HeadPart`). In evaluation
    it returns joint logits, float (N, C): those of its main part, or the mean of several parts' log
    probabilities. Auxiliary parts are left out then; they need the numbers of the rows trained on. These
    are in the state; to load one, give those that `stored_numbers` finds in it, which decide how many
    outputs there are.

    Raises:
        MaskkitError: There is no main part, or no factor that an auxiliary part could learn.
        ValueError: An auxiliary part has not been given numbers.
    """

    numbers: Tensor

    def __init__(
        self, features: int, choices: Sequence[Choice], space: LabelSpace, *, numbers: Numbers | None = None
    ) -> None:
        super().__init__()
        names = [choice.name for choice in choices]
        auxiliary = [name for name in names if name in AUXILIARY]
        if auxiliary == names:
            raise MaskkitError(
                f"--head {'+'.join(names)} cannot answer",
                why="it learns numbers, and no classes",
                fix=f"add one of {', '.join(MAIN)}: --head {'+'.join(['joint', *names])}",
            )
        if auxiliary and not numeric_factors(space):
            raise MaskkitError(
                f"--head {auxiliary[0]} has nothing to learn",
                why="no factor of the label space is cut from a number",
                fix="leave it out, or give a factor `cuts` in the task file",
            )
        if auxiliary and numbers is None:
            raise ValueError(f"the head {auxiliary[0]} needs the numbers of the rows trained on")
        self.parts = nn.ModuleDict()
        for choice in choices:
            known = space if choice.name in MAIN else numbers
            self.parts[choice.name] = HEADS[choice.name](features, known, **choice.settings)
        if numbers is not None and auxiliary:
            self.register_buffer(NUMBERS, numbers.to_tensor())  # (4, M)

    def forward(self, features: Tensor) -> Tensor | dict[str, Tensor]:
        """Return outputs by part while training, else joint logits (N, C), of (N, F) or (N, F, 1, 1)."""
        features = features.flatten(1)
        if self.training:
            return {name: part(features) for name, part in self.parts.items()}
        return _together(
            [part.joint(part(features)[0]) for part in self.parts.values() if isinstance(part, Main)]
        )

    def joint(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return joint logits, (N, C), of outputs while training: as in evaluation, without any margin.

        Of several draws of dropout, they are the mean of the draws' log probabilities.
        """
        mains = {name: part for name, part in self.parts.items() if isinstance(part, Main)}
        return _together(
            [_together([part.joint(draw) for draw in outputs[name]]) for name, part in mains.items()]
        )

    def losses(self, outputs: Mapping[str, Tensor], target: Target, classify: Classify) -> dict[str, Tensor]:
        """Return the losses of each part, float (N,), times the part's weight."""
        parts = cast(Mapping[str, HeadPart], self.parts)
        return {
            name: part.weight * part.losses(outputs[name], target, classify) for name, part in parts.items()
        }


def _together(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean log probabilities of several logits (N, C); a single one as it is."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([each.float().log_softmax(1) for each in logits]).mean(0)


def part_losses(
    heads: Heads | None, outputs: Outputs, target: Target, classify: Classify
) -> dict[str, Tensor]:
    """Return the losses of a model in training, by part, float (N,) each and weighted; their sum is learnt.

    `heads` is that of the model, from `heads_of`; None for timm's own classifier.
    """
    if heads is None:
        return {"joint": classify(cast(Tensor, outputs), target.classes, None, 1.0)}
    return heads.losses(cast(Mapping[str, Tensor], outputs), target, classify)


def joint_logits(heads: Heads | None, outputs: Outputs) -> Tensor:
    """Return the logits of the joint classes, (N, C), of what a model in training returned."""
    return cast(Tensor, outputs) if heads is None else heads.joint(cast(Mapping[str, Tensor], outputs))


def divided(outputs: Outputs, rows: int) -> tuple[Outputs, Outputs]:
    """Divide what a model in training returned into that of the first rows and that of all others."""
    if isinstance(outputs, Tensor):
        return outputs[:rows], outputs[rows:]
    first = {name: output[:, :rows] for name, output in outputs.items()}  # (S, rows, K)
    return first, {name: output[:, rows:] for name, output in outputs.items()}


def heads_of(model: nn.Module) -> Heads | None:
    """Return the `Heads` in a model; None if it has timm's own classifier."""
    return next((module for module in model.modules() if isinstance(module, Heads)), None)


def timm_dropout(choices: Sequence[Choice]) -> float:
    """Return the `drop_rate` to build a timm model with: 0 if `Heads` will drop features itself."""
    return float(choices[0].settings["dropout"]) if is_plain(choices) else 0.0


def attach(
    model: nn.Module,
    choices: Sequence[Choice],
    space: LabelSpace,
    *,
    numbers: Numbers | None = None,
    size: tuple[int, int] | None = None,
) -> nn.Module:
    """Put the chosen parts in the place of a timm model's classifier, unless they are `is_plain`.

    The model was built with `timm_dropout`, and has its weights; it is changed in place, and returned. If the
    height and width of photos are given as `size`, it is looked at what the classifier sees of one.

    Raises:
        MaskkitError: The model does not end in one linear layer on one number per feature; or as `Heads`.
        ValueError: As `Heads`.
    """
    if not is_plain(choices):
        name, layer = only_last_layer(model, size=size)
        heads = Heads(layer.weight.shape[1], choices, space, numbers=numbers)
        model.set_submodule(name, heads.to(layer.weight.device).train(model.training))
        if isinstance(layer, nn.Conv2d):  # what flattens its maps of one pixel has nothing to do any more
            owner = model.get_submodule(name.rpartition(".")[0])
            owner.flatten = nn.Identity()
    return model


def stored_numbers(state: Mapping[str, Tensor]) -> Numbers | None:
    """Return the numbers that the state dict of a model with auxiliary parts holds; None of others."""
    found = [tensor for name, tensor in state.items() if name.split(".")[-1] == NUMBERS and tensor.ndim == 2]
    return Numbers.from_tensor(found[0]) if found else None
