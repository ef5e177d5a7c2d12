"""From what a source lists to the columns of a manifest; each different value of a cell is read once."""

from __future__ import annotations

import logging
import posixpath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import COLUMNS, LEVEL, NOT_RELATIVE, check, labels_from_factors
from maskkit.artifacts.columns import Floats, Ints, encoded
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest, PhotoSource
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.checking import unchecked
from maskkit.labels import AGE, OLDEST, Factor, LabelSpace
from maskkit.sources.class_folders import folder_photos
from maskkit.sources.layouts import Listing
from maskkit.storage.address import PathOrAddress
from maskkit.texts import composed, number_of

log = logging.getLogger(__name__)


def unlabelled_folder(
    folder: PathOrAddress, space: LabelSpace, *, faults: dict[str, str] | None = None
) -> Manifest:
    """Return the manifest of the photos under a folder as `label --unlabelled --no-check` makes it.

    `faults` takes by path what is wrong with photos whose names are not UTF-8, which are left out; None to
    raise.

    Raises:
        MaskkitError: There are none.
    """
    name, header = str(folder), Header("manifest", space)
    listing = folder_photos(folder, space, unlabelled=True)
    if listing.missing and (faults is None or not len(listing)):
        raise MaskkitError(
            f"{len(listing.missing)} photos under {folder} have names that are not UTF-8",
            why=examples(f"{path} ({why})" for path, why in listing.missing.items()),
            fix="rename them",
        )
    if faults is not None:
        faults |= listing.missing
    table = check(listed(listing, space, name=name), header, name=name)
    digest = unchecked(table["path"])
    options = {"root": name, "unlabelled": True, "no_check": True}
    inputs = (Input(name, digest), Input(name, digest, option="root"))
    manifest = Manifest(table, Header("manifest", space, (Record("label", options, inputs),)))
    source = Source(name, pa.py_buffer(manifest.to_bytes()))
    return Manifest(table, manifest.header, source, PhotoSource.given(folder))


def listed(listing: Listing, space: LabelSpace, *, name: str) -> pa.Table:
    """Return the columns of a manifest for what a source lists, before they are checked.

    The name of the source is for error texts.
    """
    rows, given = len(listing), listing.columns
    unknown = pa.chunked_array([pa.nulls(rows, pa.string())])
    if given["path"].null_count:
        raise MaskkitError(
            f"{name} has no path in row {pc.index(given['path'].is_null(), True).as_py() + 1}",
            why="the path names the photo",
            fix="correct the table",
        )
    columns: dict[str, pa.ChunkedArray | pa.Array] = {
        "path": short_paths(given["path"]),
        "person_id": _whole(pc.utf8_trim_whitespace(text(given.get("person_id", unknown), "person_id"))),
    }
    for factor in space.factors:
        values = given.get(factor.name, unknown)
        columns[factor.name] = numbers(factor, values) if factor.is_numeric else levels(factor, values)
    label = labels_from_factors(pa.table(columns), space, name=name)
    if "label" in given:
        known = classes(given["label"], space)  # class folders name the class, not the age
        label = np.where(known >= 0, known, label)
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


def replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Return the table with other values of a column that it has."""
    return table.set_column(table.column_names.index(name), name, values)


def text(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Return a column as text; whole numbers have no `.0`, which nulls beside them may have given them."""
    kind = column.type
    try:
        if pa.types.is_floating(kind):
            whole = pc.fill_null(pc.equal(column, pc.round(column)), True)
            if pc.all(whole, min_count=0).as_py():
                column = column.cast(pa.int64())
        elif pa.types.is_boolean(kind):
            column = pc.if_else(column, "True", "False")
        return column.cast(pa.string())
    except pa.ArrowException as error:
        raise MaskkitError(
            f"{name} holds {kind}",
            why=f"it is text or a number: {str(error).splitlines()[0]}",
            fix="correct or rename the column",
        ) from error


