"""Why weights do not fit a model, in groups, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial

import msgspec
import timm
from safetensors import safe_open
from torch import Tensor, nn

from maskkit.artifacts.header import KEY, damaged_header
from maskkit.errors import MaskkitError, examples
from maskkit.modeling.ending import model_name
from maskkit.modeling.state_files import StateFile
from maskkit.typed_json import decoded

FEW = 3  # tensors that are named one by one
MOST = 0.8  # of the names, with which weights are of that model or a variant of it
NAMING = ("arch", "architecture", "model_name")  # keys under which files say what they are of


def misfit(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    *,
    file: StateFile,
    model: nn.Module,
    fix: str | None = None,
) -> MaskkitError | None:
    """Return why weights do not fit: a tensor is missing, or too many, or of another shape or type.

    `fix` is what to do about it, where more is known of the weights than the file says.
    """
    both = [name for name in expected if name in state]
    misfits = {
        "missing": [
            name for name in expected if name not in state and not name.endswith("num_batches_tracked")
        ],
        # safetensors lists names in another order each time.
        "unexpected": sorted(name for name in state if name not in expected),
        "of another shape": [
            f"{name} {tuple(state[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in both
            if state[name].shape != expected[name].shape
        ],
        "of another type": [
            f"{name} {str(state[name].dtype)[6:]} instead of {str(expected[name].dtype)[6:]}"
            for name in both
            if state[name].is_floating_point() != expected[name].is_floating_point()
        ],
    }
    if not any(misfits.values()):
        return None
    why = "; ".join(f"{len(names)} {kind}: {_grouped(names)}" for kind, names in misfits.items() if names)
    name, theirs = model_name(model), architecture_in(file)
    if theirs is not None and theirs != name:
        why += f"; the file names the architecture {theirs}"
    return MaskkitError(
        f"the weights {file.path} do not fit the model {name}",
        why=why,
        fix=fix or _fix(name, theirs, misfits, share=len(both) / max(1, len(expected))),
    )


def _fix(name: str, theirs: str | None, misfits: Mapping[str, list[str]], *, share: float) -> str:
    if theirs is not None and theirs != name and timm.is_model(theirs):
        return f"use --model {theirs}"
    if misfits["of another type"]:
        return "give weights that are not quantised"
    if theirs == name or share > MOST:
        return f"save all of model.state_dict() of timm's {name}, or choose its --model if it is a variant"
    if share:
        return "choose the --model that they were saved from, which the file does not name"
    return "choose the --model that they were saved from; or rename the tensors as timm names them"


def architecture_in(file: StateFile) -> str | None:
    """Return the architecture that a checkpoint names, timm's or maskkit's own, without a tag of weights."""
    named: object = None
    if file.kind == "safetensors":
        with safe_open(file.path, "pt") as opened:
            header = (opened.metadata() or {}).get(KEY)
        named = None if header is None else _named_in(header)
    elif isinstance(file.content, Mapping):
        named = next((file.content[key] for key in NAMING if key in file.content), None)
    return named.partition(".")[0] if isinstance(named, str) and named else None


class _StoredModel(msgspec.Struct):
    """What is looked at of the JSON in maskkit's own checkpoints."""

    model: str | None = None


def _named_in(header: str) -> str | None:
    try:
        return decoded(header, _StoredModel, partial(damaged_header, "the file")).model
    except MaskkitError:  # what does not fit is explained without it
        return None


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _grouped(names: list[str]) -> str:
    """Name a few tensors; count many by the first two parts of their names, or by the first one alone."""
    if len(names) <= FEW:
        return examples(names)
    groups = Counter(".".join(name.split(" ")[0].split(".")[:-1][:2]) or name for name in names)
    if len(groups) > 2 * FEW:
        groups = Counter(name.split(".")[0] for name in names)
    counted = [f"{group} ({count})" for group, count in sorted(groups.items(), key=_most_first)]
    return f"{examples(counted)}, such as {names[0]}"
