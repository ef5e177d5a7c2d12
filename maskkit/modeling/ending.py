"""Where a timm model ends: the layer, or layers, whose outputs are the logits.

timm's `get_classifier` returns what is exchanged with the number of classes, which can be more: a whole
perceptron (MetaFormer), or a batch norm and the layer behind it (LeViT, RepViT). All but the last layer of
that is as pretrained as the backbone is, and counts as part of it here.
"""

from __future__ import annotations

import inspect

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.trying import without_trace


def last_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers that give the logits, by their names: those that timm's configuration names.

    Distilled models and some with several scales have more than one, and `Heads` count as one. A model
    without a configuration ends in the whole of its classifier; one that only encodes, in nothing.
    """
    of_timm = getattr(model, "get_classifier", None)
    classifier = None if of_timm is None else of_timm()
    parts = classifier if isinstance(classifier, tuple) else (classifier,)
    parts = tuple(part for part in parts if isinstance(part, nn.Module))
    named = (getattr(model, "pretrained_cfg", None) or {}).get("classifier") or ()
    names = [named] if isinstance(named, str) else list(named)
    modules = dict(model.named_modules()) if parts else {}
    # The second of a model that was built without distillation is named, and not there.
    found = {name: modules[name] for name in names if name in modules}
    for part in parts:
        inside = {id(module) for module in part.modules()}
        if not inside & {id(layer) for layer in found.values()}:  # or the other way round
            layer = _last_linear(part) if names else part
            found[_place_of(model, layer)] = layer
    return found


def only_last_layer(
    model: nn.Module, *, size: tuple[int, int] | None = None
) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Return the name and the layer that alone gives the logits, from one number per feature.

    A convolution of 1x1 is one too, for features (N, F, 1, 1). With the height and width of photos as `size`,
    one is shown to see that the layer is not given more, such as a whole map.

    Raises:
        MaskkitError: The model ends otherwise; the error says how.
    """
    found = last_layers(model)
    why = f"it has {len(found)} classifiers, {' and '.join(found)}" if found else "it has no classifier"
    if len(found) == 1:
        ((name, layer),) = found.items()
        if isinstance(layer, nn.Linear | nn.Conv2d):
            width = layer.weight.shape[1]
            seen = [] if size is None else _given_to(layer, model, size)
            if size is None or seen in ([(1, width)], [(1, width, 1, 1)]):
                return name, layer
            shapes = " and ".join("x".join(map(str, shape)) for shape in seen) or "nothing"
            why = f"of one photo its classifier {name} is given {shapes}, and not 1x{width}"
        else:
            why = f"its classifier is a {type(layer).__name__}, not a linear layer on pooled features"
    raise MaskkitError(
        f"{model_name(model)} cannot have another head",
        why=why,
        fix=f"use --head joint without `hidden` and `samples`, or {another_model(model)}",
    )


def another_model(model: nn.Module) -> str:
    """Say how to have a model that ends in one layer, for the `fix` of an error."""
    if "distillation" in inspect.signature(type(model).__init__).parameters and len(last_layers(model)) > 1:
        return f"leave its second classifier out: --model {model_name(model)}:distillation=false"
    return "choose another --model"


def head_names(model: nn.Module) -> list[str]:
    """Name the parameters of the layer, or layers, that give the logits."""
    in_head = {id(parameter) for layer in last_layers(model).values() for parameter in layer.parameters()}
    return [name for name, parameter in model.named_parameters() if id(parameter) in in_head]


def backbone_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict without the layers that give the logits, and without their buffers."""
    in_head = {
        id(tensor)
        for layer in last_layers(model).values()
        for tensor in layer.state_dict(keep_vars=True).values()
    }
    state = model.state_dict(keep_vars=True)
    return {name: tensor.detach() for name, tensor in state.items() if id(tensor) not in in_head}


def begin_at_zero(model: nn.Module) -> None:
    """Set the layers that give the logits to zeros, in place: all classes are equally likely at first.

    As in BiT, Kolesnikov et al. 2020, https://arxiv.org/abs/1912.11370. timm's first weights suit 1,000
    classes; for 18 some of its models begin with a loss of 4 to 10 nats instead of log(18) = 2.9, and what
    flows back from there spoils the pretrained weights.
    """
    for layer in last_layers(model).values():
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)


def model_name(model: nn.Module) -> str:
    """Return the timm name that `model` was built by, without its tag."""
    return str((getattr(model, "pretrained_cfg", None) or {}).get("architecture") or type(model).__name__)


def _last_linear(part: nn.Module) -> nn.Module:
    linear = [module for module in part.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return linear[-1] if linear else part


def _place_of(model: nn.Module, wanted: nn.Module) -> str:
    name: str = next(name for name, module in model.named_modules() if module is wanted)
    return name


def _given_to(layer: nn.Module, model: nn.Module, size: tuple[int, int]) -> list[tuple[int, ...]]:
    """Return the shapes of what a layer is given of one photo, at each call."""
    shapes: list[tuple[int, ...]] = []
    hook = layer.register_forward_pre_hook(lambda _, given: shapes.append(tuple(given[0].shape)))
    with without_trace(model) as call:
        model.eval()
        call(torch.zeros(1, 3, *size, device=next(model.parameters()).device))
    hook.remove()
    return shapes
