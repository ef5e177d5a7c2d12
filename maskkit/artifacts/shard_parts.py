"""Parts of an artifact that shards of a run have made, and the artifact that they are together.

A part is an artifact like the whole, of some of its rows. Beside them it keeps what only the whole can say:
the place of each row, and where `label` has looked at photos, the digest of each, also of those left out. Its
last record names the shard. Joined, all that is gone: the whole has the bytes of a run that was not divided.
"""

from __future__ import annotations

import fnmatch
import glob
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record, damaged_header
from maskkit.artifacts.history import differences
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.photo_digest import PhotoDigest
from maskkit.errors import MaskkitError, examples
from maskkit.options.shard import Shard
from maskkit.storage.address import Address, place_of
from maskkit.storage.objects import names_in
from maskkit.storage.objects import opened as opened_object
from maskkit.typed_json import Sha256, fitting

if TYPE_CHECKING:
    from maskkit.artifacts.columns import Integers

log = logging.getLogger(__name__)

SHARD = "shard"  # the option of a part's last record
ROW, PHOTO = (
    "shard_row",
    "shard_sha256",
)  # columns: the place in the whole, and the digest of the photo's bytes
LEFT_OUT, WITHOUT = "left_out", "shard_left_out"  # facts of `label`: why, and the place and digest of each
SUMMED = ("leaked",)  # facts that are counts of rows
SUFFIX = ".parquet"


class StoredPartFacts(msgspec.Struct):
    """The JSON of what a part of a manifest says beside what the whole does."""

    left_out: dict[str, str] = {}
    shard_left_out: dict[str, tuple[int, Sha256 | None]] = {}


@dataclass(frozen=True)
class _Part:
    source: Source
    header: Header
    table: pa.Table
    shard: Shard

    @classmethod
    def read(cls, source: Source) -> _Part:
        header, table = read_parquet(source, kind=None)
        text = header.history[-1].options.get(SHARD) if header.history else None
        if not isinstance(text, str) or ROW not in table.column_names:
            raise MaskkitError(
                f"{source.title} is no part of anything",
                why="parts are what --shard makes",
                fix="give the parts alone; one file that is whole needs no joining",
            )
        return cls(source, header, table, Shard.read(text))

    @property
    def record(self) -> Record:
        """The last record, as that of a run which was not divided, but for the digest of photos."""
        last = self.header.history[-1]
        return replace(last, options={name: one for name, one in last.options.items() if name != SHARD})

    @property
    def photos(self) -> str | None:
        """The digest of its own photos, if it was `label` that made it."""
        if self.record.stage != "label":
            return None
        return next((item.sha256 for item in self.record.inputs if item.option == "root"), None)


def place_rows(table: pa.Table, rows: Integers, photos: Sequence[bytes | None] | None = None) -> pa.Table:
    """Return the table of a part: its rows, (N,), have these places in the whole, photos these digests.

    Raises:
        MaskkitError: It has columns of the names that parts use.
    """
    taken = [name for name in (ROW, PHOTO) if name in table.column_names]
    if taken:
        raise MaskkitError(
            f"there is a column {taken[0]} already",
            why="parts keep there what only the whole can say",
            fix="rename the column, or begin with what is whole",
        )
    table = table.append_column(ROW, pa.array(rows, pa.int64()))
    return table if photos is None else table.append_column(PHOTO, pa.array(photos, pa.binary()))


def say_if_part(header: Header, title: str) -> None:
    """Warn if an artifact that is read by itself is one of several parts."""
    shard = header.history[-1].options.get(SHARD) if header.history else None
    if shard is not None:
        log.warning("%s is part %s: the other parts' rows are not in it", title, shard)


def named(path: Path | str) -> list[str] | None:
    """Return the names of the parts in a folder, or that a pattern such as `part-*.parquet` fits, in order.

    None if it is neither: a folder without parts may hold anything, and a file whose name looks like a
    pattern is that file.
    """
    place = place_of(path)
    if isinstance(place, Address):
        return _named_objects(place)
    path = place
    if os.path.isdir(path):  # noqa: PTH112 - which says no of a name that cannot be
        found = sorted(map(str, path.glob(f"*{SUFFIX}")))
        return found if found and _is_part(found[0]) else None
    if not glob.has_magic(str(path)) or os.path.exists(path):  # noqa: PTH110 - likewise
        return None
    return sorted(glob.glob(str(path))) or None  # noqa: PTH207 - of a path that may be absolute


def _named_objects(address: Address) -> list[str] | None:
    """Return the addresses of the parts below one, or that a pattern of names in one folder fits."""
    if glob.has_magic(address.name) and not address.exists():
        fitting = fnmatch.filter(names_in(address.parent), address.name)
        return [str(address.parent / name) for name in fitting] or None
    found = [str(address / name) for name in names_in(address) if name.endswith(SUFFIX)]
    return found if found and _is_part(found[0]) else None


def _is_part(path: str) -> bool:
    """Whether a file has the column that parts have, by its footer alone."""
    import pyarrow.parquet as pq

    place = place_of(path)
    try:
        if isinstance(place, Address):
            with opened_object(place) as there:
                return ROW in pq.read_schema(there.seekable).names
        return ROW in pq.read_schema(path).names
    except (OSError, pa.ArrowException, ValueError):
        return False


def opened(path: Path | str) -> Source | None:
    """Return the whole that the parts in a folder or of a pattern are, None if it names no parts.

    Raises:
        MaskkitError: As `joined`.
    """
    names = named(path)
    return None if names is None else Source(str(path), joined([Source.open(name) for name in names]))


