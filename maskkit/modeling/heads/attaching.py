"""A head in the place of a timm model's classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.modeling.heads.heads import NUMBERS, Heads
from maskkit.modeling.heads.numbers import Numbers
from maskkit.options.choices import Choice


def heads_of(model: nn.Module) -> Heads | None:
    """Return the `Heads` in a model; None if it has timm's own classifier."""
    return next((module for module in model.modules() if isinstance(module, Heads)), None)


def is_plain(choices: Sequence[Choice]) -> bool:
    """Whether timm's own classifier is what was chosen: one layer, and dropout drawn once."""
    if [choice.name for choice in choices] != ["joint"]:
        return False
    return choices[0].settings["hidden"] == 0 and choices[0].settings["samples"] == 1


def timm_dropout(choices: Sequence[Choice]) -> float:
    """Return the `drop_rate` to build a timm model with: 0 if `Heads` will drop features itself."""
    return float(choices[0].settings["dropout"]) if is_plain(choices) else 0.0


def attach(
    model: nn.Module, choices: Sequence[Choice], space: LabelSpace, *, numbers: Numbers | None = None
) -> nn.Module:
    """Put the chosen parts in the place of a timm model's classifier.

    The plain default, `joint` without hidden layer and samples, leaves timm's own classifier.

    Args:
        model: Built with `timm_dropout`, and with its weights loaded; it is changed in place.
        choices: The parts, each name once.
        space: The label space.
        numbers: Of the rows trained on, for auxiliary parts.

    Returns:
        The same model.

    Raises:
        MaskkitError: The classifier is not one linear layer; or as `Heads`.
        ValueError: As `Heads`.
    """
    if not is_plain(choices):
        path, classifier = _linear_classifier(model)
        heads = Heads(classifier.in_features, choices, space, numbers=numbers)
        model.set_submodule(path, heads.to(classifier.weight.device).train(model.training))
    return model


def stored_numbers(state: Mapping[str, Tensor]) -> Numbers | None:
    """Return the numbers that the state dict of a model with auxiliary parts holds; None of others."""
    return next(
        (
            Numbers.from_tensor(tensor)
            for name, tensor in state.items()
            if name.rpartition(".")[2] == NUMBERS and tensor.ndim == 2
        ),
        None,
    )


def _linear_classifier(model: nn.Module) -> tuple[str, nn.Linear]:
    """Return the name and the layer of a classifier, if it is one linear layer."""
    config = model.pretrained_cfg  # timm adds it to nn.Module
    path = config.get("classifier")  # type: ignore[union-attr, operator]
    found = model.get_classifier() if hasattr(model, "get_classifier") else None  # type: ignore[operator]
    if isinstance(path, str) and not isinstance(found, tuple | nn.ModuleList):
        classifier = model.get_submodule(path)
        if isinstance(classifier, nn.Linear):
            return path, classifier
        why = f"its classifier is a {type(classifier).__name__}, not a linear layer on pooled features"
    else:
        why = "it has several classifiers" if path else "timm names no classifier of it"
    raise MaskkitError(
        f"{config['architecture']} cannot have another head",  # type: ignore[index]
        why=why,
        fix="use --head joint without `hidden` and `samples`, or choose another --model",
    )
