"""Turn a folder of photos, or a table of them, into a manifest."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.checks import COLUMNS, LEVEL, check, labels_from_factors
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.checking import check_photos
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.progress import Track, untracked
from maskkit.sources.competition import TEST_COLUMN, is_training, training_photos, unlabelled_photos
from maskkit.sources.folders import folder_photos
from maskkit.sources.listing import Listing, image_root
from maskkit.sources.tables import read_table, table_photos

log = logging.getLogger(__name__)

NAMED = 20  # how many bad photos an error names


def label(
    source: Source | Path | str,
    *,
    root: str | None = None,
    task: Source | Path | str | None = None,
    skip_bad: bool = False,
    track: Track = untracked,
) -> Manifest:
    """List photos, look at each, and give each its class.

    Args:
        source: The competition's train.csv or info.csv, a folder that holds one of them, a tree of
            class folders, or any CSV or Parquet with `path` and the factors.
        root: The folder that paths are relative to; found beside the table if not given.
        task: A task file that describes the label space; the home task's if not given.
        skip_bad: Leave out photos that are missing or cannot be decoded, instead of stopping.
        track: Shows progress.

    Raises:
        MaskkitError: Nothing was found, a column or value does not fit, or photos are bad.
    """
    task = Source.open(task) if isinstance(task, Path | str) else task
    space = HOME if task is None else LabelSpace.from_toml(task.data.to_pybytes().decode("utf-8", "replace"))
    listing, given = _listing(source, root, space)
    table = check(_table(listing, space, name=given.path), Header("manifest", space), name=given.path)
    paths = table["path"].to_pylist()
    bad, photos = check_photos([listing.root / path for path in paths], names=paths, track=track)
    bad = {**listing.missing, **bad}
    if bad:
        _report(bad, root=listing.root, total=len(paths) + len(listing.missing), skip_bad=skip_bad)
        table = table.filter(pa.array([path not in bad for path in paths]))
    inputs = [replace(given, sha256=given.sha256 or photos), Input(str(listing.root), photos, option="root")]
    if task is not None:
        inputs.append(Input(task.name, task.sha256, option="task"))
    options = {"root": str(listing.root), "task": task.name if task else None, "skip_bad": skip_bad}
    header = Header("manifest", space, (Record("label", options, tuple(inputs)),))
    return Manifest(table, header)


def _listing(source: Source | Path | str, root: str | None, space: LabelSpace) -> tuple[Listing, Input]:
    """Tell the four kinds of source apart by what they hold."""
    if not isinstance(source, Source):
        folder = Path(source)
        tables = [folder / name for name in ("train.csv", "info.csv") if (folder / name).is_file()]
        if folder.is_dir() and not tables:
            if root is not None and Path(root).resolve() != folder.resolve():
                raise MaskkitError(
                    f"{folder} is a tree of class folders, and --root is {root}",
                    why="such a tree is its own root",
                    fix="leave --root out",
                )
            listing = folder_photos(folder, space)
            return listing, Input(str(source), "")  # its digest is that of the photos
        opened = Source.open(tables[0] if tables else folder)
    else:
        opened = source
    table = read_table(opened)
    place = image_root(Path(opened.name) if opened.name != "-" else Path("table"), root)
    if is_training(table):
        listing = training_photos(table, place, space)
    elif TEST_COLUMN in table.columns and "path" not in table.columns:
        listing = unlabelled_photos(table, place)
    else:
        listing = table_photos(table, place, space, name=opened.name)
    name = str(source) if not isinstance(source, Source) else source.name
    return listing, Input(name, opened.sha256)


def _table(listing: Listing, space: LabelSpace, *, name: str) -> pa.Table:
    rows = len(listing)
    given = listing.columns
    columns: dict[str, pa.Array] = {
        "path": _paths(given["path"], name=name),
        "person_id": _text(given.get("person_id", [None] * rows)),
    }
    for factor in space.factors:
        values = given.get(factor.name, [None] * rows)
        columns[factor.name] = _numbers(factor, values) if factor.is_numeric else _levels(factor, values)
    label = labels_from_factors(pa.table(columns), space, name=name)
    if "label" in given:
        told = _classes(given["label"], space)  # class folders know the class, not the age
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
    others = {
        column: pa.array(values) for column, values in given.items() if column not in {*columns, *COLUMNS}
    }
    return pa.table({**columns, **others})


def _paths(values: Sequence[object], *, name: str) -> pa.Array:
    """Return paths in one spelling: `./a.jpg`, which `find` prints, is `a.jpg`."""
    if None in values:
        raise MaskkitError(
            f"{name} has no path in row {list(values).index(None) + 1}",
            why="the path names the photo",
            fix="correct the table",
        )
    return pa.array([posixpath.normpath(str(value)) for value in values], pa.string())


def _text(values: Sequence[object]) -> pa.Array:
    return pa.array([None if value is None else _plain(value) for value in values], pa.string())


def _plain(value: object) -> str:
    """Return a cell's text; whole numbers have no `.0`, which nulls in their column may have given them."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value).strip()  # type: ignore[call-overload]


