"""Values of Python that the command line would refuse as usage are refused by the same declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal, get_args, get_origin

from maskkit.cli import UsageError
from maskkit.cli.shell.outputs import values_for
from maskkit.cli.shell.parameters import Excludes, Needs, Parameter, Required
from maskkit.errors import MaskkitError
from maskkit.options.fields import Between, Refusing


def refuse(name: str, given: Mapping[str, Any]) -> None:
    """Raise of values that mean nothing what the command raises of them, by its own declaration.

    Raises:
        MaskkitError: A value is none of those allowed, or contradicts another.
    """
    command: Any = getattr(import_module(f"maskkit.cli.{name}"), name)
    declared: dict[str, Parameter] = {item.name: item for item in command.parameters}
    values = {**{item.name: item.default for item in declared.values()}, **given}
    for item in declared.values():
        if item.name in given and _is_given(values[item.name], item.default):
            _refuse_value(item, values[item.name])
            _refuse_contradiction(item, values, declared)
        elif item.name in given:
            _refuse_missing(item, values, declared)
    try:
        for check in command.checks:
            check(**values_for(check, values))
    except UsageError as error:
        raise MaskkitError(
            str(error.message),
            why=f"so `maskkit {name}` refuses it, of which this is the function",
            fix=f"see `maskkit {name} --help`, whose options these are",
        ) from error


def _refuse_missing(item: Parameter, values: Mapping[str, Any], declared: Mapping[str, Parameter]) -> None:
    required = item.note(Required)
    others = required.unless if required is not None else ()
    if required and not any(_is_given(values[name], declared[name].default) for name in others):
        raise MaskkitError(
            f"{item.name} is empty",
            why="there is nothing to work on",
            fix=f"give {' or '.join([item.name, *others])}",
        )


def _is_given(value: Any, default: Any) -> bool:
    empty = value is None or value is False or (isinstance(value, Sequence) and not len(value))
    return not empty and value != default


def _refuse_value(item: Parameter, value: Any) -> None:
    words = [word for kind in item.kinds if get_origin(kind) is Literal for word in get_args(kind)]
    if words and value not in words:
        close = get_close_matches(str(value), words)
        raise MaskkitError(
            f"{item.name} cannot be {value!r}",
            why=f"it is one of {', '.join(words)}",
            fix=f"did you mean {close[0]}?" if close else "use one of these",
        )
    limits = item.note(Between) or Between()
    too_low = limits.minimum is not None and value < limits.minimum
    if too_low or (limits.maximum is not None and value > limits.maximum):
        bounds = (("from", limits.minimum), ("to", limits.maximum))
        raise MaskkitError(
            f"{item.name} cannot be {value}",
            why="it is " + " ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None),
            fix="use such a number",
        )
    if (refusing := item.note(Refusing)) is not None:
        for text in value if item.is_several else [value]:
            refusing.read(text)


def _refuse_contradiction(
    item: Parameter, values: Mapping[str, Any], declared: Mapping[str, Parameter]
) -> None:
    for note in item.notes:
        others = (
            (note.other,) if isinstance(note, Needs) else note.others if isinstance(note, Excludes) else ()
        )
        given = [other for other in others if _is_given(values[other], declared[other].default)]
        if isinstance(note, Needs) and not given:
            raise MaskkitError(
                f"{item.name} is given without {note.other}", why=note.why, fix="give both, or none"
            )
        if isinstance(note, Excludes) and given:
            raise MaskkitError(f"{item.name} is given with {given[0]}", why=note.why, fix="give one of them")
