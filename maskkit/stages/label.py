"""Turn a folder of photos, or a table of them, into a manifest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import check
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest, PhotoSource
from maskkit.artifacts.resumable import Resumable
from maskkit.artifacts.script import RESPELLED
from maskkit.artifacts.shard_parts import LEFT_OUT, SHARD, WITHOUT, place_rows
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.checking import CheckedPhotos, check_photos, digest_of_photos, unchecked
from maskkit.labelling.correction_lines import review_counts
from maskkit.labelling.corrections import corrected
from maskkit.labelling.targets import AS_LABELLED, TargetRules
from maskkit.labels import AGE, HOME, OLDEST, LabelSpace
from maskkit.options.shard import Shard
from maskkit.sources.class_folders import PhotoTree
from maskkit.sources.layouts import Listing, PhotoTable
from maskkit.sources.manifest_columns import impossible_ages, listed, replaced
from maskkit.sources.other_spellings import as_on_disk
from maskkit.sources.own_classes import say_what_was_found, space_of_folders
from maskkit.sources.people_from_names import with_people
from maskkit.sources.reading import photo_table
from maskkit.storage.address import PathOrAddress, place_of

log = logging.getLogger(__name__)

NAMED = 20  # how many bad photos an error names
REVIEWED = "reviewed"  # in the record: how many corrections a person has confirmed, changed and struck


def label(
    source: Source | Path | str,
    *,
    root: str | None = None,
    task: Source | Path | str | None = None,
    unlabelled: bool = False,
    any_folder: bool = False,
    person_from: str | None = None,
    targets: TargetRules = AS_LABELLED,
    corrections: Source | Path | str | None = None,
    encoding: str | None = None,
    skip_bad: bool = False,
    no_check: bool = False,
    shard: Shard | None = None,
    resumable: Resumable | None = None,
) -> Manifest:
    """List photos, look at each, and give each its class.

    Args:
        source: The competition's train.csv or info.csv, a folder that holds one of them, a tree of
            class folders, or any CSV or Parquet with `path` and the factors.
        root: The folder that paths are relative to; found beside the table if not given.
        task: A task file that describes the label space. If not given, it is the home task's, or for folders
            of which none names one of its classes what `space_of_folders` makes of them.
        unlabelled: Take the photos of a folder that lie in no class folder, without a label.
        any_folder: Take the classes that folders name if they make up a task, and else all as `unlabelled`.
        person_from: A regular expression of whole file names, whose one group is the person.
        targets: What is trained on in place of the labels.
        corrections: A CSV of `path` or `person_id`, `column` and `value`, applied before all else.
        encoding: That of tables which are neither UTF-8 nor begin with a mark of their own.
        skip_bad: Leave out photos that are missing or cannot be decoded, instead of stopping; an age below 0
            or above 120 is then unknown.
        no_check: Do not open any photo. The record then holds a digest of their names, not of their bytes.
        shard: The share of the photos that is looked at; the manifest is a part, for `joined`.
        resumable: What earlier runs have left. A finished one is known by its options and by the bytes of
            its table and photos, which are read for that but not decoded.

    Raises:
        MaskkitError: Nothing was found, a column or value does not fit, or photos are bad.
        FinishedError: All of it is there.
    """
    task = Source.open(task) if isinstance(task, Path | str) else task
    amended = _opened(corrections, encoding)
    photos, given = _photos(source, root, encoding)
    space, unlabelled = _space_of(photos, task, unlabelled=unlabelled, any_folder=any_folder)
    listing = _listing(photos, space, unlabelled=unlabelled, is_given=task is not None)
    if person_from is not None:
        listing = with_people(listing, person_from, name=given.path)
    if listing.missing and not len(listing):  # nothing is left to look at
        _report(listing.missing, listing.root, len(listing.missing), skip_bad=skip_bad)
    table = listed(listing, space, name=given.path)
    table, respelled = _spelled(table, listing, is_looked_at=not no_check)
    ages = impossible_ages(listing, table, space)
    if amended is not None:
        table = corrected(table, space, amended)
    _report_ages(ages, table, skip_bad=skip_bad)
    table = check(targets.applied(table, space), Header("manifest", space), name=given.path)
    own = slice(0, len(table)) if shard is None else shard.of(len(table))
    table = table.slice(own.start, own.stop - own.start)
    missing = listing.missing if own.start == 0 else {}
    files = {"task": task, "corrections": amended}
    options = {
        "root": str(listing.root),
        "unlabelled": unlabelled,
        **({} if person_from is None else {"person_from": person_from}),
        **{name: file.name if file else None for name, file in files.items()},
        **targets.to_json(),
        "skip_bad": skip_bad,
        "no_check": no_check,
        **({} if encoding is None else {"encoding": encoding}),
        **({} if shard is None else {SHARD: str(shard)}),
    }
    reviewed = {} if amended is None else review_counts(amended)
    found = {RESPELLED: respelled} if respelled else {}
    record = partial(_record, given, files, options, found | ({REVIEWED: reviewed} if reviewed else {}))
    paths = table["path"]
    left = resumable or Resumable()
    checked = _looked_at(listing.root, paths, record, left, no_check=no_check, is_part=shard is not None)
    bad = {**missing, **checked.faults}
    if bad:
        _report(bad, listing.root, len(paths) + len(missing), skip_bad=skip_bad)
    if checked.complaints:
        _say_what_is_lacking(checked.complaints, len(paths))
    facts: dict[str, object] = {LEFT_OUT: bad} if bad else {}  # which `eda` shows
    if shard is not None:
        table = place_rows(table, np.arange(own.start, own.stop), checked.sha256s or None)
        facts |= _without(checked, paths, own.start)
    if bad:
        table = table.filter(pc.invert(pc.is_in(paths, value_set=pa.array(bad, pa.string()))))
    header = Header("manifest", space, (record(checked.digest),), facts)
    return Manifest(table, header, photos=PhotoSource.given(listing.root))


def _listing(
    photos: PhotoTree | PhotoTable, space: LabelSpace, *, unlabelled: bool, is_given: bool
) -> Listing:
    """List photos for a label space; say which it is if it was not given, and is not the home task's."""
    if not isinstance(photos, PhotoTree):
        return photos.listing(space)
    listing = photos.listing(space, unlabelled=unlabelled)
    if not is_given and space != HOME:
        say_what_was_found(photos, space)
    return listing


