"""The files that a command writes: refused before its work, locked during it, and published together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from maskkit.artifacts.draft import Draft
from maskkit.artifacts.locks import held
from maskkit.artifacts.publishing import Publication, TakenError
from maskkit.artifacts.upload import Upload
from maskkit.cli.shell.parameters import Named, Parameter
from maskkit.cli.shell.streams import OutputTarget, SideFile, refuse, refuse_terminal
from maskkit.storage.address import Address, PathOrAddress, place_typed

Written = tuple[Parameter, PathOrAddress]


class Outputs:
    """What a command writes, as typed; `unused` are parameters that others make needless.

    `command` is the text by which an interrupted publication of several files is known again.
    """

    def __init__(
        self, parameters: Sequence[Parameter], typed: Mapping[str, Any], unused: Collection[str], command: str
    ) -> None:
        self._items = [item for item in parameters if item.is_output]
        self._typed, self._unused, self._command = typed, unused, command

    @cached_property
    def targets(self) -> dict[str, Any]:
        """What is written to, by the parameters' names: an output, a list of them, or None."""
        return {
            item.name: [self._published(one) for one in self._bare[item.name]]
            if isinstance(self._bare[item.name], list)
            else self._published(self._bare[item.name])
            for item in self._items
        }

    def _published(self, target: Any) -> Any:
        return None if target is None else replace(target, publication=self.publication)

    @cached_property
    def _bare(self) -> dict[str, Any]:
        return {item.name: self._target(item) for item in self._items}

    def _target(self, item: Parameter) -> Any:
        name = self._typed[item.name]
        if item.name in self._unused or (name is None and item.is_optional):
            return None
        if SideFile in item.kinds:
            return SideFile(place_typed(name))
        if (named := item.note(Named)) is not None:
            return [OutputTarget.of(one) for one in named.names(**values_for(named.names, self._typed))]
        return OutputTarget.of(name)

    @cached_property
    def files(self) -> list[Written]:
        """The files, and of which parameter each is."""
        return [
            (item, output.path)
            for item in self._items
            for output in each(self._bare[item.name])
            if output is not None and output.path is not None
        ]

    @cached_property
    def publication(self) -> Publication:
        """By which the files appear."""
        return Publication(
            [path for _, path in self.files],
            force=self._typed.get("force", False),
            known=self._known(),
            same_is_fine=self._typed.get("resume", False),
            command=self._command,
            announced=_announced,
        )

    def _known(self) -> frozenset[str]:
        """Return the sha256 of outputs of the run that is gone on with."""
        if not self._typed.get("resume", False):
            return frozenset()
        from maskkit.artifacts.progress_file import outputs_known

        return frozenset().union(*(outputs_known(self._progress(path)) for _, path in self.files))

    def _progress(self, path: PathOrAddress) -> Path | None:
        from maskkit.artifacts.progress_file import progress_path

        return progress_path(path)

    def refuse_usage(self) -> None:
        """Raise if one file is given to two outputs, or what is finished could not be kept beside one."""
        taken: dict[PathOrAddress, str] = {}
        for item, path in self.files:
            if path.resolve() in taken:
                why = f"{path} is given to {taken[path.resolve()]} too"
                raise typer.BadParameter(why, param_hint=item.flag)
            taken[path.resolve()] = item.flag
            if isinstance(path, Address) and self._typed.get("resume", False):
                why = f"what is finished is kept beside a file of this machine, and {item.flag} is an address"
                raise typer.BadParameter(why, param_hint="--resume")

    def refuse(self, inputs: Sequence[str | None]) -> None:
        """Raise if an output exists, is an input, or cannot be written.

        With `resume`, one that a finished run has left is compared with what this run makes, or its record
        with this run's.
        """
        for item in self._items:
            is_piped = any(one == OutputTarget(None) for one in each(self._bare[item.name]))
            if self._typed[item.name] is None and is_piped:
                refuse_terminal()
        for _, path in self.files:
            kept = self._progress(path)
            is_compared = self._typed.get("resume", False) and not (kept is not None and kept.exists())
            force = self.publication.force or is_compared
            refuse(path, force=force, known=self.publication.known, inputs=inputs)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the first file for the whole run, if that is what the command keeps its progress for."""
        if "resume" not in self._typed or not self.files:
            yield
            return
        path = self.files[0][1]
        with held(path):
            try:
                yield
            except TakenError:  # all that was done is kept under another name
                if (kept := self._progress(path)) is not None:
                    kept.unlink(missing_ok=True)
                raise


def _announced(draft: Draft | Upload) -> None:
    """Note what is about to appear where progress is kept, which outlives a kill in between."""
    from maskkit.artifacts.progress_file import note_output, progress_path

    note_output(progress_path(draft.path), draft.sha256)


def values_for(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a function's parameters name."""
    from inspect import signature

    return {name: values[name] for name in signature(function).parameters}


def each(value: Any) -> list[Any]:
    """Return what a list holds, or the one value that is none."""
    return value if isinstance(value, list) else [value]
