"""The photos of a folder and of all below it, by their suffix."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from maskkit.errors import MaskkitError, examples, reason
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.passed_over import PassedOver
from maskkit.storage.address import Address, PathOrAddress
from maskkit.storage.objects import keys_below
from maskkit.texts import readable

log = logging.getLogger(__name__)


def is_photo(name: str) -> bool:
    """Whether a file of this name is taken for a photo."""
    return name.lower().endswith(PHOTO_SUFFIXES)


def walk(folder: PathOrAddress, others: PassedOver) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the place and the photos of a folder and all below it, also behind symbolic links.

    Files that are no photos by their suffix are noted.
    """
    if isinstance(folder, Address):
        yield from _walk_objects(folder, others)
        return
    waiting: list[tuple[tuple[str, ...], frozenset[str]]] = [((), frozenset())]
    while waiting:
        place, above = waiting.pop()
        here = os.path.realpath(folder.joinpath(*place))
        if here in above:
            continue  # a link to a folder that it lies in
        try:
            entries = sorted(os.scandir(folder.joinpath(*place)), key=lambda entry: entry.name)
        except OSError as error:
            raise unlistable(folder.joinpath(*place), error) from error
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        folders = {entry.name for entry in seen if _is_folder(entry)}
        waiting += [((*place, name), above | {here}) for name in sorted(folders, reverse=True)]
        files = [entry.name for entry in seen if entry.name not in folders]
        for name in files:
            if not is_photo(name):
                others.note(folder.joinpath(*place, name))
        yield place, [name for name in files if is_photo(name)]


def _walk_objects(folder: Address, others: PassedOver) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield what is below an address in the order in which `walk` does: above before below, then by name."""
    places: defaultdict[tuple[str, ...], list[str]] = defaultdict(list, {(): []})
    unnamed: list[str] = []  # objects between whose names there is not one slash, which no reader can name
    for key, is_folder in keys_below(folder, recursive=True):
        *place, name = key.removesuffix("/").split("/")
        if any(part in ("", ".", "..") for part in (*place, name)):
            unnamed.append(key)
        elif not any(part.startswith(".") for part in (*place, name)):
            for depth in range(len(place) + 1):
                _ = places[tuple(place[:depth])]
            if is_folder:
                _ = places[(*place, name)]
            else:
                places[tuple(place)].append(name)
    if unnamed:
        log.warning(
            "passed over %d objects below %s, as an empty part, `.` or `..` is in their keys: %s",
            len(unnamed), folder, examples(unnamed),
        )  # fmt: skip
    for above in sorted(places):
        names = sorted(places.pop(above))
        for name in names:
            if not is_photo(name):
                others.note(folder.joinpath(*above, name))
        yield above, [name for name in names if is_photo(name)]


def unlistable(folder: Path | str, error: OSError) -> MaskkitError:
    """Return the error that names a folder whose files cannot be listed."""
    return MaskkitError(
        f"cannot list the folder {readable(str(folder))}",
        why=reason(error),
        fix="make it readable, or move it out of the tree",
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or leads to one; a link that leads to itself does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False