def joined(sources: Sequence[Source]) -> pa.Buffer:
    """Return the bytes of the artifact whose parts these are, one or more in any order.

    Raises:
        MaskkitError: One is no part, one lacks or is there twice, or they are of different runs.
    """
    parts = sorted(map(_Part.read, sources), key=lambda part: part.shard.number)
    _check_complete(parts)
    for part in parts[1:]:
        _check_alike(parts[0], part)
    facts = _facts(parts)
    import pyarrow.compute as pc  # by functions, as `pyarrow.parquet` elsewhere

    table = pa.concat_tables([part.table for part in parts], promote_options="default")
    table = table.take(pc.sort_indices(table, [(ROW, "ascending")]))
    record = _record(parts, table)
    header = replace(parts[0].header, history=(*parts[0].header.history[:-1], record), facts=facts)
    return to_parquet(_as_made(table, parts[0]).combine_chunks(), header)


def _as_made(table: pa.Table, part: _Part) -> pa.Table:
    """Return the table without the columns of parts, and with the types that its stage makes.

    These are those of a part, but that Parquet calls what is in lists by another name; a manifest passes on
    some columns as they were read.
    """
    import pyarrow.parquet as pq

    from maskkit.artifacts.checks import COLUMNS  # which loads functions of Arrow

    is_manifest = part.header.kind == "manifest"
    fields = [
        field.with_type(COLUMNS.get(field.name, field.type) if is_manifest else _made(field.type))
        for field in pq.read_schema(pa.BufferReader(part.source.data))
        if field.name not in (ROW, PHOTO)
    ]
    return table.select([field.name for field in fields]).cast(pa.schema(fields))


def _made(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type, kind.list_size)
    return pa.list_(_made(kind.value_type)) if pa.types.is_list(kind) else kind


def _check_complete(parts: Sequence[_Part]) -> None:
    """Raise unless all parts of one division are there, sorted by their numbers, and once."""
    first, count = parts[0], parts[0].shard.count
    for part in parts:
        if part.shard.count != count:
            raise MaskkitError(
                f"{part.source.title} is part {part.shard}, and {first.source.title} {first.shard}",
                why="they divide the rows otherwise",
                fix="give the parts of one division",
            )
    for part, other in pairwise(parts):
        if part.shard == other.shard:
            raise MaskkitError(
                f"{part.source.title} and {other.source.title} are both part {part.shard}",
                why="its rows would be there twice",
                fix="leave one out",
            )
    lacking = sorted(set(range(1, count + 1)) - {part.shard.number for part in parts})
    if lacking:
        raise MaskkitError(
            f"of {count} parts, {len(lacking)} are not there: {examples(map(str, lacking))}",
            why="the whole is all of them",
            fix=f"run `maskkit {first.record.stage}` with --shard {lacking[0]}/{count} too, on any machine",
        )


def _check_alike(first: _Part, other: _Part) -> None:
    """Raise unless two parts are of runs that differ in nothing but the shard."""
    mine, theirs = (_without(part, part.record) for part in (first, other))
    before = [part.header.history[:-1] for part in (first, other)]
    if mine == theirs and before[0] == before[1] and first.header.space == other.header.space:
        return
    changed = differences(mine, theirs) or ["what they were made of has another history"]
    raise MaskkitError(
        f"{first.source.title} and {other.source.title} are parts of different runs",
        why="; ".join(changed),
        fix="make all parts by the same line but for --shard",
    )


def _without(part: _Part, record: Record, digest: str = "0" * 64) -> Record:
    """Return a record with another digest of photos in the place of the part's own."""
    if part.photos is None:
        return record
    each = (replace(one, sha256=digest) if one.sha256 == part.photos else one for one in record.inputs)
    return replace(record, inputs=tuple(each))


def _record(parts: Sequence[_Part], table: pa.Table) -> Record:
    """Return the last record of the whole, with the digest of all photos if `label` has made it."""
    first = parts[0]
    return first.record if first.photos is None else _without(first, first.record, _digest(parts, table))


def _digest(parts: Sequence[_Part], table: pa.Table) -> str:
    without = {row: (name, sha256) for part in parts for name, (row, sha256) in _left_out(part).items()}
    found, digest = without, PhotoDigest()
    photos = table[PHOTO] if PHOTO in table.column_names else pa.nulls(len(table), pa.binary())
    lines = _lines(table[ROW], table["path"], photos)
    pending = next(lines, None)
    for row in range(len(table) + len(found)):
        if row in found:
            name, sha256 = found[row]
            digest.add(name, bytes.fromhex(sha256) if sha256 else None)
        elif pending is not None and pending[0] == row:
            digest.add(*pending[1:])
            pending = next(lines, None)
        else:
            raise damaged_header(parts[0].source.title, f"no part holds row {row} of the whole")
    return digest.text


def _lines(*columns: Any) -> Iterator[tuple[int, str, bytes | None]]:
    for batch in pa.table(list(columns), names=["row", "name", "photo"]).to_batches(max_chunksize=10_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _left_out(part: _Part) -> dict[str, tuple[int, str | None]]:
    refuse = partial(damaged_header, part.source.title)
    return fitting(dict(part.header.facts), StoredPartFacts, refuse).shard_left_out


def _facts(parts: Sequence[_Part]) -> Mapping[str, Any]:
    """Return the facts of the whole: sums of counts, what was left out of each part, and what all say."""
    facts = {name: value for name, value in parts[0].header.facts.items() if name != WITHOUT}
    for part in parts[1:]:
        theirs = part.header.facts
        for name in SUMMED:
            if name in facts:
                facts[name] += theirs.get(name, 0)
        if LEFT_OUT in theirs:
            facts[LEFT_OUT] = {**facts.get(LEFT_OUT, {}), **theirs[LEFT_OUT]}
    return facts
