"""Fills pages with declarations of maskkit: a command's signature, and the table of choices."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from itertools import groupby
from typing import Any, Literal, get_args, get_origin

from sphinx.application import Sphinx

from maskkit.cli.shell.parameters import SHELL_PANEL, Argument, Flags, Parameter, Shown
from maskkit.options import techniques
from maskkit.options.choices import Setting, Settings, Table, Technique, text_of
from maskkit.options.fields import Between, ChosenFrom, HelpPanel, Metavar

OPTIONS = "Options"
PLAIN = {int: "<number>", float: "<number>", str: "<text>"}
READ = {
    "Manifest": "a manifest", "Predictions": "predictions, Parquet or CSV", "Checkpoint": "a checkpoint",
    "Decision": "a decision", "Source": "a file",
}  # fmt: skip
# Every table of choices, with the option of `train` that takes it.
TABLES: Mapping[str, Table] = {
    "--loss": techniques.LOSSES,
    "--class-weights": techniques.CLASS_WEIGHTS,
    "--head": techniques.HEADS,
    "--freeze": techniques.FREEZES,
    "--sampler": techniques.SAMPLERS,
    "--augment": techniques.AUGMENTATIONS,
    "--mix": techniques.MIXES,
    "--consistency": techniques.CONSISTENCIES,
    "--optimizer": {**techniques.OPTIMIZERS, "any other of timm": techniques.ANY_OPTIMIZER},
    "--schedule": techniques.SCHEDULES,
    "--average": techniques.AVERAGES,
    "--model": {"any of timm": techniques.MODEL},
    "--size": {"HEIGHTxWIDTH": techniques.SIZE},
    "--teacher": {"FILE": techniques.TEACHER},
    "--fold": techniques.NO_FOLD,
}


def command_text(name: str) -> str:
    """Return a command's page below its title, as Markdown: what it does, reads, writes and takes."""
    function = getattr(import_module(f"maskkit.cli.{name.replace('-', '_')}"), name.replace("-", "_"))
    parameters: list[Parameter] = function.parameters
    parts = [*_docstring(function)]
    named = [item for item in parameters if item.note(Argument) is not None]
    if named:
        parts += ["## Arguments", *(_described(item) for item in named)]
    options = [item for item in parameters if item not in named]
    for panel, group in groupby(sorted(options, key=_place(options)), key=_panel):
        parts += [f"## {panel}", *(_described(item) for item in group)]
    return "\n\n".join(parts)


def _docstring(function: Any) -> Iterator[str]:
    for paragraph in inspect.cleandoc(function.__doc__ or "").split("\n\n"):
        text = " ".join(paragraph.split())
        said, _, typed = re.fullmatch(r"(.*?)(: ((?:torchrun .+ -m )?maskkit .*))?", text).group(1, 2, 3)  # type: ignore[union-attr]
        if typed is None:
            yield literal(text)
            continue
        if said != "Example":
            yield literal(f"{said}:")
        yield f"```sh\n{typed}\n```"


def literal(text: str) -> str:
    """Return a text of which Markdown takes nothing for its own but code in backticks."""
    parts = text.split("`")
    return "`".join(
        re.sub(r"([*_<\[])", r"\\\1", part) if at % 2 == 0 else part for at, part in enumerate(parts)
    )


def _panel(item: Parameter) -> str:
    return item.note(HelpPanel) or OPTIONS


def _place(options: list[Parameter]) -> Any:
    """Return a key that sorts by panel, in the order of help: its own first, files and messages last."""
    panels = list(dict.fromkeys([OPTIONS, *map(_panel, options)]))
    panels.sort(key=SHELL_PANEL.__eq__)
    return lambda item: panels.index(_panel(item))


