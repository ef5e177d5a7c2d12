"""How an option is declared: by its type, its default, and notes, of which a text is its help.

A field of a dataclass has its notes in its metadata; a parameter of a command has them in `Annotated`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from maskkit.options.choices import Choice, More, Settings, Table, parse, parse_sum

Note = TypeVar("Note")
FILE = object()  # a note: it can name a file that the stage opens


class HelpPanel(str):
    """The heading under which options are listed."""


class Metavar(str):
    """What stands for the value in help; three dots at its end let the option take several words."""


@dataclass(frozen=True)
class Between:
    """The smallest and the largest number allowed."""

    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Refusing:
    """Texts are wrong usage if `read` raises."""

    read: Callable[[str], Any]


@dataclass(frozen=True)
class ChosenFrom:
    """What there is to choose from, to be listed in the help."""

    table: Table
    others: Settings | None = None  # of any name that is not in the table
    several: bool = False  # whether several can be given, with + between them


@dataclass(frozen=True)
class Explained:
    """What each of the values of an option does, in a line."""

    texts: Mapping[str, str]


def note(notes: Iterable[Any], kind: type[Note]) -> Note | None:
    """Return the first note of a type, or None."""
    return next((one for one in notes if type(one) is kind), None)


def option(default: Any, help: str, panel: HelpPanel, *notes: Any, **limits: float) -> Any:  # noqa: A002 - typer's word
    """Declare one field of an options dataclass; `minimum` and `maximum` are its limits."""
    return field(default=default, metadata={"notes": (help, panel, Between(**limits), *notes)})


def choice(
    name: str,
    default: str,
    help: str,  # noqa: A002
    panel: HelpPanel,
    table: Table,
    *,
    several: bool = False,
    others: Settings | None = None,
    more: More | None = None,
) -> Any:
    """Declare a field that names one of a table's choices, or several as a sum, with their settings.

    `others` and `more` are those of `parse`; a sum has declared settings only.
    """

    def read(text: str) -> tuple[Choice, ...]:
        if several:
            return parse_sum(text, table, option=name, others=others)
        return (parse(text, table, option=name, others=others, more=more),)

    listed = (ChosenFrom(table, others, several), *((Metavar("<choice>"),) if table else ()))
    return field(default=default, metadata={"notes": (help, panel, Refusing(read), *listed)})
