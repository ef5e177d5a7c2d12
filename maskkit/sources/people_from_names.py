"""People whom the names of photos' files tell."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import PurePosixPath

import pyarrow as pa

from maskkit.errors import MaskkitError, examples
from maskkit.options.values import person_pattern
from maskkit.sources.layouts import Listing

log = logging.getLogger(__name__)


def with_people(listing: Listing, text: str, *, name: str) -> Listing:
    """Return a listing with the person of each photo, the one group of a pattern of whole file names.

    Photos whose name does not match have no person. Folders do not count, so that a person may be in several.
    The name of the source is for error texts.

    Raises:
        MaskkitError: No name matches, or the source names people itself.
    """
    pattern = person_pattern(text)
    if "person_id" in listing.columns:
        raise MaskkitError(
            f"{name} names people itself, and --person-from is {text!r}",
            why="a photo is of one person",
            fix="leave --person-from out, or the column person_id",
        )
    files = [PurePosixPath(str(path)).name for path in listing.columns["path"].to_pylist()]
    found = [pattern.fullmatch(file) for file in files]
    people = [matched[1] or None if matched else None for matched in found]
    without = [file for file, person in zip(files, people, strict=True) if person is None]
    if len(without) == len(files):
        raise MaskkitError(
            f"--person-from {text!r} finds no person in any of {len(files)} names",
            why=f"it has to match the whole name of a file, such as {examples(files)}",
            fix=r"write it like '(\d+)_.*', with .* for what may be anything",
        )
    if without:
        log.warning(
            "%d of %d photos have no person, as --person-from does not match their names: %s",
            len(without), len(files), examples(without),
        )  # fmt: skip
    return replace(
        listing, columns={**listing.columns, "person_id": pa.chunked_array([pa.array(people, pa.string())])}
    )
