"""Choices by name that have settings of their own: `ce:smoothing=0.1+f1`.

With one grammar for every technique, a command needs an option per decision rather than one per number, and
a setting cannot be given to a technique that does not have it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any, TypeVar

from maskkit.errors import MaskkitError
from maskkit.options.other_words import like_value

Value = bool | int | float | str
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
Part = TypeVar("Part")  # a dataclass of settings
_PLUS = re.compile(r"\+(?=[a-z])")  # between choices; that of 1e+3 stays


@dataclass(frozen=True)
class Setting:
    """One setting of a choice."""

    default: Value  # if it is not given; its type is that of every value
    help: str  # what it does, in a few words
    minimum: float | None = None  # smallest number allowed
    maximum: float | None = None  # largest number allowed
    among: tuple[str, ...] = ()  # the texts allowed; none for any
    several: bool = False  # whether several of these can be given, with + between them

    def read(self, text: str) -> Value:
        """Return the value that a text stands for; raise a ValueError with what it has to be."""
        if isinstance(self.default, bool):
            if text not in TRUTHS:
                raise ValueError(f"one of {', '.join(TRUTHS)}")
            return TRUTHS[text]
        if isinstance(self.default, str):
            parts = text.split("+") if self.several else [text]
            if self.among and not set(parts) <= set(self.among):
                more = ", or several with + between them" if self.several else ""
                raise ValueError(f"one of {', '.join(self.among)}{more}")
            return text
        return self._number(text)

    def _number(self, text: str) -> int | float:
        is_whole = isinstance(self.default, int)
        bounds = [("from", self.minimum), ("to", self.maximum)]
        limits = "".join(f" {word} {bound:g}" for word, bound in bounds if bound is not None)
        wanted = ("a whole number" if is_whole else "a number") + limits
        try:
            number: int | float = int(text) if is_whole else float(text)
        except ValueError:
            raise ValueError(wanted) from None
        low, high = (-inf if self.minimum is None else self.minimum), self.maximum
        if not isfinite(number) or number < low or (high is not None and number > high):
            raise ValueError(wanted)
        return number


@dataclass(frozen=True)
class AnyValue(Setting):
    """A setting whose type is not known yet."""

    def read(self, text: str) -> Value:
        """Return what the text says: true or false, a number, or else the text."""
        if text in TRUTHS:
            return TRUTHS[text]
        for kind in (int, float):
            try:
                number = kind(text)
            except ValueError:
                continue
            if isfinite(number):
                return number
        return text


class Technique(dict[str, Setting]):
    """The settings of one choice, and what it does, in a line."""

    def __init__(self, does: str, *parts: Mapping[str, Setting]) -> None:
        super().__init__({name: one for part in parts for name, one in part.items()})
        self.does = does


Settings = Mapping[str, Setting]
Table = Mapping[str, Settings]
More = Callable[[str], Setting]  # the setting of a name that is not declared


@dataclass(frozen=True)
class Choice:
    """What was chosen, with every setting it has."""

    name: str  # in its table
    settings: Mapping[str, Value]  # by name; those not given have their defaults

    def __str__(self) -> str:
        """Write it so that `parse` reads the same again."""
        settings = ",".join(f"{name}={text_of(value)}" for name, value in self.settings.items())
        return f"{self.name}:{settings}" if settings else self.name

    def number(self, setting: str) -> float:
        """Return a setting that is a number."""
        return float(self.settings[setting])

    def whole(self, setting: str) -> int:
        """Return a setting that is a whole number."""
        return int(self.settings[setting])

    def part(self, part: type[Part]) -> Part:
        """Return those settings that a dataclass declares by `setting`, with their types."""
        return part(**{name: self.settings[name] for name in settings(part)})

    def beside(self, *parts: type) -> dict[str, Any]:
        """Return the settings that none of these dataclasses declares, for the function that takes them."""
        others = {name for part in parts for name in settings(part)}
        return {name: value for name, value in self.settings.items() if name not in others}


def setting(default: Any, help: str, *limits: Any, **more: Any) -> Any:  # noqa: A002
    """Declare a setting that several choices share as a dataclass's field; its limits: smallest, largest."""
    return field(default=default, metadata={"setting": Setting(default, help, *limits, **more)})


def settings(part: type) -> Settings:
    """Return the settings that a dataclass declares, for a table."""
    return {item.name: item.metadata["setting"] for item in fields(part)}


def given_in(text: str) -> set[str]:
    """Name the settings that the text of one choice gives."""
    return {part.partition("=")[0] for part in text.partition(":")[2].split(",") if part}


def parse(
    text: str, table: Table, *, option: str, others: Settings | None = None, more: More | None = None
) -> Choice:
    """Read one choice, such as `focal` or `focal:gamma=3`; `option` is for messages.

    `others` are the settings of any name that is not in the table; None if there is no such choice. `more`
    gives those that are not declared; they stand behind the others, in alphabetical order.

    Raises:
        MaskkitError: The name, a setting or a value is not one that is allowed.
    """
    name, _, given = text.strip().partition(":")
    known = table.get(name, others)
    if known is None:
        close = like_value(option, name) or next(iter(get_close_matches(name.lower(), table)), None)
        raise MaskkitError(
            f"{option} cannot be {name!r}",
            why=f"it is one of {', '.join(table)}",
            fix=f"did you mean {close}?" if close in table else "use one of these",
        )
    values = {key: one.default for key, one in known.items()}
    undeclared: dict[str, Value] = {}
    for part in filter(None, given.split(",")):
        key, equals, word = part.partition("=")
        if key in known:
            one, into = known[key], values
        elif more is not None and equals:
            one, into = more(key), undeclared
        else:
            raise MaskkitError(
                f"{option} {name} has no setting {key!r}",
                why=f"it has {', '.join(known) or 'none'}" + (", and others as name=value" if more else ""),
                fix=f"write {option} {example(name, known)}",
            )
        try:
            into[key] = one.read(word)
        except ValueError as error:
            raise MaskkitError(
                f"{option} {name} has {key}={word}",
                why=f"{key} is {error}: {one.help}",
                fix=f"write {option} {example(name, {**known, key: one})}",
            ) from error
    return Choice(name, values | dict(sorted(undeclared.items())))


def parse_sum(text: str, table: Table, *, option: str, others: Settings | None = None) -> tuple[Choice, ...]:
    """Read a sum of choices, such as `ce:smoothing=0.1+f1`; raise as `parse`, or if one is named twice."""
    choices = tuple(parse(part, table, option=option, others=others) for part in _PLUS.split(text))
    names = [choice.name for choice in choices]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MaskkitError(f"{option} names {twice[0]} twice", why=f"it is {text!r}", fix="name each once")
    return choices


def example(name: str, known: Settings) -> str:
    """Write a choice with all its settings."""
    return str(Choice(name, {key: one.default for key, one in known.items()}))


def text_of(value: Value) -> str:
    """Write a value so that its setting reads the same again."""
    if isinstance(value, bool):
        return str(value).lower()
    short = f"{value:g}" if isinstance(value, float) else str(value)
    return repr(value) if isinstance(value, float) and float(short) != value else short
