"""A survey of photos as a file, whole or in parts: looked at once, wherever they are, for all that asks.

It is a Parquet table with a row per photo: its path, its PROPERTIES, and what is wrong with it. Pages and
findings are made of the photos of all parts together, so that a duplicate in another part is found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.artifacts.resumable import Resumable
from maskkit.artifacts.shard_parts import SHARD, place_rows, say_if_part
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.roots import photo_files
from maskkit.imaging.survey import PROPERTIES, Survey, divided, survey
from maskkit.options.shard import Shard

KIND = "survey"
OF_WHAT = "a survey is of the photos that one run of `maskkit label` listed, for all manifests made of that"
PATH, FAULT, COMPLAINT = "path", "fault", "complaint"


@dataclass(frozen=True)
class SurveyedPhotos:
    """What photos of a manifest look like, and which they are."""

    paths: pa.ChunkedArray  # of texts, (photos,)
    found: Survey  # of these
    header: Header
    rows: slice | None = None  # of the manifest, if it is a part
    name: str = "the survey"  # as the user knows it, for error texts

    @classmethod
    def read(cls, source: Source) -> SurveyedPhotos:
        """Read what `to_bytes` returns.

        Raises:
            MaskkitError: It is no survey, or its columns hold something else.
        """
        header, table = read_parquet(source, kind=KIND)
        say_if_part(header, source.title)
        source.let_go()
        properties = np.zeros(len(table), PROPERTIES)
        for field in _schema():
            column = table[field.name] if field.name in table.column_names else None
            if column is None or column.type != field.type:
                raise _damaged(source.title, f"{field.name} has to be of the type {field.type}")
            if field.name in (PROPERTIES.names or ()):
                properties[field.name] = _values(column, field.name, source.title)
        faults, complaints = (_by_row(table[name]) for name in (FAULT, COMPLAINT))
        is_readable = properties["width"] > 0
        if len(faults) != (~is_readable).sum() or is_readable[list(faults)].any():
            raise _damaged(source.title, "photos without a width are those with a fault")
        if table[PATH].null_count or pc.count_distinct(table[PATH]).as_py() < len(table):
            raise _damaged(source.title, "each row has a path of its own")
        half = header.history[-1].options.get("half") if header.history else None
        found = Survey(properties, faults, 2 if half else 1, complaints)
        return cls(table[PATH], found, header, name=source.title)

    def to_bytes(self) -> pa.Buffer:
        """Return the survey as a Parquet file, or as a part of one, for `joined`."""
        columns = [_column(self.found[name]) for name in PROPERTIES.names or ()]
        rows = range(len(self.found))
        texts = [
            pa.array(map(each.get, rows), pa.string()) for each in (self.found.faults, self.found.complaints)
        ]
        table = pa.table([self.paths, *columns, *texts], schema=_schema())
        if self.rows is not None:
            table = place_rows(table, np.arange(self.rows.start, self.rows.stop))
        return to_parquet(table, self.header)

    def of(self, manifest: Manifest) -> Survey:
        """Return what the photos of a manifest look like, in its order.

        Raises:
            MaskkitError: Some are not among those of the survey.
        """
        places = pc.index_in(manifest.table[PATH], value_set=self.paths.combine_chunks())
        if places.null_count:
            lacking = manifest.table[PATH].filter(places.is_null())
            raise MaskkitError(
                f"{len(lacking)} of {len(manifest)} photos of {manifest.name} are not in {self.name}",
                why=examples(lacking.slice(0, 3).to_pylist()),
                fix="give all parts of the survey: their folder, or a pattern in quotes",
            )
        rows = places.to_numpy()
        texts = [_taken(each, rows) for each in (self.found.faults, self.found.complaints)]
        return Survey(self.found.properties[rows], texts[0], self.found.scale, texts[1])


def surveyed(
    manifest: Manifest,
    *,
    half: bool = False,
    shard: Shard | None = None,
    resumable: Resumable | None = None,
) -> SurveyedPhotos:
    """Look at the photos of a manifest, or at a shard's share of them, for whoever asks for a survey.

    Photos that cannot be read are in it too. What earlier runs have left of the same, `resumable`, is not
    looked at again.

    Raises:
        MaskkitError: The first photos are not under the root.
        FinishedError: All of it is there.
    """
    options = {"half": half, "root": manifest.photos.root} | ({} if shard is None else {SHARD: str(shard)})
    record, left = manifest.made_into("eda", options), resumable or Resumable()
    rows = slice(0, len(manifest)) if shard is None else shard.of(len(manifest))
    files = photo_files(manifest, tolerant=True, rows=rows)
    left.refuse_finished(record)
    with left.begin(record) as kept:
        found = survey(files, scale=2 if half else 1, kept=kept)
    header = Header(KIND, manifest.space, (*manifest.header.history, record))
    paths = manifest.table[PATH].slice(rows.start, rows.stop - rows.start)
    return SurveyedPhotos(paths, found, header, None if shard is None else rows)


def survey_of(manifest: Manifest, *, half: bool = False) -> Survey:
    """Survey the photos of each row, missing and broken ones among them; JPEGs at `half` their size if so.

    Raises:
        MaskkitError: No photo can be read.
    """
    return surveys_of([manifest], half=half)[0]


def surveys_of(
    manifests: Sequence[Manifest],
    *,
    half: bool = False,
    kept: ProgressFile | None = None,
    known: Sequence[SurveyedPhotos] = (),
) -> list[Survey]:
    """Survey the photos of several manifests, going on with those that are kept of them, if any.

    With surveys that are `known`, no photo is opened: each manifest takes the one of its photos.

    Raises:
        MaskkitError: No photo of a manifest can be read, or none of the surveys known is of its photos.
    """
    for manifest in manifests:
        if not len(manifest):
            raise MaskkitError(
                f"{manifest.name} has no rows",
                why="there is nothing to look at",
                fix="give one that lists photos",
            )
    if known:
        _refuse_strangers(manifests, known)
        surveys = [_known(manifest, known, half=half) for manifest in manifests]
    else:
        files = [photo_files(manifest, tolerant=True) for manifest in manifests]
        every = survey([file for each in files for file in each], scale=2 if half else 1, kept=kept)
        surveys = divided(every, [len(each) for each in files])
    for manifest, found in zip(manifests, surveys, strict=True):
        if not found.readable.any():
            named = (f"{manifest.paths[row]} ({why})" for row, why in found.faults.items())
            raise MaskkitError(
                f"none of the {len(manifest)} photos of {manifest.name} can be read",
                why=examples(named),
                fix="check --root, or repair the photos",
            )
    return surveys


def _known(manifest: Manifest, known: Sequence[SurveyedPhotos], *, half: bool) -> Survey:
    """Return the survey that is of the photos of a manifest, as another manifest of the same `label` is."""
    of_them = [one for one in known if _listed_by(one.header) == _listed_by(manifest.header)]
    line = f"maskkit eda {manifest.name}{' --half' if half else ''} -o FILE"
    if not of_them:
        raise MaskkitError(
            f"no survey that was given is of the photos of {manifest.name}",
            why=OF_WHAT,
            fix=f"make one: {line}",
        )
    fitting = [one for one in of_them if (one.found.scale == 2) == half]
    if not fitting:
        sizes = ("at half their size", "at their whole size")
        raise MaskkitError(
            f"{of_them[0].name} has looked at photos {sizes[half]}, where this takes them {sizes[not half]}",
            why="sharpness, and what is a near duplicate, are compared at one size; `audit` takes half",
            fix=f"make one: {line}" + ("" if half else "; or use --half"),
        )
    return fitting[0].of(manifest)


def _refuse_strangers(manifests: Sequence[Manifest], known: Sequence[SurveyedPhotos]) -> None:
    listed = [_listed_by(manifest.header) for manifest in manifests]
    for one in known:
        if _listed_by(one.header) not in listed:
            raise MaskkitError(
                f"{one.name} is of other photos than {' and '.join(each.name for each in manifests)}",
                why=OF_WHAT,
                fix="leave it out, or give the manifest that it was made of, or one made of that",
            )


def _listed_by(header: Header) -> Record | None:
    """Return the run of `label` that has listed the photos."""
    return next((record for record in header.lineage() if record.stage == "label"), None)


def _schema() -> pa.Schema:
    fields = [pa.field(PATH, pa.string())]
    for name in PROPERTIES.names or ():
        kind, shape = PROPERTIES[name].base, PROPERTIES[name].shape
        value = pa.string() if kind.kind == "S" else pa.from_numpy_dtype(kind)
        fields.append(pa.field(name, pa.list_(value, shape[0]) if shape else value))
    return pa.schema([*fields, pa.field(FAULT, pa.string()), pa.field(COMPLAINT, pa.string())])


def _column(values: NDArray[Any]) -> pa.Array:
    """Return one property of photos, (photos, ...), as a column."""
    if values.dtype.kind == "S":
        return pa.array(np.char.decode(values), pa.string())
    flat = pa.array(values.ravel())
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def _values(column: pa.ChunkedArray, name: str, title: str) -> NDArray[Any]:
    """Return what `_column` was made of."""
    kind, shape = PROPERTIES[name].base, PROPERTIES[name].shape
    flat = column.combine_chunks()
    inner = flat.flatten() if shape else flat
    if flat.null_count or inner.null_count:
        raise _damaged(title, f"{name} is empty in a row")
    if kind.kind == "S":
        codes = inner.dictionary_encode()
        texts = [text.encode("ascii", "replace") for text in codes.dictionary.to_pylist()]
        return np.asarray(np.array(texts, kind)[codes.indices.to_numpy()])
    values = np.asarray(inner.to_numpy()).reshape(-1, *shape)
    if kind.kind == "f" and not np.isfinite(values).all():
        raise _damaged(title, f"{name} is no number in a row")
    return values


def _by_row(column: pa.ChunkedArray) -> dict[int, str]:
    rows = np.flatnonzero(column.is_valid().to_numpy())
    return dict(zip(rows.tolist(), column.drop_null().to_pylist(), strict=True))


def _taken(texts: Mapping[int, str], rows: NDArray[np.int64]) -> dict[int, str]:
    if not texts:
        return {}
    return {new: texts[old] for new, old in enumerate(rows.tolist()) if old in texts}


def _damaged(title: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{title} is damaged, or no survey", why=why, fix="make it again, by `maskkit eda -o`"
    )