def _described(item: Parameter) -> str:
    """Return an option as an entry of a definition list."""
    term = " ".join(filter(None, (", ".join(f"`{flag}`" for flag in _flags(item)), _value(item))))
    lines = [literal(item.note(str) or "")]
    if (chosen := item.note(ChosenFrom)) is not None and chosen.table:
        names = ", ".join(f"`{name}`" for name in chosen.table)
        lines.append(f"Choices: {names}; [their settings](../choices.md#{_flags(item)[0].strip('-')}).")
    lines += [*_limits(item)]
    body = "\n".join(line for line in lines if line)
    return f"{term}\n: " + body.replace("\n", "\n  ")


def _flags(item: Parameter) -> tuple[str, ...]:
    if item.note(Argument) is not None:
        return (item.flag,)
    return tuple(item.note(Flags) or [f"--{item.name.replace('_', '-')}"])


def _value(item: Parameter) -> str:
    """Return what stands behind a flag."""
    if item.note(Argument) is not None or item.kinds == [bool]:
        return ""
    if (metavar := item.note(Metavar)) is not None:
        return f"`{metavar}`"
    if words := [word for kind in item.kinds if get_origin(kind) is Literal for word in get_args(kind)]:
        return f"`{'|'.join(map(str, words))}`"
    kind = item.kinds[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"`{'|'.join(str(one.value) for one in kind)}`"
    return f"`{PLAIN.get(kind, '<file>')}`"


def _limits(item: Parameter) -> Iterator[str]:
    """Say what it is read as or written to, which numbers are allowed, and what it is if left out."""
    if item.artifact is not None:
        kind = READ[item.artifact.__name__]
        folder = " or a folder" if item.kinds != [item.artifact] else ""
        yield f"*Reads {kind}{folder}{', or several' if item.is_several else ''}.*"
    elif item.is_output:
        yield "*Written whole or not at all.*"
    numbers = item.note(Between) or Between()
    bounds = ((word, bound) for word, bound in (("from", numbers.minimum), ("to", numbers.maximum)))
    if said := " ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None):
        yield f"*{said.capitalize()}.*"
    default = item.note(Shown) or item.default
    if item.note(Argument) is None and default not in (None, False, inspect.Parameter.empty):
        yield f"*Default: `{default}`.*"


def choices_text() -> str:
    """Return every choice of training with its settings, as Markdown."""
    return "\n\n".join(part for option, table in TABLES.items() for part in _table(option, table))


def _table(option: str, table: Table) -> Iterator[str]:
    yield f"## {option}"
    rows = [row for name, known in table.items() for row in _rows(name, known)]
    yield "\n".join(
        ["| choice | setting | default | allowed | what it does |", "|---|---|---|---|---|", *rows]
    )


def _rows(name: str, known: Settings) -> Iterator[str]:
    first = f"`{name}`" if re.fullmatch(r"[\w-]+", name) else name
    if isinstance(known, Technique):
        yield f"| {first} | | | | {literal(known.does)} |"
        first = ""
    for key, one in known.items():
        yield f"| {first} | `{key}` | {_default(one)} | {_allowed(one)} | {literal(one.help)} |"
        first = ""


def _default(one: Setting) -> str:
    return f"`{text_of(one.default)}`" if one.default != "" else "none"


def _allowed(one: Setting) -> str:
    if isinstance(one.default, bool):
        return "`true`, `false`"
    if one.among:
        return ", ".join(f"`{word}`" for word in one.among) + (", or several with `+`" if one.several else "")
    if isinstance(one.default, str):
        return "a text"
    whole = "whole numbers" if isinstance(one.default, int) else "numbers"
    limits = [
        f"{word} {bound:g}"
        for word, bound in (("from", one.minimum), ("to", one.maximum))
        if bound is not None
    ]
    return " ".join([whole, *limits])


def filled(page: str) -> str:
    """Return a page with declarations in the place of its blocks `{command} NAME` and `{choices}`."""
    page = re.sub(
        r"^```\{command\} (\S+)\n```$", lambda found: command_text(found[1]), page, flags=re.MULTILINE
    )
    return re.sub(r"^```\{choices\}\n```$", lambda _: choices_text(), page, flags=re.MULTILINE)


def _fill(_: Sphinx, __: str, content: list[str]) -> None:
    content[0] = filled(content[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx call it."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}
