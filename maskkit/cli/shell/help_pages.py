"""What `--help` shows of a command: its text, what is required, and examples that can be copied whole."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from dataclasses import dataclass
from typing import Any

from maskkit.cli.shell.help_panels import print_panels
from maskkit.cli.shell.streams import print_line
from maskkit.cli.shell.terminal import escape

WIDTH = 80  # columns of a terminal that nobody has made wider
INDENT = "  "
_EXAMPLE = re.compile(r"(?P<caption>.+?): (?P<line>(torchrun .+ -m )?maskkit \S.*)")


@dataclass(frozen=True)
class Example:
    """A command line that works, and what it is for."""

    caption: str  # "Example" if it has none
    line: str

    def wrapped(self) -> str:
        """Write it in lines that no terminal breaks, joined for the shell by backslashes."""
        parts = re.split(r" (?=-{1,2}[a-z])", self.line)  # an option stays beside its value
        lines = [INDENT]
        for part in parts:
            for word in [part] if len(part) < WIDTH - len(INDENT) * 3 else part.split(" "):
                if len(lines[-1]) + len(word) + 3 > WIDTH:
                    lines[-1] += " \\"
                    lines.append(INDENT * 2 + word)
                else:
                    lines[-1] += word if lines[-1].isspace() else f" {word}"
        return "\n".join(lines)


def paragraphs(doc: str | None) -> list[str]:
    """Return the paragraphs of a command's docstring, each on one line."""
    found = inspect.cleandoc(doc or "").split("\n\n")
    return [" ".join(one.split()) for one in found]


def examples_of(doc: str | None) -> list[Example]:
    """Return the examples of a docstring, that without a caption first."""
    found = [Example(**match.groupdict()) for one in paragraphs(doc) if (match := _EXAMPLE.fullmatch(one))]
    return sorted(found, key=lambda example: example.caption != "Example")


def text_of_help(doc: str | None) -> str:
    """Return a command's docstring as help, without examples: rich prints brackets as they are."""
    return escape("\n\n".join(one for one in paragraphs(doc) if not _EXAMPLE.fullmatch(one)))


def print_help(usage: str, command: Any, *, program: str) -> None:
    """Print a command's help; `program` is the line that says more of an option that stands behind it."""
    columns = shutil.get_terminal_size().columns
    print_line(f"\n{usage}\n")
    for one in paragraphs(command.__doc__):
        if not _EXAMPLE.fullmatch(one):
            print_line(textwrap.fill(one, columns - 1, break_on_hyphens=False) + "\n")
    print_panels(command.parameters, width=columns, program=program)
    for example in examples_of(command.__doc__):
        print_line(f"\n {example.caption}:\n{example.wrapped()}")
    print_line("")
