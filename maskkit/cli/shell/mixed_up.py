"""Files in each other's place: what each is, and the line with all where they belong."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from maskkit.cli.shell.parameters import ARTIFACTS, Parameter, Source
from maskkit.cli.shell.resuming import typed
from maskkit.cli.shell.streams import STREAM
from maskkit.cli.shell.usage import said_of
from maskkit.errors import MaskkitError
from maskkit.plain_text import printable
from maskkit.storage.address import place_of

# By kind, how errors call an artifact; and which line makes one.
NAMES = {
    "manifest": "a manifest",
    "predictions": "a table of predictions",
    "checkpoint": "a checkpoint",
    "decision": "a decision",
    "model": "an exported model",
    "survey": "a survey of photos",
}
MADE_BY = {
    "manifest": "`maskkit label` makes one of photos, and `maskkit split` gives it folds",
    "predictions": "`maskkit predict` makes one of a manifest and checkpoints",
    "checkpoint": "`maskkit train` makes one of a manifest with folds",
    "decision": "`maskkit evaluate --tune factors --decision FILE` makes one",
}
TABLES = (".csv", ".tsv")
Slot = tuple[Parameter, str]  # and the name of a file that was given for it


def mixed_up(
    item: Parameter, name: str | None, slots: Sequence[Slot], parameters: Sequence[Parameter]
) -> MaskkitError | None:
    """Return the error for a file that is another artifact than its place takes; None if it is not.

    `slots` are all files of the command, in the order of its `parameters`.
    """
    wanted = _kind(item)
    if name in (None, STREAM) or wanted is None:
        return None
    found = kind_of(str(name))
    if found is None and wanted == "manifest":
        return _no_manifest_yet(str(name))
    if found is None or found == wanted:
        return None
    command, words = typed.get()
    what = f"{name} is {NAMES[found]}, where {command} takes {NAMES[wanted]}"
    if places := _permuted(slots):
        order = " ".join(f"{one.flag}{'...' if one.is_several else ''}" for one in _in_order(slots))
        line = printable(f"{command} {shlex.join([places.get(word, word) for word in words])}")
        return MaskkitError(what, why=f"the order is {order}", fix=f"write: {line}")
    given = {one.name for one, _ in slots}
    others = [one.flag for one in parameters if _kind(one) == found and one.name not in given]
    fix = f"give {name} as {others[0]}; " if others else ""
    return MaskkitError(what, why=f"{item.flag}: {said_of(item)}", fix=fix + MADE_BY[wanted])


def _no_manifest_yet(name: str) -> MaskkitError | None:
    """Return the error for photos as they come; None if it is something else."""
    what = "a folder" if place_of(name).is_dir() else "a table" if name.lower().endswith(TABLES) else ""
    if not what or not place_of(name).exists():
        return None
    return MaskkitError(
        f"{name} is {what}, and no manifest yet",
        why="`maskkit label` makes a manifest of photos, which all other commands take",
        fix=f"write: maskkit label {shlex.quote(name)} -o labels.parquet",
    )


def kind_of(name: str) -> str | None:
    """Return the kind of artifact that a file is; None if it is none, or cannot be read."""
    from maskkit.artifacts.files import Source as OpenedSource
    from maskkit.stages.show import header_of

    with suppress(MaskkitError, OSError):
        return header_of(OpenedSource.open(name)).kind if place_of(name).is_file() else None
    return None


def _kind(item: Parameter) -> str | None:
    known = item.artifact in ARTIFACTS and item.artifact is not Source
    return item.artifact.__name__.lower() if known else None


def _in_order(slots: Sequence[Slot]) -> list[Parameter]:
    """Return the parameters with files, those without a flag first."""
    found = list({item.name: item for item, _ in slots}.values())
    return sorted(found, key=lambda item: item.flag.startswith("-"))


def _permuted(slots: Sequence[Slot]) -> Mapping[str, str]:
    """Return by which file each has to be replaced for all to be where they belong; nothing if none fits."""
    placed = [(_kind(item), name, kind_of(name)) for item, name in slots if _kind(item) is not None]
    rest: dict[Any, list[str]] = {}
    for _, name, kind in placed:
        rest.setdefault(kind, []).append(name)
    found: dict[str, str] = {}
    for wanted, name, kind in placed:
        if kind is None:
            continue
        if not rest.get(wanted):
            return {}
        found[name] = rest[wanted].pop(0)
    return found
