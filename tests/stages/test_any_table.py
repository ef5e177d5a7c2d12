"""A table of any Arrow types goes through `label`, `split`, slices and `show`, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from arrow_columns import columns
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from seals import unsealed

from maskkit.artifacts.checks import COLUMNS
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import is_artifact, to_parquet
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
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


MANIFEST = split(label(stored(pa.table(photos())), no_check=True), folds=2)


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
    assert show(written)["photos"] == ROWS
    for name in {role, "age"} & set(again.table.column_names):
        use(again, name)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.sampled_from([*COLUMNS, "mask", "age"]), columns(ROWS))
def test_a_manifest_of_any_types_is_read_or_refused_in_plain_words(
    name: str, column: pa.ChunkedArray
) -> None:
    table = MANIFEST.table.drop_columns([name]) if name in MANIFEST.table.column_names else MANIFEST.table
    try:
        source = Source("m.parquet", to_parquet(table.append_column(name, column), MANIFEST.header))
    except (pa.ArrowException, NotImplementedError):
        assume(False)
    with suppress(MaskkitError):
        manifest = Manifest.read(source)
        show(source)
        use(manifest, name)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(st.sampled_from(["path", "probs", "fold", "more"]), columns(ROWS))
def test_predictions_of_any_types_are_read_or_refused_in_plain_words(
    name: str, column: pa.ChunkedArray
) -> None:
    probs = np.eye(18, dtype=np.float32)[:ROWS].ravel()
    given = {
        "path": pa.array([f"{row}.jpg" for row in range(ROWS)]),
        "probs": pa.FixedSizeListArray.from_arrays(pa.array(probs), 18),
        "fold": pa.array([0] * ROWS, pa.int16()),
    }
    try:
        data = to_parquet(pa.table({**given, name: column}), Header("predictions", HOME))
    except (pa.ArrowException, NotImplementedError):
        assume(False)
    with suppress(MaskkitError):
        assert len(Predictions.read(Source("p.parquet", data))) == ROWS
        show(Source("p.parquet", data))


def test_keep_with_may_name_the_folds_that_are_there() -> None:
    assert split(MANIFEST, folds=2, keep_with=["fold"]).has("fold")


def test_probabilities_of_other_classes_are_refused() -> None:
    probs = pa.array([[0.5, 0.5]] * 2, pa.list_(pa.float32(), 2))
    data = to_parquet(pa.table({"path": ["a", "b"], "probs": probs}), Header("predictions", HOME))
    with pytest.raises(MaskkitError, match=r"p.parquet has no path and probabilities: Size of FixedSizeList"):
        Predictions.read(Source("p.parquet", data))


def test_an_empty_flag_is_no_flag() -> None:
    flags = pa.array([[None, "copy"]] + [None] * (ROWS - 1), pa.list_(pa.string()))
    source = Source("m.parquet", MANIFEST.then("audit", {"flags": flags}).to_bytes())
    assert show(source)["flags"] == {"copy": 1}


@pytest.mark.parametrize("values", [[b"\xff"], [[1]]])
@pytest.mark.parametrize("option", ["by", "stratify", "keep_with"])
def test_lists_and_bytes_are_no_groups(option: str, values: list[object]) -> None:
    manifest = MANIFEST.then("edit", {"odd": pa.array(values * ROWS)})
    options: dict[str, Any] = {option: "odd" if option == "by" else ["odd"]}
    with pytest.raises(MaskkitError, match="there is no column 'odd' of single values"):
        split(manifest, folds=2, **options)


GOOD = unsealed(bytes(MANIFEST.to_bytes()))
PLACES = st.integers(0, 200) | st.integers(len(GOOD) - 1000, len(GOOD) - 1) | st.integers(0, len(GOOD) - 1)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(PLACES, st.integers(0, 255)), max_size=4), st.integers(-50, 0))
def test_damaged_bytes_end_in_a_manifest_or_in_plain_words(
    changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(GOOD)
    for place, value in changes:
        data[place] = value
    source = Source("m.parquet", pa.py_buffer(bytes(data[: length or None])))
    with suppress(MaskkitError):
        show(source)
    with suppress(MaskkitError):
        is_artifact(source)
    with suppress(MaskkitError):
        label(source, no_check=True)


def test_a_manifest_that_is_cut_off_is_called_so() -> None:
    with pytest.raises(MaskkitError, match=r"cannot read m.parquet") as caught:
        Manifest.read(Source("m.parquet", pa.py_buffer(GOOD[:-9])))
    assert "it begins like a Parquet file, but" in caught.value.why
