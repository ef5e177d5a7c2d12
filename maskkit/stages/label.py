"""Turn a folder of photos, or a table of them, into a manifest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import check
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.checking import check_photos, unchecked
from maskkit.labelling.corrections import corrected
from maskkit.labelling.targets import with_ignored, with_train_cuts
from maskkit.labels import HOME, LabelSpace
from maskkit.sources.competition import TEST_COLUMN, is_training, training_photos, unlabelled_photos
from maskkit.sources.folders import folder_photos
from maskkit.sources.listed import listed
from maskkit.sources.listing import Listing, image_root
from maskkit.sources.photo_tables import read_table, table_photos

log = logging.getLogger(__name__)

NAMED = 20  # how many bad photos an error names


def label(
    source: Source | Path | str,
    *,
    root: str | None = None,
    task: Source | Path | str | None = None,
    unlabelled: bool = False,
    train_cuts: Mapping[str, Sequence[float]] = MappingProxyType({}),
    ignore: Mapping[str, Sequence[str]] = MappingProxyType({}),
    corrections: Source | Path | str | None = None,
    skip_bad: bool = False,
    no_check: bool = False,
) -> Manifest:
    """List photos, look at each, and give each its class.

    Args:
        source: The competition's train.csv or info.csv, a folder that holds one of them, a tree of
            class folders, or any CSV or Parquet with `path` and the factors.
        root: The folder that paths are relative to; found beside the table if not given.
        task: A task file that describes the label space; the home task's if not given.
        unlabelled: Take the photos of a folder that lie in no class folder, without a label.
        train_cuts: Other cuts per numeric factor, of which `target` is made; `label` is not.
        ignore: Values per factor that are never trained on: levels, numbers, or ranges such as `57-59`.
        corrections: A CSV of `path` or `person_id`, `column` and `value`, applied before all else.
        skip_bad: Leave out photos that are missing or cannot be decoded, instead of stopping.
        no_check: Do not open any photo. The record then holds a digest of their names, not of their bytes.

    Raises:
        MaskkitError: Nothing was found, a column or value does not fit, or photos are bad.
    """
    task = Source.open(task) if isinstance(task, Path | str) else task
    space = task_space(task)
    amended = Source.open(corrections) if isinstance(corrections, Path | str) else corrections
    listing, given = _listing(source, root, space, unlabelled=unlabelled)
    table = listed(listing, space, name=given.path)
    if amended is not None:
        table = corrected(table, space, amended)
    table = with_ignored(with_train_cuts(table, space, train_cuts), space, ignore)
    table = check(table, Header("manifest", space), name=given.path)
    paths = table["path"]
    bad, photos = ({}, unchecked(paths)) if no_check else check_photos(listing.root, paths)
    bad = {**listing.missing, **bad}
    if bad:
        _report(bad, root=listing.root, total=len(paths) + len(listing.missing), skip_bad=skip_bad)
        table = table.filter(pc.invert(pc.is_in(paths, value_set=pa.array(bad, pa.string()))))
    inputs = [replace(given, sha256=given.sha256 or photos), Input(str(listing.root), photos, option="root")]
    files = {"task": task, "corrections": amended}
    inputs += [Input(file.name, file.sha256, option=name) for name, file in files.items() if file]
    options = {
        "root": str(listing.root),
        "unlabelled": unlabelled,
        **{name: file.name if file else None for name, file in files.items()},
        "train_cuts": {factor: list(cuts) for factor, cuts in train_cuts.items()},
        "ignore": {factor: list(values) for factor, values in ignore.items()},
        "skip_bad": skip_bad,
        "no_check": no_check,
    }
    facts = {"left_out": bad} if bad else {}  # which `eda` tells
    header = Header("manifest", space, (Record("label", options, tuple(inputs)),), facts)
    return Manifest(table, header)


def task_space(task: Source | Path | str | None) -> LabelSpace:
    """Return the label space that a task file describes; the home task's if there is none."""
    if task is None:
        return HOME
    task = task if isinstance(task, Source) else Source.open(task)
    return LabelSpace.from_toml(task.data.to_pybytes().decode("utf-8", "replace"))


def _listing(
    source: Source | Path | str, root: str | None, space: LabelSpace, *, unlabelled: bool
) -> tuple[Listing, Input]:
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
            listing = folder_photos(folder, space, unlabelled=unlabelled)
            return listing, Input(str(source), "")  # its digest is that of the photos
        opened = Source.open(tables[0] if tables else folder)
    else:
        opened = source
    table = read_table(opened)
    place = image_root(Path(opened.name) if opened.name != "-" else Path("table"), root)
    if is_training(table):
        listing = training_photos(table, place, space)
    elif TEST_COLUMN in table.column_names and "path" not in table.column_names:
        listing = unlabelled_photos(table, place)
    else:
        listing = table_photos(table, place, space, name=opened.name)
    name = str(source) if not isinstance(source, Source) else source.name
    return listing, Input(name, opened.sha256)


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
