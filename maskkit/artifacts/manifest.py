"""The manifest: a table with one row per photo, to which each stage adds columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import check
from maskkit.artifacts.columns import as_pandas, encoded
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record, damaged_header
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.publishing import write_whole
from maskkit.artifacts.shard_parts import say_if_part
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.storage.address import Address, PathOrAddress, is_address, place_of
from maskkit.typed_json import fitting

if TYPE_CHECKING:
    import pandas as pd

    from maskkit.cache.records import Cache

NEVER_HELD_OUT = -1
# And every other column by label.
MADE_BY = {"fold": "split", "box": "crop", "flags": "audit", "for_fold": "pseudo", "target_probs": "pseudo"}
UNKNOWN = -1  # stands for null in integer arrays handed to NumPy
NOT_IN_SPLIT = -2


@dataclass(frozen=True)
class Groups:
    """Rows grouped by a column: `values[codes]` names the group of each row."""

    codes: NDArray[np.int64]  # (rows,)
    values: pa.ChunkedArray | pa.Array  # string, (groups,)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def names(self) -> list[str]:
        """The names of the groups."""
        return self.values.to_pylist()  # type: ignore[no-any-return]


@dataclass(frozen=True)
class PhotoSource:
    """Where photos are and how decoded ones are kept, as chosen where a command begins."""

    # The folder that paths are relative to; None for MASKKIT_ROOT, or the one that `label` recorded.
    root: str | None = None
    cache: Cache | None = None  # where decoded photos are kept; None to decode them whenever they are wanted
    beside: Path | None = None  # the folder that the manifest itself is in; None if it is in no file

    @classmethod
    def given(cls, root: PathOrAddress) -> PhotoSource:
        """Return where photos are that were listed just now: an address that was given needs no --root."""
        return cls(root=str(root) if isinstance(root, Address) else None)


class StoredManifestFacts(msgspec.Struct):
    """The JSON of what a manifest says beside its label space and history."""

    left_out: dict[str, str] = {}  # photos that `label` passed over, and why


@dataclass(frozen=True)
class Manifest:
    """A checked table of photos and its header."""

    table: pa.Table  # `path`, `person_id`, one column per factor, `label`, and more: see `checks.COLUMNS`
    header: Header  # label space and history
    source: Source | None = None  # what the manifest was read from; None if it was made in this process
    photos: PhotoSource = PhotoSource()  # where its photos are; no part of the artifact

    @classmethod
    def read(cls, source: Source | Path | str, *, divided: bool = False) -> Manifest:
        """Read and check a manifest, if `divided` also one with a person in two folds, to say who it is.

        Raises:
            MaskkitError: It is not a manifest, or its columns contradict each other.
            RefusedError: A person is in two folds, and the split did not allow it.
        """
        source = source if isinstance(source, Source) else Source.open(source)
        header, table = read_parquet(source, kind="manifest")
        say_if_part(header, source.title)
        fitting(header.facts, StoredManifestFacts, partial(damaged_header, source.title))
        source.let_go()
        table = check(table, header, name=source.title, divided=divided)
        # An address is read where a person gave it: nothing beside one is looked for.
        beside = None if source.name == "-" or is_address(source.name) else Path(source.name).parent
        return cls(table, header, source, PhotoSource(beside=beside))

    @property
    def space(self) -> LabelSpace:
        """The label space; a manifest always has one."""
        assert self.header.space is not None
        return self.header.space

    @property
    def name(self) -> str:
        """The manifest as the user knows it, for error texts."""
        return "the manifest" if self.source is None else self.source.title

    @property
    def root(self) -> PathOrAddress:
        """The root of the photos that `label` recorded, relative to the folder it ran in."""
        made = next((record for record in self.header.lineage() if record.stage == "label"), None)
        return Path() if made is None else place_of(str(made.options.get("root") or "."))

    def located(self, *, root: str | None = None, cache: Cache | None = None) -> Manifest:
        """Return the same manifest with photos under `root`, if given, and decoded ones kept in `cache`."""
        return replace(self, photos=replace(self.photos, root=root or self.photos.root, cache=cache))

    def __len__(self) -> int:
        return len(self.table)

    def has(self, column: str) -> bool:
        """Whether the column exists."""
        return column in self.table.column_names

    def need(self, *columns: str) -> None:
        """Raise unless each column exists and holds at least one value."""
        for column in columns:
            if not self.has(column) or self.table[column].null_count == len(self):
                is_there = self.has(column)
                raise MaskkitError(
                    f"{self.name}: {column} is empty" if is_there else f"{self.name} has no {column}",
                    why=f"this command needs the column {column!r}",
                    fix=f"run `maskkit {MADE_BY.get(column, 'label')}` first",
                )

    @cached_property
    def paths(self) -> list[str]:
        """Paths of the photos relative to the root, in row order."""
        return self.table["path"].to_pylist()  # type: ignore[no-any-return]

    def integers(self, column: str, *, null: int = UNKNOWN) -> NDArray[np.int64]:
        """Return an integer column, (rows,), with `null` where it has no value."""
        filled = pc.fill_null(self.table[column].cast(pa.int64()), null)
        return filled.to_numpy()  # type: ignore[no-any-return]

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Return a column of numbers, (rows,); NaN where it has no value, or where there is no such column.

        Raises:
            pyarrow.ArrowInvalid: It holds something else.
        """
        if not self.has(column):
            return np.full(len(self), np.nan)
        # Whole numbers beyond 2 to the power of 53 become the nearest ones.
        return np.asarray(self.table[column].cast(pa.float64(), safe=False).to_numpy(), np.float64)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The truth, (rows,); -1 where unknown."""
        return self.integers("label")

    @cached_property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each row, (rows,): -1 never held out, -2 not part of the split."""
        return self.integers("fold", null=NOT_IN_SPLIT)

    @property
    def fold_numbers(self) -> list[int]:
        """The folds that can be held out, in order."""
        return np.unique(self.folds[self.folds >= 0]).tolist()  # type: ignore[no-any-return]

    def grouped(self, column: str) -> Groups:
        """Group the rows by a column; each row without a value is a group of its own."""
        found, values = encoded(self.table[column])
        codes, values = found.astype(np.int64), values.cast(pa.string())
        alone = np.flatnonzero(codes < 0)
        if len(alone):
            codes[alone] = len(values) + np.arange(len(alone))
            paths = self.table["path"].take(pa.array(alone))
            values = pa.chunked_array([values, *paths.chunks], pa.string())
        return Groups(codes, values)

    @cached_property
    def people(self) -> Groups:
        """The rows grouped by person; a row whose person is unknown is a person of its own."""
        return self.grouped("person_id")

    @cached_property
    def known_people(self) -> NDArray[np.int64]:
        """The person of each row as a code of `people`, (rows,); -1 where nobody is named."""
        is_known = self.table["person_id"].is_valid().to_numpy()
        return np.asarray(np.where(is_known, self.people.codes, UNKNOWN), np.int64)

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per photo, with factors as categories."""
        return as_pandas(self.table)

    def __repr__(self) -> str:
        classes = f"{len(self.space)} classes"
        folds = [f"{len(self.fold_numbers)} folds"] if self.has("fold") else []
        known = f"{int((self.labels >= 0).sum())} labelled"
        name = "" if self.source is None else f" {self.name}"
        return f"<Manifest{name}: " + ", ".join([f"{len(self)} photos", known, classes, *folds]) + ">"

    def select(self, rows: NDArray[Any]) -> Manifest:
        """Return the manifest of these rows (a mask or indices), with the same history."""
        if rows.dtype == np.bool_:
            return replace(self, table=self.table.filter(pa.array(rows)))
        return replace(self, table=self.table.take(pa.array(rows)))

    def as_input(self) -> Source:
        """Return the bytes that a next stage records as its input."""
        return self.source or Source("-", pa.py_buffer(self.to_bytes()))

    def made_into(
        self,
        stage: str,
        options: Mapping[str, Any],
        *,
        inputs: Sequence[Input] = (),
        found: Mapping[str, Any] | None = None,
    ) -> Record:
        """Return the record of a stage that reads this manifest; `inputs` is what it read beside it."""
        given = self.header.input_from(self.as_input())
        return Record(stage, options, (given, *inputs), found=found or {})

    def then(
        self, stage: str, columns: Mapping[str, pa.Array], *, inputs: Sequence[Input] = (), **options: object
    ) -> Manifest:
        """Return a manifest with columns added or replaced by a stage, and one more record of history.

        `inputs` is what the stage read beside this manifest, `options` are its own.
        """
        return self.having(columns, self.made_into(stage, options, inputs=inputs))

    def having(self, columns: Mapping[str, pa.Array], record: Record) -> Manifest:
        """Return a manifest with columns added or replaced, and one more record of history."""
        table = self.table
        for name, values in columns.items():
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, values)
            else:
                table = table.append_column(name, values)
        return Manifest(table, self.header.then(record), photos=self.photos)

    def to_bytes(self) -> pa.Buffer:
        """Return the manifest as a Parquet file."""
        return to_parquet(self.table, self.header)

    def write(self, path: Path | str, *, force: bool = False) -> None:
        """Write the manifest to a file, whole or not at all; only `force` replaces one that exists."""
        write_whole(place_of(path), self.to_bytes(), force=force)
