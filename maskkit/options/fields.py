"""How an option is declared: as a field of a dataclass that carries its help text and its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from maskkit.options.choices import Choice, Settings, Table, parse, parse_sum


@dataclass(frozen=True)
class Limits:
    """What the command line needs to know of an option: its help text, its range and its place.

    Args:
        help: One or two sentences.
        panel: Under which it is listed.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        read: Turns a text into the choices it names, or raises; None for other options.
        table: What it chooses from, to be listed in the help.
        is_file: Whether it can name a file that is read.
    """

    help: str
    panel: str
    minimum: float | None = None
    maximum: float | None = None
    read: Callable[[str], tuple[Choice, ...]] | None = None
    table: Table | None = None
    is_file: bool = False


def option(
    default: Any,
    help: str,  # noqa: A002 - the word that typer uses
    panel: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    is_file: bool = False,
) -> Any:
    """Declare one field of an options dataclass."""
    return field(default=default, metadata={"limits": Limits(help, panel, minimum, maximum, is_file=is_file)})


def choice(
    name: str,
    default: str,
    help: str,  # noqa: A002
    panel: str,
    table: Table,
    *,
    several: bool = False,
    others: Callable[[str], Settings | None] | None = None,
) -> Any:
    """Declare a field that names one of a table's choices, or several as a sum, with their settings."""

    def read(text: str) -> tuple[Choice, ...]:
        if several:
            return parse_sum(text, table, option=name, others=others)
        return (parse(text, table, option=name, others=others),)

    return field(default=default, metadata={"limits": Limits(help, panel, read=read, table=table)})
