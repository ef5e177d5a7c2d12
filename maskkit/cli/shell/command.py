"""How a command is declared.

    @command(loads="tables")
    def pseudo(
        *,
        manifest: Annotated[Manifest, Argument(...)],
        unlabeled: Annotated[Optional[Manifest], Option(...)] = None,
        output: common_options.Output = OMITTED,
        share: Annotated[float | None, Option(...), Excludes("threshold", why="...")] = None,
    ) -> None:

The signature says all: in its order, what the command has beside what every command has.

- **Reads**: a parameter typed `Manifest`, `Predictions`, `Checkpoint`, `Decision` or `Source` is a name on
  the command line and the artifact in the function. `list[...]` are several; `Optional[...]` is None if left
  out; with the default OMITTED it is standard input. `Manifest | Path` (or `str`) passes a folder on as it
  is, and a photo if `Reading` says so, which says more; FILE marks a text or path that the stage opens.
- **Writes**: `OutputTarget` (as `common_options.Output`) is the artifact of -o, whose path is printed;
  `SideFile` is any other file. Both are written by `write`.
- **Has in common with others**: `PhotoOptions`, `ReportOptions` or `TrainOptions` are several options and one
  value; `Only` takes some of their fields. --recipe, --dry-run and --quiet come by themselves; --force too,
  if something is written, and --encoding, if predictions are read.
- **Has to be given**: what has no default, an artifact that no pipe brings, and what `Required` notes.
- **Cannot mean together**: `Needs` and `Excludes`, and for what they cannot say `check`, a function of the
  values as typed, by their names.

What is wrong is refused in this order, whatever the command: usage (exit code 2; also standard input read
twice, one file for two outputs, and all that is missing, at once), outputs (they exist, are inputs, or cannot
be written), inputs; then the function is called. With --dry-run it is called too, and ends where its work
begins (`maskkit/dry_run.py`); then the options are printed. One that takes a `Checks` refuses further outputs
by it, and sets what options were resolved to. Files appear once all have been written, or when the function
returns; a command with `resume` holds its first file from the beginning.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import typer

from maskkit.cli.shell import common_options, startup
from maskkit.cli.shell.mixed_up import mixed_up
from maskkit.cli.shell.outputs import Outputs, each, values_for
from maskkit.cli.shell.parameters import (
    OMITTED,
    Excludes,
    Needs,
    Parameter,
    Predictions,
    Reading,
    Slot,
    Source,
)
from maskkit.cli.shell.recipes import as_recipe
from maskkit.cli.shell.streams import STREAM, print_line, refuse, source
from maskkit.cli.shell.usage import lacking
from maskkit.dry_run import dry_run
from maskkit.errors import MaskkitError
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.processes.launched import launch
from maskkit.storage.address import PathOrAddress, place_of

Body = Callable[..., None]
NO_MATTER = {"force", "resume", "quiet", "dry_run", "engine"}  # to what a command makes

PREPARE = {"tables": startup.prepare_for_tables, "torch": startup.prepare_for_torch}


def command(
    *,
    loads: Literal["tables", "torch"] | None = None,
    check: tuple[Callable[..., None], ...] = (),
    instead: tuple[Callable[..., bool], ...] = (),
    is_helped: bool = False,
) -> Callable[[Body], Body]:
    """Make a function a command of the command line, and prepare the process for what it loads.

    Each `check` raises if values, which it takes as typed and by their names, mean nothing together. Each
    `instead` takes values likewise, and returns whether it did what they ask for in the place of the command,
    so that nothing is read or written. One that `is_helped` divides its work among several processes, as
    torchrun starts them.
    """

    def declare(body: Body) -> Body:
        declared = list(inspect.signature(body, eval_str=True).parameters.values())
        slots = [Slot.of(item) for item in declared if item.annotation is not Checks]
        takes_checks = [item.name for item in declared if item.annotation is Checks]
        parameters = [item for slot in slots for item in slot.parameters]
        parameters += _common(parameters)

        def run(context: typer.Context, **given: Any) -> None:
            if launch().world > 1 and not is_helped:
                raise _one_does_it(context)
            checks = Checks(context, parameters, given)
            groups = {slot.name: slot.value(checks.values) for slot in slots if slot.group is not None}
            checks.refuse_usage()
            if any(answer(**values_for(answer, given)) for answer in instead):
                return
            checks.refuse_missing()
            for refuse_values in check:
                refuse_values(**values_for(refuse_values, given))
            if loads is not None:
                PREPARE[loads]()
            with dry_run(is_wanted=given["dry_run"]):
                checks.refuse_outputs()
                with checks.outputs.held(), checks.outputs.publication:
                    artifacts = checks.read_inputs()
                    values = {**checks.values, **artifacts, **groups, **dict.fromkeys(takes_checks, checks)}
                    body(**{item.name: values[item.name] for item in declared})
            if given["dry_run"]:
                print_line(checks.recipe())

        for_typer = [CONTEXT, *(item.for_typer for item in parameters)]
        run.__name__, run.__doc__, run.__module__ = body.__name__, body.__doc__, body.__module__
        run.__signature__ = inspect.Signature(for_typer)  # type: ignore[attr-defined]
        run.__annotations__ = {item.name: item.annotation for item in for_typer}
        # For help, its page in docs/, and the function of Python that takes and refuses the same.
        run.parameters, run.checks = parameters, check  # type: ignore[attr-defined]
        return run

    return declare


def _one_does_it(context: typer.Context) -> MaskkitError:
    name = context.info_name or ""
    return MaskkitError(
        f"{launch().world} processes were started for `maskkit {name}`, which one does",
        why="torchrun is for `train` and `predict`, whose processes compute together",
        fix=f"start `maskkit {name}` without it; `label`, `crop` and `predict` divide photos by --shard",
    )


CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _common(own: list[Parameter]) -> Iterator[Parameter]:
    """Yield what every command has, and the command itself does not declare."""
    names = ["recipe", "dry_run", "quiet"]
    if any(item.is_output for item in own):
        names.insert(0, "force")
    if any(item.artifact is Predictions for item in own):
        names.insert(0, "encoding")
    for name in names:
        if all(item.name != name for item in own):
            default = None if name in ("recipe", "encoding") else False
            yield Parameter.of(name, default, common_options.COMMON[name])


class Checks:
    """What was typed for a command, refused and read step by step."""

    def __init__(self, context: typer.Context, parameters: list[Parameter], typed: dict[str, Any]) -> None:
        self._context, self._parameters, self._typed = context, parameters, typed
        # What a function that takes the `Checks` has made of options, such as those left at `auto`.
        self.resolved: Callable[[], Mapping[str, Any]] = dict
        notes = [note for item in parameters if self._is_given(item.name) for note in item.notes]
        self._unused = {name for note in notes if isinstance(note, Excludes) for name in note.others}

    def _is_given(self, name: str) -> bool:
        """Whether an option has a value that asks for something, and for something else than by default."""
        value = self._typed[name]
        default = next((item.default for item in self._parameters if item.name == name), None)
        return value is not None and value is not False and value != [] and value is not default

    def _items(self) -> Iterator[Parameter]:
        """Yield what is neither made needless by another option nor needs one."""
        return (item for item in self._parameters if item.name not in self._unused)

    @cached_property
    def outputs(self) -> Outputs:
        """What the command writes."""
        said = {name: value for name, value in self._typed.items() if name not in NO_MATTER}
        command = json.dumps([self._context.info_name, said], default=str, sort_keys=True)
        return Outputs(self._parameters, self._typed, self._unused, command)

    @cached_property
    def values(self) -> dict[str, Any]:
        """The values as typed, but outputs as what is written to, and an empty list for none of several."""
        several = (item for item in self._parameters if item.is_several and self._typed[item.name] is None)
        return {**self._typed, **{item.name: [] for item in several}, **self.outputs.targets}

    def refuse_usage(self) -> None:
        """Raise if what was typed means nothing, whatever is in the files."""
        for item in self._parameters:
            for note in item.notes if self._is_given(item.name) else ():
                needs = isinstance(note, Needs) and not self._is_given(note.other)
                if needs or (isinstance(note, Excludes) and any(map(self._is_given, note.others))):
                    raise typer.BadParameter(note.why, param_hint=item.flag)
        piped = [item for item in self._items() for name in self._read_by(item) if name == STREAM]
        if len(piped) > 1:
            raise typer.BadParameter("standard input can be read once", param_hint=piped[-1].flag)
        self.outputs.refuse_usage()

    def refuse_missing(self) -> None:
        """Raise if something required was not given, and name all of it."""
        missing = [item for item in self._items() if item.is_missing(self._is_given)]
        if missing:
            raise lacking(self._context, missing)

    def _read_by(self, item: Parameter) -> list[str]:
        """Return the names of an artifact's files, `-` for standard input."""
        if item.artifact is None:
            return []
        name = self._typed[item.name]
        is_piped = name is None and item.default is OMITTED and not item.is_several and not item.is_optional
        return [STREAM] if is_piped else [one for one in each(name) if one is not None]

    def refuse_outputs(self) -> None:
        """Raise if an output exists, is an input, or cannot be written."""
        self.outputs.refuse(self._inputs())

    def _inputs(self) -> list[str | None]:
        return [name for item in self._items() if item.is_input for name in each(self._typed[item.name])]

    def refuse_output(self, path: PathOrAddress, *, replaces: bool = False) -> None:
        """Raise of a further output as of the others; what is there goes by force, or if it `replaces`."""
        refuse(path, force=replaces or self._typed["force"], known=(), inputs=self._inputs())

    def _slots(self) -> list[tuple[Parameter, str]]:
        several = (
            (item, each(self._typed[item.name])) for item in self._items() if item.artifact is not None
        )
        return [(item, name) for item, names in several for name in names if name not in (None, STREAM)]

    def read_inputs(self) -> dict[str, Any]:
        """Read every artifact."""
        found: dict[str, Any] = {}
        like: Predictions | None = None  # ids are held once where they are the same
        for item in self._items():
            if item.artifact is None:
                continue
            read = []
            for name in self._read_by(item):
                given = name if self._typed[item.name] else None
                try:
                    read.append(_read(item, given, like, self._typed.get("encoding")))
                except MaskkitError as error:
                    raise mixed_up(item, given, self._slots(), self._parameters) or error from error
                like = read[-1] if item.artifact is Predictions else like
            found[item.name] = read if item.is_several else next(iter(read), None)
        return found

    @property
    def explicit(self) -> frozenset[str]:
        """Names of what the command line or a recipe has set, if only to its default."""
        source = self._context.get_parameter_source
        return frozenset(name for name in self._typed if (found := source(name)) and found.name != "DEFAULT")

    def recipe(self) -> str:
        """Return every option as typed, or as it was `resolved`, as a recipe."""
        chosen = {item.name: self._typed[item.name] for item in self._parameters if item.is_in_recipe}
        return as_recipe(self._context.info_name or "", {**chosen, **self.resolved()})


def _read(item: Parameter, name: str | None, like: Predictions | None, encoding: str | None) -> Any:
    reading = item.note(Reading) or Reading()
    if name not in (None, STREAM) and item.kinds != [item.artifact] and _passes(str(name), item, reading):
        kind = next(kind for kind in item.kinds if kind is not item.artifact)
        return place_of(str(name)) if kind is Path else kind(name)
    how: dict[str, Any] = {"divided": True} if reading.divided else {}
    if item.artifact is Predictions:
        how["like"] = like
    artifact: Any = source(name, what=reading.what or item.flag.lower(), encoding=encoding)
    if item.artifact is not Source:
        artifact = getattr(import_module(item.artifact.module), item.artifact.__name__).read(artifact, **how)
    if reading.columns:
        artifact.need(*reading.columns)
    return artifact


def _passes(name: str, item: Parameter, reading: Reading) -> bool:
    """Whether something that could be no artifact is passed on by its name."""
    from maskkit.artifacts.shard_parts import named

    if place_of(name).is_dir():
        return reading.folders and (item.artifact is Source or named(name) is None)
    return reading.photos and name.lower().endswith(PHOTO_SUFFIXES)
