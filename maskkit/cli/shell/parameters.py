"""From a command's signature to the options and arguments that typer reads.

Each parameter becomes one option or argument, but a dataclass of options becomes one per field. Its type says
what the command gets: an artifact that is read before, an output that is checked before, or the value itself.
What else there is to say of it stands in `Annotated`: its help, a text, and the notes below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Self, Union, cast, get_args, get_origin, get_type_hints

import typer

from maskkit.cli.shell import terminal
from maskkit.cli.shell.completing import completer
from maskkit.cli.shell.streams import OutputTarget, SideFile, stdin_is_terminal, stdout_is_terminal
from maskkit.errors import MaskkitError
from maskkit.options.fields import FILE, Between, ChosenFrom, HelpPanel, Metavar, Note, Refusing, note

if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.files import Source
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
else:  # a type checker sees the classes; to declare a command, nothing that they need is imported
    Checkpoint, Decision, Manifest, Predictions, Source = (
        type(name, (), {"module": f"maskkit.artifacts.{module}"})
        for name, module in (
            ("Checkpoint", "checkpoint"),
            ("Decision", "decision"),
            ("Manifest", "manifest"),
            ("Predictions", "predictions"),
            ("Source", "files"),  # bytes, whatever they are
        )
    )
__all__ = ["Checkpoint", "Decision", "Manifest", "Predictions", "Source"]  # beside what is defined here
ARTIFACTS: tuple[Any, ...] = (Checkpoint, Decision, Manifest, Predictions, Source)

SHELL_PANEL = HelpPanel("Files and messages")
OMITTED: Any = None  # a default: standard input or output for one artifact, nothing for a list
NOT_IN_RECIPE = object()  # a note: like all of the panel of files, no part of what a stage does


class _Words(tuple[str, ...]):
    def __new__(cls, *words: str) -> Self:
        return super().__new__(cls, words)


class Flags(_Words):
    """Other flags than the parameter's name."""


class Only(_Words):
    """Some fields of a dataclass of options."""


@dataclass(frozen=True)
class Argument:
    """It has no flag; help and errors call it by its metavar, or by its name."""

    metavar: str = ""


class Shown(str):
    """What help shows as the default of an option whose default is None."""


