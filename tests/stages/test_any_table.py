"""A table of any Arrow types goes through `label`, `split`, slices and `show`, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_columns import columns
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.scoring.slice_columns import cut, parse_by
from maskkit.stages.label import label
from maskkit.stages.show import show
from maskkit.stages.split import split

ROWS = 6
ROLES = ("path", "person_id", "mask", "gender", "age", "label", "more")


def stored(table: pa.Table, rows: int = ROWS) -> Source:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=rows)
    return Source("t.parquet", sink.getvalue())


def photos(rows: int = ROWS) -> dict[str, pa.ChunkedArray]:
    given = {
        "path": [f"{row}.jpg" for row in range(rows)],
        "person_id": [f"{row // 2}" for row in range(rows)],
        "mask": ["wear", "none"] * (rows // 2),
        "gender": ["male", "female"] * (rows // 2),
        "age": [20 + row for row in range(rows)],
    }
    return {name: pa.chunked_array([values]) for name, values in given.items()}


def use(manifest: Manifest, column: str) -> None:
    """Use a column wherever a command takes any; it may refuse, in plain words."""
    uses: list[Callable[[], object]] = [
        lambda: split(manifest, folds=2, by=column),
        lambda: split(manifest, folds=2, stratify=[column]),
        lambda: split(manifest, folds=2, keep_with=[column]),
        *(
            (lambda by=by: cut(manifest, parse_by(by), np.flatnonzero(manifest.labels >= 0), {}))
            for by in (column, f"{column}:3", f"{column}:q2")
        ),
    ]
    for one in uses:
        with suppress(MaskkitError):
            one()


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.sampled_from(ROLES), columns(ROWS), st.sampled_from([2, ROWS]))
def test_any_column_is_used_or_refused_in_plain_words(role: str, column: pa.ChunkedArray, rows: int) -> None:
    try:
        source = stored(pa.table({**photos(), role: column}), rows)
    except (pa.ArrowException, NotImplementedError):
        assume(False)
    try:
        manifest = label(source, no_check=True)
    except MaskkitError:
        return
    written = Source("m.parquet", manifest.to_bytes())
    again = Manifest.read(written)
    assert again.table.schema.equals(manifest.table.schema)
    assert show(written)["rows"] == ROWS
    for name in {role, "age"} & set(again.table.column_names):
        use(again, name)