def _classes(values: Sequence[object], space: LabelSpace) -> NDArray[np.int64]:
    """Return class numbers of numbers or names, (rows,); -1 where there is none."""
    numbers = {name: index for index, name in enumerate(space.names)}
    numbers |= {str(index): index for index in range(len(space))}
    text = ["" if value is None else _plain(value) for value in values]
    strangers = sorted({value for value in text if value and value not in numbers})
    if strangers:
        raise MaskkitError(
            f"label has the values {examples(strangers)}",
            why=f"it is a class, 0 to {len(space) - 1} or a name such as {space.names[0]}, or empty",
            fix="correct or rename the column",
        )
    return np.array([numbers.get(value, -1) for value in text], np.int64)


def _levels(factor: Factor, values: Sequence[object]) -> pa.Array:
    """Return level names as a dictionary in the factor's order, so that level 0 has code 0."""
    text = [None if value is None else str(value).strip() for value in values]
    strangers = sorted({value for value in text if value is not None and value not in factor.levels})
    if strangers:
        raise MaskkitError(
            f"{factor.name} has the values {examples(strangers)}",
            why=f"the levels of {factor.name} are {', '.join(factor.levels)}",
            fix="correct the table, or describe your own levels with --task",
        )
    code = {level: index for index, level in enumerate(factor.levels)}
    codes = pa.array([None if value is None else code[value] for value in text], pa.int16())
    return pa.DictionaryArray.from_arrays(codes, pa.array(factor.levels))


def _numbers(factor: Factor, values: Sequence[object]) -> pa.Array:
    """Return the numbers as int16 if all are whole and fit, else as float64."""
    numbers = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        try:
            numbers[row] = np.nan if value is None else float(str(value))
            if np.isinf(numbers[row]):
                raise ValueError("not a number one can count with")
        except ValueError as error:
            raise MaskkitError(
                f"{factor.name} is {value!r} in row {row + 1}",
                why=f"{factor.name} is a number, cut at {', '.join(map(str, factor.cuts))}",
                fix="correct the table; leave the cell empty if it is not known",
            ) from error
    known = ~np.isnan(numbers)
    whole = bool(
        (numbers[known] == np.round(numbers[known])).all() and (np.abs(numbers[known]) < 2**15).all()
    )
    kept = np.where(known, numbers, 0)
    return pa.array(kept.astype(np.int16) if whole else kept, mask=~known)


def _report(bad: Mapping[str, str], *, root: Path, total: int, skip_bad: bool) -> None:
    named = examples((f"{name} ({why})" for name, why in bad.items()), most=NAMED)
    if len(bad) == total and set(bad.values()) == {"missing"}:
        raise MaskkitError(
            f"none of the {total} photos is under {root}",
            why=f"there is no {root / next(iter(bad))}",
            fix="use --root to name the folder that the paths are relative to",
        )
    if not skip_bad:
        raise MaskkitError(
            f"{len(bad)} of {total} photos cannot be used",
            why=named,
            fix="repair or replace them, or use --skip-bad to leave them out",
        )
    if len(bad) == total:
        raise MaskkitError(f"none of {total} photos can be used", why=named, fix="check the table and --root")
    log.warning("left out %d of %d photos: %s", len(bad), total, named)
