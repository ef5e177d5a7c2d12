"""Where artifacts come from and go to: files, standard input, standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from maskkit.errors import MaskkitError

if TYPE_CHECKING:
    from maskkit.artifacts.files import Source

STREAM = "-"


def source(name: str | None, *, what: str) -> Source:
    """Open an input: a file, or standard input for `-` or for nothing where that is not a terminal."""
    import pyarrow as pa

    from maskkit.artifacts.files import Source

    if name is not None and name != STREAM:
        return Source.open(name)
    if sys.stdin is None or (name is None and sys.stdin.isatty()):
        raise typer.BadParameter(f"give a {what}, or pipe one in", param_hint=what.upper())
    return Source(STREAM, pa.py_buffer(sys.stdin.buffer.read()))


@dataclass(frozen=True)
class Target:
    """Where one artifact goes, checked before any work."""

    path: Path | None  # None for standard output

    def write(self, data: Any) -> None:
        """Write the artifact; a file's name is printed, so that `$(maskkit ...)` and xargs work."""
        if self.path is None:
            write_bytes(memoryview(data))
        else:
            from maskkit.artifacts.files import write_whole

            write_whole(self.path, data)
            print_line(str(self.path))


def target(name: str | None, *, force: bool, is_text: bool = False) -> Target:
    """Return where `-o` sends an artifact, and refuse what cannot or should not be written.

    Left out, it goes to standard output, unless that is a terminal and the artifact is not text.
    """
    if name is None and sys.stdout.isatty() and not is_text:
        raise typer.BadParameter("give a file with -o, or pipe the output on", param_hint="-o")
    if name is None or name == STREAM:
        return Target(None)
    from maskkit.artifacts.files import refuse_existing

    refuse_existing(Path(name), force=force)
    return Target(Path(name))


def write_bytes(data: bytes | memoryview) -> None:
    """Write to standard output and see at once whether anyone still reads it."""
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise MaskkitError(
            "standard output takes no bytes", why="it was replaced by a text stream", fix="use -o FILE"
        )
    stream.write(data)
    stream.flush()


def print_line(text: str) -> None:
    """Print one line on standard output."""
    write_bytes(f"{text}\n".encode())


def print_json(data: Any) -> None:
    """Print JSON on standard output."""
    print_line(json.dumps(data, indent=2, ensure_ascii=False))


def print_tsv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print tab-separated values on standard output, one line per row."""
    lines = ["\t".join(header), *("\t".join(_cell(value) for value in row) for row in rows)]
    print_line("\n".join(lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).replace("\t", " ").replace("\n", " ")


def as_recipe(command: str, options: Mapping[str, object]) -> str:
    """Return resolved options as a recipe that `--recipe` reads; options without a value are left out."""
    lines = [
        f"{name.replace('_', '-')} = {_toml(value)}" for name, value in options.items() if value is not None
    ]
    return "\n".join([f"[{command}]", *lines])


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    # JSON's booleans, numbers and strings are TOML's too.
    return json.dumps(value if isinstance(value, bool | int | float) else str(value), ensure_ascii=False)


def silence_stdout() -> None:
    """Let the interpreter exit without complaint after the reader of a pipe has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
