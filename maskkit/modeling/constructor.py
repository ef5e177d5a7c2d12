"""What the constructor of a timm model takes, read from its signature, and values in the types it wants."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from math import isfinite
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import timm
import torch
from torch import nn

from maskkit.errors import MaskkitError, nearest
from maskkit.modeling.backbone import check_name
from maskkit.options.choices import Value, text_of
from maskkit.options.model_settings import FOLLOWS, settings_text

IMG_SIZE: Final = "img_size"
Typed = bool | int | float | str | list[int] | list[float]  # as JSON keeps it

# Texts that timm takes without a complaint whatever they are, and what they can be.
_TEXTS: Final[Mapping[str, tuple[Any, ...]]] = {"pad_type": (Literal["", "same", "valid", "symmetric"],)}
# What timm's builder of EfficientNets and their like takes beside the constructor.
_OF_THE_BUILDER: Final = {"bn_eps": float, "bn_momentum": float}
_PLAIN: Final = (bool, int, float, str)
_NAMES: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class ConstructorParameter:
    """What a constructor takes by one name."""

    kinds: tuple[Any, ...]  # of types that can be written: plain ones, Literals, tuples; none if it cannot be
    default: Any  # None also where there is none

    def read(self, value: Value) -> Typed:
        """Return the value in the first type that it fits; raise a ValueError with what it has to be."""
        for kind in self.kinds:
            with suppress(ValueError):
                return _read(value, kind)
        raise ValueError(" or ".join(dict.fromkeys(map(_name, self.kinds))))


def typed(name: str, given: Mapping[str, Value]) -> dict[str, Typed]:
    """Return settings of a timm model's constructor as it takes them; a size is a list of height and width.

    Raises:
        MaskkitError: There is no such model, or its constructor does not take them.
    """
    if not given:
        return {}
    known = parameters(name)
    return {key: _typed(name, key, value, known) for key, value in given.items()}


def parameters(name: str) -> dict[str, ConstructorParameter]:
    """Return what a timm model's constructor takes, by name, but for what follows from other options.

    Raises:
        MaskkitError: There is no such model.
    """
    check_name(name)
    with torch.device("meta"):  # no memory, and no time: of interest is the class alone
        kind = type(timm.create_model(name))
    found = {key: hint for key, hint in _hints(kind).items() if key not in FOLLOWS}
    return {key: ConstructorParameter(_kinds(key, *found[key]), found[key][1]) for key in found}


def _typed(name: str, key: str, value: Value, known: Mapping[str, ConstructorParameter]) -> Typed:
    written = text_of(value)
    if key not in known:
        fix = nearest(key, (name for name, parameter in known.items() if parameter.kinds))
        if key == IMG_SIZE:
            fix = "leave it out: this model is made for no size, and --size alone says how large photos are"
        raise MaskkitError(
            f"--model {name} has no setting {key!r}",
            why="it has pool and drop_path, and what its constructor in timm takes",
            fix=fix,
        )
    if not known[key].kinds:
        raise MaskkitError(
            f"--model {name} cannot be given {key}",
            why="its constructor takes a Python object there, which cannot be written",
            fix="leave it out",
        )
    try:
        return known[key].read(value)
    except ValueError as error:
        default = known[key].default
        example = isinstance(default, (*_PLAIN, tuple)) and f"{name}:{settings_text({key: default})}"
        raise MaskkitError(
            f"--model {name} has {key}={written}",
            why=f"{key} is {error}",
            fix=f"leave it out, or write one, such as {example}" if example else "write one, or leave it out",
        ) from error


def _hints(kind: type[nn.Module]) -> dict[str, tuple[Any, Any]]:
    """Return annotation and default by the name of each parameter; of bases too, where they are passed on."""
    found: dict[str, tuple[Any, Any]] = {}
    for base in kind.__mro__:
        if base is nn.Module:
            break
        if (constructor := vars(base).get("__init__")) is None:
            continue
        own, hints = inspect.signature(constructor).parameters, get_type_hints(constructor)
        for key, parameter in own.items():
            if key != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                default = None if parameter.default is parameter.empty else parameter.default
                found.setdefault(key, (hints.get(key, type(default)), default))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values()):
            break
        if is_dataclass(hints.get("cfg")):  # further arguments replace its fields
            inner = get_type_hints(hints["cfg"])
            found |= {
                one.name: (inner[one.name], None) for one in fields(hints["cfg"]) if one.name not in found
            }
            break
    if hasattr(sys.modules[kind.__module__], "resolve_bn_args"):
        found |= {key: (hint, None) for key, hint in _OF_THE_BUILDER.items()}
    return found


def _kinds(key: str, hint: Any, default: Any) -> tuple[Any, ...]:
    """Return the types that a value can be written for, of an annotation."""
    if key in _TEXTS:
        return _TEXTS[key]
    if key == IMG_SIZE:
        return (int, tuple[int, int])
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for part in get_args(hint) for kind in _kinds(key, part, default))
    if hint is NoneType or hint is inspect.Parameter.empty:
        return ()
    if hint in _PLAIN or get_origin(hint) is Literal:
        return (hint,)
    parts = [part for part in get_args(hint) if part is not Ellipsis]
    is_list = isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Sequence)
    if is_list and parts and all(part in (int, float) for part in parts):
        is_tuple = get_origin(hint) is tuple
        return (hint if is_tuple else GenericAlias(tuple, (parts[0], ...)),)
    return ()


def _read(value: Value, kind: Any) -> Typed:
    """Return a value as this type; raise a ValueError if it is none."""
    text = text_of(value)
    if kind is str or (get_origin(kind) is Literal and text in get_args(kind)):
        return text
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is tuple:
        part, *others = get_args(kind)
        numbers = [part(one) for one in text.split("x")]
        if (others[-1] is Ellipsis or len(numbers) == len(get_args(kind))) and all(map(isfinite, numbers)):
            return numbers
    raise ValueError(_name(kind))


def _name(kind: Any) -> str:
    """Say what a value of a type is."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(text or "nothing at all" for text in get_args(kind))
    if get_origin(kind) is tuple:
        part, *others = get_args(kind)
        several = "several" if others[-1] is Ellipsis else str(len(get_args(kind)))
        return f"{several} {'whole ' if part is int else ''}numbers with x between them"
    return _NAMES[kind]