@dataclass(frozen=True)
class Callback:
    """What typer does with the value as soon as it is read; eager, before all others."""

    function: Callable[..., Any]
    is_eager: bool = False


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
class Required:
    """It has to be given, unless one of these others is; arguments without a default say so by themselves."""

    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How an input is read."""

    what: str = ""  # it is called so where it is missing; by default as its argument
    columns: tuple[str, ...] = ()  # what a manifest must have
    divided: bool = False  # also read a manifest with a person in two folds
    folders: bool = True  # pass a folder on as it is, if it can be another type than an artifact
    photos: bool = False  # and a photo


@dataclass(frozen=True)
class Named:
    """The files of an output that can be several, from the values of the options that a function names."""

    names: Callable[..., list[str | None]]


@dataclass(frozen=True)
class Parameter:
    """One option or argument, its type, and what else there is to say of it."""

    name: str
    default: Any
    hint: Any
    notes: tuple[Any, ...]

    @classmethod
    def of(cls, name: str, default: Any, annotation: Any) -> Parameter:
        """Read an annotation, whose notes may stand in tuples."""
        hint, *notes = get_args(annotation)
        return cls(name, default, hint, tuple(_flat(notes)))

    def note(self, kind: type[Note]) -> Note | None:
        """Return the first note of a type, or None."""
        return note(self.notes, kind)

    @cached_property
    def kinds(self) -> list[Any]:
        """The types that it, or each of several, can have."""
        outer = _alternatives(self.hint)
        inner = [_alternatives(*get_args(kind)) if get_origin(kind) is list else (kind,) for kind in outer]
        return [kind for kinds in inner for kind in kinds if kind is not NoneType]

    @property
    def is_several(self) -> bool:
        """Whether it is a list."""
        return get_origin(self.hint) is list

    @property
    def is_optional(self) -> bool:
        """Whether the command gets None if it is left out."""
        return NoneType in _alternatives(self.hint)

    @cached_property
    def artifact(self) -> Any:
        """The artifact that it is read as; None if it is none."""
        return next((kind for kind in self.kinds if kind in ARTIFACTS), None)

    @property
    def is_output(self) -> bool:
        """Whether it names a file to write."""
        return self.kinds[0] in (OutputTarget, SideFile)

    @property
    def is_input(self) -> bool:
        """Whether it names files to read."""
        return self.artifact is not None or FILE in self.notes

    @property
    def is_required(self) -> bool:
        """Whether help marks it: it has to be given, though some come by a pipe."""
        if self.default is inspect.Parameter.empty or self.note(Required) is not None:
            return True
        is_alone = not self.is_several or self.note(Named) is not None
        comes_by_pipe = self.artifact is not None or self.is_output
        return self.default is OMITTED and is_alone and comes_by_pipe and not self.is_optional

    def is_missing(self, given: Callable[[str], bool]) -> bool:
        """Whether it is required and was not given, where `given` says of any option whether it was."""
        if not self.is_required or given(self.name):
            return False
        if self.default is inspect.Parameter.empty:
            return True
        if (required := self.note(Required)) is not None:
            return not any(map(given, required.unless))
        return stdout_is_terminal() if self.is_output else stdin_is_terminal()

    @property
    def is_in_recipe(self) -> bool:
        """Whether --dry-run prints it."""
        is_option = self.note(Argument) is None and NOT_IN_RECIPE not in self.notes
        return is_option and self.note(HelpPanel) != SHELL_PANEL

    @property
    def flag(self) -> str:
        """What errors of usage call it."""
        if (argument := self.note(Argument)) is not None:
            return argument.metavar or self.name.upper()
        return (self.note(Flags) or [f"--{self.name.replace('_', '-')}"])[0]

    @property
    def for_typer(self) -> inspect.Parameter:
        """It as typer reads it: artifacts and outputs by their names."""
        kind = self.hint
        if self.artifact is not None or self.is_output or self.is_several:
            kind = {SideFile: Path, OutputTarget: str}.get(self.kinds[0], self.kinds[0])
            kind = str if self.artifact is not None else kind
            kind = list[kind] if self.is_several and not self.is_output else kind  # type: ignore[valid-type]
            kind = kind | None
        is_empty = self.default is inspect.Parameter.empty  # then `is_missing` says so, with all else
        kind, default = (kind | None, None) if is_empty else (kind, self.default)
        hint, keyword = Annotated[kind, self._info()], inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(self.name, keyword, default=default, annotation=hint)

    def _info(self) -> Any:
        text, chosen = self.note(str) or "", self.note(ChosenFrom)
        listed = f" Choices: {', '.join(chosen.table)}." if chosen is not None and chosen.table else ""
        text = terminal.escape(text + listed)
        if self.note(Argument) is not None:
            return typer.Argument(
                metavar=self.flag, help=text, show_default=False, autocompletion=completer(self)
            )
        numbers, called, refused = self.note(Between) or Between(), self.note(Callback), self.note(Refusing)
        return typer.Option(
            *(self.note(Flags) or ([self.flag] if self.hint is bool else [])),
            help=text,
            min=numbers.minimum,
            max=numbers.maximum,
            rich_help_panel=self.note(HelpPanel),
            show_default=self.note(Shown) or self.default is not None,
            callback=called.function if called else refusing(refused.read) if refused else None,
            is_eager=called is not None and called.is_eager,
            metavar=self.note(Metavar),
            autocompletion=None if self.kinds == [bool] else completer(self),
        )


@dataclass(frozen=True)
class Slot:
    """One parameter of a command's function: what typer reads for it, and its type if that is a dataclass."""

    name: str
    parameters: list[Parameter]
    group: Any = None

    @classmethod
    def of(cls, declared: inspect.Parameter) -> Slot:
        """Read one parameter of a signature, whose annotation has been evaluated."""
        name, hint = declared.name, declared.annotation
        kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if kind is OutputTarget or not is_dataclass(kind):
            return cls(name, [Parameter.of(name, declared.default, hint)])
        wanted = note(notes, Only) or [field.name for field in fields(kind)]
        return cls(name, [item for item in _fields(cast(type, kind)) if item.name in wanted], kind)

    def value(self, values: Mapping[str, Any]) -> Any:
        """Return what the function gets."""
        if self.group is None:
            return values[self.name]
        return self.group(**{item.name: values[item.name] for item in self.parameters})


@cache
def _fields(options: type) -> list[Parameter]:
    hints = get_type_hints(options, include_extras=True)
    noted = ((field, field.metadata.get("notes", ())) for field in fields(options))
    return [
        Parameter.of(field.name, field.default, Annotated[hints[field.name], notes]) for field, notes in noted
    ]


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


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _flat(notes: Any) -> Iterator[Any]:
    for one in notes:
        yield from _flat(one) if type(one) is tuple else (one,)