def _record(
    given: Input,
    files: Mapping[str, Source | None],
    options: Mapping[str, object],
    found: Mapping[str, object],
    photos: str,
) -> Record:
    """Return that of a run for which the photos have such a digest."""
    inputs = [
        replace(given, sha256=given.sha256 or photos),
        Input(str(options["root"]), photos, option="root"),
    ]
    inputs += [Input(file.name, file.sha256, option=name) for name, file in files.items() if file]
    return Record("label", options, tuple(inputs), found=found)


def _looked_at(
    root: PathOrAddress,
    paths: pa.ChunkedArray,
    record: Callable[[str], Record],
    resumable: Resumable,
    *,
    no_check: bool,
    is_part: bool,
) -> CheckedPhotos:
    """Look at the photos, unless an earlier run has done it all; go on where one has been stopped."""
    names = unchecked(paths)
    if resumable.may_be_finished:
        resumable.refuse_finished(record(names if no_check else digest_of_photos(root, paths)))
    with resumable.begin(record(names)) as kept:
        return CheckedPhotos(names) if no_check else check_photos(root, paths, kept=kept, is_part=is_part)


def _without(checked: CheckedPhotos, paths: pa.ChunkedArray, first: int) -> dict[str, object]:
    """Return what a part whose rows begin at `first` keeps of photos that it leaves out: place and digest."""
    each = {}
    for place, (path, sha256) in enumerate(zip(paths.to_pylist(), checked.sha256s, strict=False)):
        if path in checked.faults:
            each[path] = (first + place, sha256.hex() if sha256 else None)
    return {WITHOUT: each} if each else {}


def _opened(file: Source | Path | str | None, encoding: str | None) -> Source | None:
    return Source.open(file, encoding=encoding) if isinstance(file, Path | str) else file


