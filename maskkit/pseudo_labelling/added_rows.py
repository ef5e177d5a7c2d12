"""Photos that join a manifest: under which path, and in which rows."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checks import LEVEL, ORIGINS
from maskkit.artifacts.columns import Ints
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.storage.address import Address, PathOrAddress


def paths_under(manifest: Manifest, photos: Manifest) -> pa.ChunkedArray:
    """Return the path that each photo of another manifest has from the root of this one, string (rows,).

    Raises:
        MaskkitError: One root is absolute and the other is not, so the way between them is not known.
    """
    paths, root, place = photos.table["path"], str(manifest.root), str(photos.root)
    if os.path.normpath(root) == os.path.normpath(place):
        return paths
    if _kind(manifest.root) != _kind(photos.root):
        raise MaskkitError(
            f"the photos of {manifest.name} are under {root}, those of {photos.name} under {place}",
            why="from an absolute root to a relative one no path leads that holds in another folder, nor "
            "from a folder to a bucket",
            fix="label both with absolute paths, or both with relative ones, or both in one bucket",
        )
    way = posixpath.relpath(place, root)
    if not set(way.split("/")) <= {"..", "."}:
        return pc.binary_join_element_wise(pa.scalar(way), paths, "/")
    # The photos' root holds the manifest's: some of them may be under both.
    plain = [posixpath.relpath(posixpath.join(place, path), root) for path in paths.to_pylist()]
    return pa.chunked_array([pa.array(plain, pa.string())])


def _kind(root: PathOrAddress) -> bool | str:
    """Return what two roots have in common if a path leads from one to the other."""
    return f"{root.store}://{root.bucket}" if isinstance(root, Address) else root.is_absolute()


@dataclass(frozen=True)
class Growing:
    """A manifest's table while photos join it."""

    table: pa.Table  # its rows, then those of photos that it had not
    rows: Ints  # those of the photos that join, (photos,)

    def set(self, columns: Mapping[str, pa.Array]) -> Growing:
        """Return it with values of columns at the rows that join, (photos,); null elsewhere in new ones."""
        table, source = self.table, np.arange(len(self.table))
        source[self.rows] = len(table) + np.arange(len(self.rows))
        for name, values in columns.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(len(table), values.type))
            place, kind = table.column_names.index(name), table[name].type
            both = pa.chunked_array([*table[name].chunks, values.cast(kind)], kind)
            if pa.types.is_dictionary(kind):
                both = both.unify_dictionaries()
            table = table.set_column(place, name, both.take(pa.array(source)))
        return replace(self, table=table)


def grown(manifest: Manifest, photos: Manifest, paths: pa.ChunkedArray, which: Ints) -> Growing:
    """Return the manifest's table with rows for photos that it lacks.

    All that is known of them is where they are, who is on them, and where the face is: `paths` as the
    manifest names them, and their rows in `photos`, which may be the same manifest, (photos,) each.
    """
    found = pc.index_in(paths, value_set=manifest.table["path"])
    place = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    is_new = place < 0
    new = int(is_new.sum())
    source = photos.table.take(pa.array(which[is_new]))
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        field.name: pa.nulls(new, field.type) for field in manifest.table.schema
    }
    columns |= {
        "path": paths.filter(pa.array(is_new)),
        "person_id": source["person_id"],
        "weight": pa.array(np.ones(new, np.float32)),
        "origin": origins("pseudo", new),
    }
    if manifest.has("box"):
        columns["box"] = source["box"]
    added = pa.table({name: columns[name] for name in manifest.table.column_names})
    place[is_new] = len(manifest) + np.arange(new)
    return Growing(pa.concat_tables([manifest.table, added.cast(manifest.table.schema)]), place)


def origins(name: str, count: int) -> pa.Array:
    """Return a column `origin` of one value, (count,)."""
    codes = pa.array(np.full(count, ORIGINS.index(name), np.int16))
    return pa.DictionaryArray.from_arrays(codes, pa.array(ORIGINS, pa.string())).cast(LEVEL)
