"""From a command's signature to the options and arguments that typer reads.

Each parameter becomes one option or argument, but a dataclass of options becomes one per field. Its type says
what the command gets: an artifact that is read before, an output that is checked before, or the value itself.
What else there is to say of it stands in `Annotated`, beside `typer.Option` or `typer.Argument`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Optional, Union, cast, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from maskkit.cli.shell import terminal
from maskkit.cli.shell.artifact_types import KINDS
from maskkit.cli.shell.streams import OutputTarget, SideFile
from maskkit.errors import MaskkitError
from maskkit.options.choices import Limits, summary

SHELL_PANEL = "Files and messages"
OMITTED: Any = None  # a default: standard input or output for one artifact, nothing for a list


@dataclass(frozen=True)
class Needs:
    """The option means something only beside another one."""

    other: str
    why: str


class Excludes:
    """The option does not go with others; inputs among them are not read then, outputs not written."""

    def __init__(self, *others: str, why: str) -> None:
        self.others, self.why = others, why


@dataclass(frozen=True)
class Reading:
    """How an input is read.

    Args:
        what: It is called so where it is missing; by default as its type.
        columns: What a manifest must have.
        divided: Also read a manifest with a person in two folds.
    """

    what: str = ""
    columns: tuple[str, ...] = ()
    divided: bool = False


class Named:
    """The files of an output that can be several, from the values of the options that a function names."""

    def __init__(self, names: Callable[..., list[str | None]]) -> None:
        self.names = names


class Only:
    """Some fields of a dataclass of options."""

    def __init__(self, *names: str) -> None:
        self.names = names


FILE = object()  # a path that the stage opens: no output may replace it
NOT_IN_RECIPE = object()  # like all of the panel of files, no part of what a stage does


@dataclass(frozen=True)
class Parameter:
    """One option or argument.

    Args:
        declared: As in the signature.
        hint: Its type.
        info: What typer gets for it.
        notes: All else in its `Annotated`.
    """

    declared: inspect.Parameter
    hint: Any
    info: OptionInfo | ArgumentInfo
    notes: tuple[Any, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return self.declared.name

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types it can have, of each if it has several."""
        found = _alternatives(self.hint)
        return tuple(item for kind in found for item in _alternatives(_item(kind)) if item is not NoneType)

    @property
    def is_several(self) -> bool:
        """Whether it is a list."""
        return any(get_origin(kind) is list for kind in _alternatives(self.hint))

    @property
    def is_optional(self) -> bool:
        """Whether the command gets None if it is left out."""
        return NoneType in _alternatives(self.hint)

    @property
    def artifact(self) -> Any:
        """The kind of artifact it is read as; None if it is none."""
        return next((kind for kind in self.kinds if kind in KINDS), None)

    @property
    def folder(self) -> Any:
        """What stands for a folder that is given instead of an artifact: a path or a text, or None."""
        return next((kind for kind in self.kinds if self.artifact and kind in (str, Path)), None)

    @property
    def is_output(self) -> bool:
        """Whether it names a file to write."""
        return self.kinds[0] in (OutputTarget, SideFile)

    @property
    def is_input(self) -> bool:
        """Whether it names files to read."""
        return self.artifact is not None or FILE in self.notes

    @property
    def is_in_recipe(self) -> bool:
        """Whether it is printed by --dry-run."""
        is_option = isinstance(self.info, OptionInfo)
        return is_option and self.info.rich_help_panel != SHELL_PANEL and NOT_IN_RECIPE not in self.notes

    @property
    def flag(self) -> str:
        """What usage errors call it."""
        if isinstance(self.info, ArgumentInfo):
            return self.info.metavar or self.name.upper()
        flags = [self.info.default, *(self.info.param_decls or ())]
        return next((flag for flag in flags if isinstance(flag, str)), f"--{self.name.replace('_', '-')}")

    def note(self, kind: type) -> Any:
        """Return the note of a type, or None."""
        return next((note for note in self.notes if isinstance(note, kind)), None)

    @property
    def for_typer(self) -> inspect.Parameter:
        """It as typer reads it: artifacts by their names, outputs too."""
        kind = self.hint
        if self.artifact is not None or self.is_several or self.is_output:
            kind = Path if self.kinds[0] is SideFile else self.kinds[0]
            kind = str if self.artifact is not None or kind is OutputTarget else kind
            kind = list[kind] if self.is_several and not self.is_output else kind  # type: ignore[valid-type]
            kind = kind if self.declared.default is inspect.Parameter.empty else Optional[kind]
        return self.declared.replace(annotation=Annotated[kind, self.info])


@dataclass(frozen=True)
class Slot:
    """One parameter of a command's function: what typer reads for it, and its type if that is a dataclass."""

    name: str
    parameters: tuple[Parameter, ...]
    group: Any = None

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return what the function gets."""
        if self.group is None:
            return values[self.name]
        return self.group(**{item.name: values[item.name] for item in self.parameters})


def slot_of(declared: inspect.Parameter) -> Slot:
    """Read one parameter of a signature, whose annotation has been evaluated."""
    hint, notes = _parted(declared.annotation)
    if not is_dataclass(hint) or any(isinstance(note, OptionInfo | ArgumentInfo) for note in notes):
        return Slot(declared.name, (_parameter(declared),))
    wanted = [name for note in notes if isinstance(note, Only) for name in note.names]
    found = [item for item in _fields(cast(type, hint)) if item.name in wanted or not wanted]
    return Slot(declared.name, tuple(found), hint)


@cache
def _fields(options: type) -> list[Parameter]:
    hints = get_type_hints(options, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    found = []
    for field in fields(options):
        hint = hints[field.name]
        if limits := field.metadata.get("limits"):
            hint = Annotated[hint, _option(field.name, limits, hint, field.default), *[FILE] * limits.is_file]
        found.append(_parameter(inspect.Parameter(field.name, kind, default=field.default, annotation=hint)))
    return found


def _parameter(declared: inspect.Parameter) -> Parameter:
    hint, notes = _parted(declared.annotation)
    info = next(note for note in notes if isinstance(note, OptionInfo | ArgumentInfo))
    declared = declared.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    return Parameter(declared, hint, info, tuple(note for note in notes if note is not info))


def _option(name: str, limits: Limits, hint: Any, default: object) -> OptionInfo:
    choices = f" Choices: {summary(limits.table)}." if limits.table else ""
    info: OptionInfo = typer.Option(
        *[f"--{name.replace('_', '-')}"] * (hint is bool),
        help=terminal.escape(limits.help + choices),
        min=limits.minimum,
        max=limits.maximum,
        rich_help_panel=limits.panel,
        show_default=default is not None,
        callback=None if limits.read is None else refusing(limits.read),
        metavar="<choice>" if limits.table else None,
    )
    return info


def refusing(read: Callable[[str], object]) -> Callable[[Any], Any]:
    """Refuse what `read` refuses as typer refuses a value: wrong usage, exit code 2."""

    def check(value: Any) -> Any:
        try:
            for text in value if isinstance(value, list) else [value]:
                if text is not None:
                    read(text)
        except MaskkitError as error:
            raise typer.BadParameter(f"{error.what}; {error.why}; {error.fix}") from error
        return value

    return check


def _parted(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        hint, *notes = get_args(annotation)
        return hint, tuple(notes)
    return annotation, ()


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _item(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is list else hint


def flat(value: Any) -> Iterator[Any]:
    """Yield what a list holds, or the value that is none."""
    yield from value if isinstance(value, list) else [value]
