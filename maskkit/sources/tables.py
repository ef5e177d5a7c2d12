"""Tables of photos: any CSV or Parquet with a path column and a column per factor."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.sources.listing import Listing


def read_table(source: Source) -> pd.DataFrame:
    """Read a CSV (all cells as text) or Parquet file; what is missing in it becomes None.

    Raises:
        MaskkitError: It is neither, or has no rows.
    """
    data = io.BytesIO(source.data.to_pybytes())
    try:
        table = _from_parquet(data) if source.starts_with(b"PAR1") else _from_csv(data)
    except (
        ValueError,
        OSError,
        pd.errors.ParserWarning,
    ) as error:  # pandas' parser and decoding errors are ValueErrors
        raise MaskkitError(
            f"cannot read {source.title} as a table",
            why=str(error).splitlines()[0],
            fix="give a CSV in UTF-8 with a header line, or a Parquet file",
        ) from error
    if table.empty:
        raise MaskkitError(
            f"{source.title} has no rows", why="there is nothing to label", fix="give a table with photos"
        )
    return table.astype(object).where(table.notna(), None)


def _from_parquet(data: io.BytesIO) -> pd.DataFrame:
    # Without pandas' metadata, an index is a column; numbers beside nulls do not become floats.
    table = pq.read_table(data).to_pandas(ignore_metadata=True, integer_object_nulls=True)
    return pd.DataFrame(table[[name for name in table.columns if not name.startswith("__index_level_")]])


def _from_csv(data: io.BytesIO) -> pd.DataFrame:
    with warnings.catch_warnings():
        # Rows longer than the header would lose cells, or (by default) shift them all by a column.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            data,
            dtype=str,
            na_values=[""],
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
            skipinitialspace=True,
        )


def table_photos(table: pd.DataFrame, root: Path, space: LabelSpace, *, name: str) -> Listing:
    """List the photos of a table; every column is kept.

    Raises:
        MaskkitError: There is no `path`, or there are columns for some factors but not for all.
    """
    names = [factor.name for factor in space.factors]
    absent = [factor for factor in names if factor not in table.columns]
    if "path" not in table.columns or 0 < len(absent) < len(names):
        lacking = absent if "path" in table.columns else ["path", *absent]
        raise MaskkitError(
            f"{name} has no column {', '.join(lacking)}",
            why=f"it has {', '.join(map(str, table.columns))}; photos are listed by `path`, "
            f"and their class is made of {', '.join(names)}",
            fix="rename or add the columns; leave all factors out for photos without labels, "
            "or describe your own factors with --task",
        )
    return Listing(root, {str(column): table[column].tolist() for column in table.columns})
