"""The photos of a folder and of all below it, by their suffix."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from maskkit.errors import MaskkitError, reason
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.passed_over import PassedOver
from maskkit.texts import readable


def is_photo(name: str) -> bool:
    """Whether a file of this name is taken for a photo."""
    return name.lower().endswith(PHOTO_SUFFIXES)


def walk(folder: Path, others: PassedOver) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the place and the photos of a folder and all below it, also behind symbolic links.

    Files that are no photos by their suffix are noted.
    """
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
