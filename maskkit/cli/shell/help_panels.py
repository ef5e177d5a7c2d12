"""The panels of `--help`: an option in a line or three, so that each panel fits on a terminal.

What is left out there stands on the option's own page; three dots say that there is more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_origin

from maskkit.cli.shell.option_page import meanings
from maskkit.cli.shell.parameters import SHELL_PANEL, Argument, Flags, Parameter, Shown
from maskkit.options.fields import Between, HelpPanel, Metavar
from maskkit.options.train_options import MACHINE_PANEL

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ARGUMENTS, OPTIONS = HelpPanel("Arguments"), HelpPanel("Options")
LAST = (MACHINE_PANEL, SHELL_PANEL)  # behind all others
LONGEST = 100  # characters that an option has in a panel, beside its choices
HELP = "Show this message."
METAVARS = {int: "N", float: "NUMBER", str: "TEXT", Path: "FILE"}


def print_panels(items: Sequence[Parameter], *, width: int, program: str) -> None:
    """Print the panels of a command's parameters on standard output."""
    from rich.console import Console

    console = Console(width=width, highlight=False)
    for title, members in _panels(items):
        _print_panel(console, title, members)
    console.print(f" All about an option, and what its choices do: {program} --OPTION", markup=False)


def _panels(items: Sequence[Parameter]) -> Iterator[tuple[HelpPanel, list[Parameter]]]:
    found: dict[HelpPanel, list[Parameter]] = {ARGUMENTS: [], OPTIONS: []}
    for item in items:
        own = ARGUMENTS if item.note(Argument) is not None else OPTIONS
        found.setdefault(item.note(HelpPanel) or own, []).append(item)
    titles = [title for title in found if title not in LAST]
    yield from ((title, found[title]) for title in (*titles, *LAST) if found.get(title))


def _print_panel(console: Console, title: str, items: Sequence[Parameter]) -> None:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for item in items:
        table.add_row(_flags(item), _said(item))
    if title == SHELL_PANEL:
        table.add_row(Text("-h, --help", "cyan"), Text(HELP))
    console.print(Panel(table, title=title, title_align="left", border_style="dim"))


def _flags(item: Parameter) -> Text:
    from rich.text import Text

    required = ("* ", "red") if item.is_required else ""
    if item.note(Argument) is not None:
        return Text.assemble(required, (item.flag + "..." * item.is_several, "cyan"))
    flags = ", ".join(item.note(Flags) or [item.flag])
    return Text.assemble(required, (flags, "cyan"), (f" {metavar(item)}".rstrip(), "yellow"))


def metavar(item: Parameter) -> str:
    """Return what stands for an option's value."""
    if item.kinds == [bool]:
        return ""
    if given := item.note(Metavar):
        return given.strip("<>").upper()
    if item.is_input or item.is_output:
        return "FILE"
    kind = item.kinds[0]
    return "WORD" if get_origin(kind) is Literal else METAVARS.get(kind, "TEXT")


def _said(item: Parameter) -> Text:
    from rich.text import Text

    words = ", ".join(meanings(item))
    limits = item.note(Between) or Between()
    bounds = [f"{bound:g}" if bound is not None else "" for bound in (limits.minimum, limits.maximum)]
    numbers = f"{bounds[0]}..{bounds[1]}" if any(bounds) else ""
    notes = ["required"] if item.is_required else []
    notes += [numbers] if numbers else []
    notes += [f"default: {default}"] if (default := _default(item)) else []
    parts: list[Any] = [shortened(item.note(str) or "")]
    parts += [(f"\n{words}", "green")] if words else []
    parts += [(f" [{'; '.join(notes)}]", "dim")] if notes else []
    return Text.assemble(*parts)


def _default(item: Parameter) -> str:
    default = item.note(Shown) or item.default
    is_shown = isinstance(default, str | int | float) and not isinstance(default, bool)
    return str(default) if is_shown and item.note(Argument) is None else ""


def shortened(text: str) -> str:
    """Return the first of a text's sentences, as many as a panel has room for.

    >>> shortened("Photos per step.")
    'Photos per step.'
    """
    if len(text) <= LONGEST:
        return text
    ends = [match.start() for match in re.finditer(r"(?<=[^. ][^.])[.;:,] ", text)]
    strong = [end for end in ends if text[end] in ".;:" and end <= LONGEST]
    end = (strong or [end for end in ends if end <= LONGEST] or [text.rfind(" ", 0, LONGEST)])[-1]
    return f"{text[:end]} ..."
