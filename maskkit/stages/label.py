"""Turn a folder of photos, or a table of them, into a manifest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
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
from maskkit.imaging.checking import CheckedPhotos, check_photos, digest_of_photos, unchecked
from maskkit.labelling.correction_lines import review_counts
from maskkit.labelling.corrections import corrected
from maskkit.labelling.targets import AS_LABELLED, TargetRules
from maskkit.options.shard import Shard
from maskkit.sources.bad_photos import report_ages, report_bad, say_what_is_lacking
from maskkit.sources.given_photos import GivenPhotos
from maskkit.sources.layouts import Listing
from maskkit.sources.manifest_columns import impossible_ages, listed, replaced
from maskkit.sources.other_spellings import as_on_disk
from maskkit.storage.address import PathOrAddress

log = logging.getLogger(__name__)

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
    task, amended = _opened(task), _opened(corrections, encoding)
    given = GivenPhotos.of(
        source, root=root, task=task, unlabelled=unlabelled, any_folder=any_folder, person_from=person_from,
        encoding=encoding,
    )  # fmt: skip
    table, respelled = _labelled(given, amended, targets, skip_bad=skip_bad, is_looked_at=not no_check)
    files = {"task": task, "corrections": amended}
    options = {
        "root": str(given.root),
        "unlabelled": given.unlabelled,
        **({} if person_from is None else {"person_from": person_from}),
        **{name: file.name if file else None for name, file in files.items()},
        **targets.to_json(),
        "skip_bad": skip_bad,
        "no_check": no_check,
        **({} if encoding is None else {"encoding": encoding}),
        **({} if shard is None else {SHARD: str(shard)}),
    }
    reviewed = {} if amended is None else review_counts(amended)
    found: dict[str, object] = {RESPELLED: respelled} if respelled else {}
    found |= {REVIEWED: reviewed} if reviewed else {}
    record = partial(_record, given.named_by, files, options, found)
    own = slice(0, len(table)) if shard is None else shard.of(len(table))
    table = table.slice(own.start, own.stop - own.start)
    left, is_part = resumable or Resumable(), shard is not None
    checked = _looked_at(given.root, table["path"], record, left, no_check=no_check, is_part=is_part)
    bad = _reported(given, checked, len(table), is_first=own.start == 0, skip_bad=skip_bad)
    facts: dict[str, object] = {LEFT_OUT: bad} if bad else {}  # which `eda` shows
    if is_part:
        facts |= _without(checked, table["path"], own.start)
        table = place_rows(table, np.arange(own.start, own.stop), checked.sha256s or None)
    if bad:
        table = table.filter(pc.invert(pc.is_in(table["path"], value_set=pa.array(bad, pa.string()))))
    header = Header("manifest", given.space, (record(checked.digest),), facts)
    return Manifest(table, header, photos=PhotoSource.given(given.root))


def _opened(file: Source | Path | str | None, encoding: str | None = None) -> Source | None:
    return Source.open(file, encoding=encoding) if isinstance(file, Path | str) else file


def _labelled(
    given: GivenPhotos, amended: Source | None, targets: TargetRules, *, skip_bad: bool, is_looked_at: bool
) -> tuple[pa.Table, int]:
    """Return the columns of the manifest, and how many photos are spelled otherwise on disk."""
    listing, name = given.listing, given.named_by.path
    if listing.missing and not len(listing):  # nothing is left to look at
        report_bad(listing.missing, listing.root, len(listing.missing), skip_bad=skip_bad)
    table, respelled = _spelled(listed(listing, given.space, name=name), listing, is_looked_at=is_looked_at)
    ages = impossible_ages(listing, table, given.space)
    if amended is not None:
        table = corrected(table, given.space, amended)
    report_ages(ages, table, skip_bad=skip_bad)
    return check(targets.applied(table, given.space), Header("manifest", given.space), name=name), respelled


def _reported(
    given: GivenPhotos, checked: CheckedPhotos, photos: int, *, is_first: bool, skip_bad: bool
) -> dict[str, str]:
    """Say what is wrong with some of so many photos; return why those are bad that are left out.

    Photos that are not there belong to no row: the first part has them.
    """
    missing = given.listing.missing if is_first else {}
    bad = {**missing, **checked.faults}
    if bad:
        report_bad(bad, given.root, photos + len(missing), skip_bad=skip_bad)
    if checked.complaints:
        say_what_is_lacking(checked.complaints, photos)
    return bad


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