def short_paths(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return paths in one spelling: `./a.jpg`, which `find` prints, is `a.jpg`."""
    paths = text(column, "path")
    if pc.any(pc.starts_with(paths, "./"), min_count=0).as_py():  # the regex takes fifty times as long
        paths = pc.replace_substring_regex(paths, r"^(\./+)+", "")
    odd = pc.fill_null(pc.match_substring_regex(paths, NOT_RELATIVE), False)
    if not pc.any(odd, min_count=0).as_py():
        return paths
    plain = [posixpath.normpath(path) for path in paths.filter(odd).to_pylist()]
    return pc.replace_with_mask(paths, odd.combine_chunks(), pa.array(plain, pa.string()))


def classes(column: pa.ChunkedArray, space: LabelSpace) -> Ints:
    """Return class numbers of numbers or names, (rows,); -1 where there is none."""
    codes, values = encoded(pc.utf8_trim_whitespace(text(column, "label")))
    numbers = {name: index for index, name in enumerate(space.names)}
    numbers |= {str(index): index for index in range(len(space))}
    given = [value or "" for value in values.to_pylist()]
    found = [next((one for one in _spellings(value) if one in numbers), value) for value in given]
    unknown = sorted({value for value in found if value and value not in numbers})
    if unknown:
        raise MaskkitError(
            f"label has the values {examples(unknown)}",
            why=f"it is a class, 0 to {len(space) - 1} or a name such as {space.names[0]}, or empty",
            fix="correct or rename the column",
        )
    # The last stands for code -1, which is null.
    return np.array([*(numbers.get(value, -1) for value in found), -1], np.int64)[codes]


def levels(factor: Factor, column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return level names as a dictionary in the factor's order, so that level 0 has code 0."""
    codes, values = encoded(column)
    names = pc.utf8_trim_whitespace(text(values, factor.name))
    place = _level_places(names, factor)
    if place.null_count:
        used = np.isin(np.arange(len(values)), codes) & place.is_null().to_numpy(zero_copy_only=False)
        unknown = sorted(set(names.filter(pa.array(used)).to_pylist()))
        if unknown:
            raise MaskkitError(
                f"{factor.name} has the values {examples(unknown)}",
                why=f"the levels of {factor.name} are {', '.join(factor.levels)}",
                fix="correct the table, or describe your own levels with --task",
            )
    level = np.append(pc.fill_null(place, 0).to_numpy(zero_copy_only=False), 0).astype(np.int16)[codes]
    return pa.DictionaryArray.from_arrays(pa.array(level, mask=codes < 0), list(factor.levels))


def _level_places(names: pa.Array, factor: Factor) -> pa.Array:
    """Return which level each name is, null if none; also as pandas or macOS spell it."""
    levels = pa.array(factor.levels, pa.string())
    place = pc.index_in(names, value_set=levels)
    if place.null_count == names.null_count:
        return place
    spelled = [
        next((one for one in _spellings(name or "") if one in factor.levels), name)
        for name in names.to_pylist()
    ]
    return pc.index_in(pa.array(spelled, pa.string()), value_set=levels)


def _spellings(word: str) -> tuple[str, ...]:
    """Return a word, and as what it may be meant: `1.0` as 1, which a number beside missing ones was."""
    return word, composed(word), word.removesuffix(".0")


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts without the `.0` that pandas writes behind whole numbers beside missing ones."""
    if not pc.all(pc.ends_with(column, ".0"), min_count=1).as_py():
        return column
    if not pc.all(pc.match_substring_regex(column, r"^[0-9]+\.0$")).as_py():
        return column
    return pc.replace_substring_regex(column, r"\.0$", "")


def impossible_ages(listing: Listing, table: pa.Table, space: LabelSpace) -> dict[int, object]:
    """Return the rows of a source with an age below 0 or above 120, which is unknown in the table, and it."""
    has_ages = any(factor.name == AGE and factor.is_numeric for factor in space.factors)
    given = listing.columns.get(AGE)
    if not has_ages or given is None:
        return {}
    lost = np.flatnonzero(pc.and_(table[AGE].is_null(), given.is_valid()).to_numpy())
    values = given.take(pa.array(lost)).to_pylist()
    return {
        row: value
        for row, value in zip(lost.tolist(), values, strict=True)
        if not np.isnan(number_of(str(value)) or 0)
    }


def numbers(factor: Factor, column: pa.ChunkedArray) -> pa.Array:
    """Return the numbers as int16 if all are whole and fit, else as float64; null for an impossible age."""
    values = _floats(factor, column)  # (rows,)
    known = ~np.isnan(values)
    if factor.name == AGE:
        known &= (values >= 0) & (values <= OLDEST)
    kept = np.where(known, values, 0)
    whole = bool((kept == np.round(kept)).all() and (np.abs(kept) < 2**15).all())
    return pa.array(kept.astype(np.int16) if whole else kept, mask=~known)


def _floats(factor: Factor, column: pa.ChunkedArray) -> Floats:
    """Return numbers, (rows,); NaN where there is none."""
    try:
        found = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
        if not np.isinf(found).any():
            return np.asarray(found, np.float64)
    except pa.ArrowException:
        pass  # some are no numbers, or have spaces around them
    codes, values = encoded(column)
    found = [number_of(str(value)) for value in values.to_pylist()]
    wrong = [code for code, number in enumerate(found) if number is None]
    if np.isin(codes, wrong).any():
        row = int(np.isin(codes, wrong).argmax())
        raise MaskkitError(
            f"{factor.name} is {column[row].as_py()!r} in row {row + 1}",
            why=f"{factor.name} is a number, cut at {', '.join(map(str, factor.cuts))}",
            fix="correct the table; leave the cell empty if it is not known",
        )
    return np.array([*found, np.nan], np.float64)[codes]
