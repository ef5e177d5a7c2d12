"""From what a source lists to the columns of a manifest."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import COLUMNS, LEVEL, check, labels_from_factors
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.checking import unchecked
from maskkit.labels import LabelSpace
from maskkit.sources.folders import folder_photos
from maskkit.sources.listing import Listing
from maskkit.sources.table_cells import classes, levels, numbers, short_paths, text

log = logging.getLogger(__name__)


def unlabelled_folder(folder: Path, space: LabelSpace) -> Manifest:
    """Return the manifest of the photos under a folder as `label --unlabelled --no-check` makes it.

    Raises:
        MaskkitError: There are none.
    """
    name = str(folder)
    table = check(
        listed(folder_photos(folder, space, unlabelled=True), space, name=name),
        Header("manifest", space),
        name=name,
    )
    digest = unchecked(table["path"])
    options = {"root": name, "unlabelled": True, "no_check": True}
    inputs = (Input(name, digest), Input(name, digest, option="root"))
    manifest = Manifest(table, Header("manifest", space, (Record("label", options, inputs),)))
    return Manifest(table, manifest.header, Source(name, pa.py_buffer(manifest.to_bytes())))


def listed(listing: Listing, space: LabelSpace, *, name: str) -> pa.Table:
    """Return the columns of a manifest for what a source lists, before they are checked.

    Args:
        listing: Photos as the source names them.
        space: The classes.
        name: Of the source, for error texts.
    """
    rows = len(listing)
    given = listing.columns
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        "path": _paths(given["path"], name=name),
        "person_id": pc.utf8_trim_whitespace(text(given.get("person_id", _unknown(rows)), "person_id")),
    }
    for factor in space.factors:
        values = given.get(factor.name, _unknown(rows))
        columns[factor.name] = numbers(factor, values) if factor.is_numeric else levels(factor, values)
    label = labels_from_factors(pa.table(columns), space, name=name)
    if "label" in given:
        told = classes(given["label"], space)  # class folders know the class, not the age
        label = np.where(told >= 0, told, label)
    truth = pa.array(label.astype(np.int16), mask=label < 0)
    columns |= {
        "label": truth,
        "target": truth,
        "weight": pa.array(np.ones(rows, np.float32)),
        "origin": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int16), ["given"]).cast(LEVEL),
    }
    own = [column for column in COLUMNS if column in given and column not in ("path", "person_id", "label")]
    if own:
        log.warning("left out the columns %s of %s: later stages make them", ", ".join(own), name)
    others = {column: values for column, values in given.items() if column not in {*columns, *COLUMNS}}
    return pa.table({**columns, **others})


def _unknown(rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(rows, pa.string())])


def _paths(values: pa.ChunkedArray, *, name: str) -> pa.ChunkedArray:
    """Return paths in one spelling, after making sure that there are some."""
    if values.null_count:
        raise MaskkitError(
            f"{name} has no path in row {pc.index(values.is_null(), True).as_py() + 1}",
            why="the path names the photo",
            fix="correct the table",
        )
    return short_paths(values)