def task_space(task: Source | Path | str | None, photos: PhotoTree | PhotoTable | None = None) -> LabelSpace:
    """Return the label space of a task file; without one, that of class folders, or else the home task's."""
    if task is None:
        return space_of_folders(photos) if isinstance(photos, PhotoTree) else HOME
    task = task if isinstance(task, Source) else Source.open(task)
    return LabelSpace.from_toml(task.data.to_pybytes(), title=task.title)


def _space_of(
    photos: PhotoTree | PhotoTable, task: Source | None, *, unlabelled: bool, any_folder: bool
) -> tuple[LabelSpace, bool]:
    """Return the label space of photos, and whether some of a folder may be without a label."""
    if not any_folder or not isinstance(photos, PhotoTree):
        return task_space(task, None if unlabelled else photos), unlabelled
    with suppress(MaskkitError):  # folders that make up no task, or photos outside the folders of classes
        space = task_space(task, photos)
        photos.listing(space)
        return space, False
    return task_space(task), True


def task_of_folder(folder: Path | str) -> LabelSpace:
    """Return the label space that a tree of class folders stands for, as `label` takes it."""
    photos, _ = _photos(folder, None, None)
    return task_space(None, photos)


def _photos(
    source: Source | Path | str, root: str | None, encoding: str | None
) -> tuple[PhotoTable | PhotoTree, Input]:
    """Open a table of photos, or list those of a folder that holds none."""
    if isinstance(source, Source):
        return photo_table(source, root=root), Input(source.name, source.sha256)
    folder = place_of(source)
    tables = [folder / name for name in ("train.csv", "info.csv") if (folder / name).is_file()]
    if tables or not folder.is_dir():
        opened = Source.open(str(tables[0] if tables else folder), encoding=encoding)
        return photo_table(opened, root=root), Input(str(source), opened.sha256)
    if root is not None and place_of(root).resolve() != folder.resolve():
        raise MaskkitError(
            f"{folder} is a tree of class folders, and --root is {root}",
            why="such a tree is its own root",
            fix="leave --root out",
        )
    return PhotoTree.of(folder), Input(str(source), "")  # the digest is that of the photos


def _spelled(table: pa.Table, listing: Listing, *, is_looked_at: bool) -> tuple[pa.Table, int]:
    """Return the table with its paths as they are on disk, and how many are named in another form there."""
    count = listing.respelled
    if is_looked_at:
        paths = as_on_disk(table["path"], listing.root)
        count += pc.sum(pc.not_equal(table["path"], paths)).as_py() or 0
        table = replaced(table, "path", paths)
    if count:
        log.warning("%d photos are on disk in another form of Unicode than they are named: found", count)
    return table, count


def _report_ages(ages: Mapping[int, object], table: pa.Table, *, skip_bad: bool) -> None:
    """Say which ages nobody has, of rows where no correction says another."""
    rows = [row for row in ages if not table[AGE][row].is_valid]
    if not rows:
        return
    paths = table["path"].take(pa.array(rows)).to_pylist()
    named = examples(
        (f"{path} ({AGE} {ages[row]})" for path, row in zip(paths, rows, strict=True)), most=NAMED
    )
    if not skip_bad:
        raise MaskkitError(
            f"{len(rows)} photos have an {AGE} below 0 or above {OLDEST}",
            why=named,
            fix="correct it in the table or by --corrections, or leave the cell empty; with --skip-bad, such "
            "an age is unknown",
        )
    log.warning(
        "the %s of %d photos is below 0 or above %d, and unknown now: %s", AGE, len(rows), OLDEST, named
    )


def _report(bad: Mapping[str, str], root: PathOrAddress, total: int, *, skip_bad: bool) -> None:
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
            fix="repair, rename or replace them, or use --skip-bad to leave them out",
        )
    if len(bad) == total:
        raise MaskkitError(f"none of {total} photos can be used", why=named, fix="check the table and --root")
    log.warning("left out %d of %d photos: %s", len(bad), total, named)


def _say_what_is_lacking(complaints: Mapping[str, str], total: int) -> None:
    """Name photos that can be decoded, though their pixels are not all there: every reader reads them so."""
    named = examples((f"{name} ({what})" for name, what in complaints.items()), most=NAMED)
    log.warning(
        "%d of %d photos are incomplete or damaged, and taken as they are (`maskkit audit` lists them): %s",
        len(complaints), total, named,
    )  # fmt: skip
