"""Find the state dict of a model in what a file holds: under some keys, its names behind some prefix."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError, examples
from maskkit.modeling.ending import head_names
from maskkit.modeling.state_files import StateFile, pickled_objects
from maskkit.options.train_options import AVERAGED

COUNTER = "num_batches_tracked"  # of batch norm; files of old versions of torch lack it
DEPTH = 3  # of mappings in mappings that are searched
FEWER = 10  # times fewer tensors than the largest mapping has are no state dict
MOST_ADAPTED = 4  # mappings that timm's own filter is tried on
# Words for an average of the weights over the steps of a training.
AVERAGE = re.compile(r"EMA|(?i:averag)|(?i:(?<![a-z])(?:ema|swa|avg|teacher)(?![a-z]))")

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class StateDict:
    """Named tensors in a file, and how many of the names of a model are among them."""

    keys: tuple[str, ...]  # of the mappings that they are in
    prefix: str  # that their names in the file have
    tensors: Tensors  # by their names without it
    outside: tuple[str, ...]  # names beside them that do not have it
    is_average: bool
    fitting: int = 0  # tensors that the model has too, beside its head
    is_adapted: bool = False  # whether timm has renamed or resized them for the model

    @property
    def place(self) -> str:
        """Where it is, such as "under 'state_dict', without the prefix 'model.'"; empty for a bare one."""
        keys = f"under {' > '.join(map(repr, self.keys))}" if self.keys else ""
        prefix = f"without the prefix {self.prefix!r}" if self.prefix else ""
        return ", ".join(filter(None, (keys, prefix)))


@dataclass(frozen=True)
class FoundState:
    """The state dict that was chosen, and what is as complete in the same file."""

    chosen: StateDict
    other: StateDict | None = None  # of the other sort, plain or averaged
    alike: tuple[StateDict, ...] = ()  # of the same sort, which come after it


def find_state(file: StateFile, model: nn.Module, *, word: str | None = None) -> FoundState:
    """Return the tensors that fit most of the model; of several, an average of the weights.

    The word "plain" or "ema" demands the one or the other. If not all fit, what timm's own module of
    the model makes of files by the original authors is tried too.

    Raises:
        MaskkitError: There are no named tensors, or none that the word demands.
    """
    mappings = list(_mappings(file.content))
    if not mappings:
        raise _no_state(file)
    most = max(len(tensors) for _, tensors in mappings)
    head = head_names(model)
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name not in head and not name.endswith(COUNTER)
    }
    found = [
        one
        for keys, tensors in mappings
        if len(tensors) * FEWER >= most  # an optimizer has a few tensors in each of very many mappings
        for one in _candidates(keys, tensors, wanted)
    ]
    asked = [one for one in found if word is None or one.is_average == (word == AVERAGED)]
    if not asked:
        raise _none_of_the_word(file.path, word)
    best = max(one.fitting for one in asked)
    if best < len(wanted):
        tried = sorted(asked, key=lambda one: -len(one.tensors))[:MOST_ADAPTED]
        adapted = [one for state in tried for one in _adapted(state, model, wanted)]
        asked += adapted  # behind those as they are, which go first where they fit as well
        found += adapted
        best = max(one.fitting for one in asked)
    if best * 2 < len(wanted):  # too few for a prefix to be known by them
        asked = [one for one in asked if not one.is_adapted]
        return FoundState(max(asked, key=lambda one: (len(one.tensors), len(one.prefix))))
    equal = [one for one in asked if one.fitting == best]
    chosen = next((one for one in equal if one.is_average), equal[0])
    others = (one for one in found if one.fitting == best and one.is_average != chosen.is_average)
    alike = (one for one in equal if one.is_average == chosen.is_average and not one.is_adapted)
    return FoundState(chosen, next(others, None), tuple(one for one in alike if one is not chosen))


def _mappings(content: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensors]]:
    """Yield each mapping that has named tensors, the outer ones first."""
    if not isinstance(content, Mapping):
        return
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided
    }
    if tensors:
        yield keys, tensors
    if len(keys) < DEPTH:
        for name, value in content.items():
            yield from _mappings(value, (*keys, str(name)))


def _candidates(keys: tuple[str, ...], tensors: Tensors, wanted: Tensors) -> Iterator[StateDict]:
    """Yield the tensors without each prefix behind which a name of the model is; and at least without one."""
    prefixes: Counter[str] = Counter()
    for name, tensor in tensors.items():
        for at in (0, *(match.end() for match in re.finditer(r"\.", name))):
            if _fits(name[at:], tensor, wanted):
                prefixes[name[:at]] += 1
    levels = zip(*(name.split(".")[:-1] for name in tensors), strict=False)
    shared = "".join(f"{parts[0]}." for parts in takewhile(lambda parts: len(set(parts)) == 1, levels))
    for prefix in dict.fromkeys([*(each for each, _ in prefixes.most_common(3)), "", shared]):
        inside = {name[len(prefix) :]: tensors[name] for name in tensors if name.startswith(prefix)}
        outside = tuple(name for name in tensors if not name.startswith(prefix))
        says = any(AVERAGE.search(text) for text in (*keys, prefix)) or "n_averaged" in tensors
        yield StateDict(keys, prefix, inside, outside, says, prefixes[prefix])


def _fits(name: str, tensor: Tensor, wanted: Tensors) -> bool:
    return name in wanted and tensor.shape == wanted[name].shape


def _adapted(state: StateDict, model: nn.Module, wanted: Tensors) -> Iterator[StateDict]:
    """Yield what timm makes of names and shapes in a file by the model's original authors, if anything."""
    adapt: Any = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if adapt is None:
        return
    try:
        tensors = dict(adapt(dict(state.tensors), model))
    except Exception:  # it was written for files that this is none of
        return
    fitting = sum(_fits(name, tensor, wanted) for name, tensor in tensors.items())
    yield replace(state, tensors=tensors, fitting=fitting, is_adapted=True)


def _no_state(file: StateFile) -> MaskkitError:
    content = file.content
    found = f"a {type(content).__name__} without named tensors"
    if isinstance(content, Mapping) and content:
        found = f"entries that are not named tensors: {examples(content)}"
    fix = "save model.state_dict() alone"
    if objects := list(dict.fromkeys(pickled_objects(content))):
        found = f"pickled objects, which are not read: {examples(objects)}"
        fix = "where you trust the file, unpickle it yourself, and save the model's state_dict() alone"
    return MaskkitError(
        f"cannot read weights from {file.path}", why=f"expected a state dict; found {found}", fix=fix
    )


def _none_of_the_word(path: Path, word: str | None) -> MaskkitError:
    lacks = "average of the weights" if word == AVERAGED else "plain weights, only an average of them"
    return MaskkitError(
        f"{path} has no {lacks}",
        why="an average is what an entry or a prefix calls ema, swa, average or teacher",
        fix=f"give {path} without :{word}",
    )
