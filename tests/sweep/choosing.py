"""Which of timm's models stand for all: of every module the smallest, and those least like it."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import timm
import torch
from timm.models._registry import _model_to_module  # the public list has no module per model

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build

LARGEST = 100_000_000  # weights: training takes 16 bytes each, and two models at a time share a machine
AT_LEAST = 210  # models


@dataclass(frozen=True)
class Candidate:
    """One of timm's models, built without memory for its weights."""

    name: str
    module: str
    weights: int
    layers: frozenset[str]  # the types of its layers


def candidates() -> tuple[list[Candidate], dict[str, str]]:
    """Return all models that can name classes, and why the others cannot, by name."""
    found, refused = [], {}
    for name in timm.list_models():
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = build(name, classes=18)
        except MaskkitError as error:
            refused[name] = error.why
            continue
        layers = frozenset(type(one).__name__ for one in model.modules())
        weights = sum(one.numel() for one in model.parameters())
        found.append(Candidate(name, _model_to_module[name], weights, layers))
    return found, refused


def chosen(all_of_them: Sequence[Candidate]) -> tuple[list[Candidate], list[str]]:
    """Return the models to try, and the modules of which all models are too large."""
    by_module: Mapping[str, list[Candidate]] = defaultdict(list)
    for one in sorted(all_of_them, key=lambda one: (one.weights, one.name)):
        by_module[one.module].append(one)
    small = {
        module: kept
        for module, each in sorted(by_module.items())
        if (kept := [one for one in each if one.weights <= LARGEST])
    }
    taken = {module: [each[0]] for module, each in small.items()}
    for rounds in range(1, 20):
        for module, each in small.items():
            if rounds > 1 and sum(map(len, taken.values())) >= AT_LEAST:
                break
            if odd := _least_alike([one for one in each if one not in taken[module]], taken[module]):
                taken[module].append(odd)
    return [one for each in taken.values() for one in each], sorted(set(by_module) - set(small))


def _least_alike(others: Sequence[Candidate], taken: Sequence[Candidate]) -> Candidate | None:
    """Return the one whose layers differ most from those of all taken; of equals the smallest."""

    def likeness(one: Candidate) -> float:
        return max(len(one.layers & each.layers) / len(one.layers | each.layers) for each in taken)

    return min(others, key=lambda one: (round(likeness(one), 2), one.weights), default=None)
