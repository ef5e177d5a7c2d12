"""What `--help` shows of a command: its text, what is required, and examples that can be copied whole."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from maskkit.cli.shell.terminal import escape

WIDTH = 80  # columns of a terminal that nobody has made wider
INDENT = "  "
_EXAMPLE = re.compile(r"(?P<caption>.+?): (?P<line>maskkit \S.*)")


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


def example_lines(doc: str | None) -> Iterator[str]:
    """Yield the lines below a command's help: each example with its caption."""
    for example in examples_of(doc):
        yield f"\n {example.caption}:"
        yield example.wrapped()
