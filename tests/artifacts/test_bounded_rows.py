from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskkit.artifacts import bounded_rows
from maskkit.artifacts.bounded_rows import LEAST, MOST, VARIABLE, table_memory
from maskkit.artifacts.files import Source
from maskkit.artifacts.parquet_pages import pages, row_groups
from maskkit.errors import MaskkitError
from maskkit.sources.reading import read_table

LONG = "x" * 10_000


def stored(columns: Mapping[str, Any], **options: Any) -> Source:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, **options)
    return Source("t.parquet", sink.getvalue())


def categories(rows: int, text: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [text])


BOMBS = {
    "zeros": stored({"c": np.zeros(10**6)}, use_dictionary=False, compression="zstd"),
    "zeros by a dictionary": stored({"c": np.zeros(10**6)}),
    "nulls": stored({"c": pa.nulls(10**6)}),
    "one list of zeros": stored({"c": pa.array([np.zeros(10**6, np.int8)])}),
    "a text for all": stored({"c": [LONG] * 500}),
    "a category for all": stored({"c": categories(500, LONG)}),
    "a text for all in lists": stored({"c": [[LONG] * 500]}),
    "a prefix for all": stored(
        {"c": [LONG] * 500}, use_dictionary=False, column_encoding={"c": "DELTA_BYTE_ARRAY"}
    ),
    "a text for all, in many groups": stored({"c": [LONG] * 500}, row_group_size=50),
    "bytes of fixed length": stored({"c": pa.array([b"\0" * 10_000] * 500, pa.binary(10_000))}),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_table_that_takes_too_much_memory_is_refused_before_it_is_read(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = BOMBS[kind]
    assert source.data.size < 200_000
    monkeypatch.setenv(VARIABLE, "1MB")
    monkeypatch.setattr(bounded_rows, "BATCH", 100_000)
    before, peak, measure = pa.total_allocated_bytes(), [0], bounded_rows._bytes

    def measured(column: pa.Array) -> int:
        peak.append(pa.total_allocated_bytes())
        return measure(column)

    monkeypatch.setattr(bounded_rows, "_bytes", measured)
    with pytest.raises(MaskkitError, match=r"t.parquet takes more than 1 MB in memory") as caught:
        read_table(source)
    assert max(peak) - before < 4_000_000
    assert f"set {VARIABLE}=" in caught.value.fix
    monkeypatch.setenv(VARIABLE, caught.value.fix.partition("=")[2].partition(" ")[0])
    assert read_table(source).num_columns == 1


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", None])
def test_texts_that_might_take_too_much_and_do_not_are_read(
    encoding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a", "b", LONG, *["a", None] * 5000]
    more = {"use_dictionary": False, "column_encoding": {"c": encoding}} if encoding else {}
    source = stored({"c": texts, "d": categories(len(texts), "x"), "n": range(len(texts))}, **more)
    monkeypatch.setenv(VARIABLE, "1MB")
    monkeypatch.setattr(bounded_rows, "BATCH", 100_000)
    table = read_table(source)
    assert table["c"].to_pylist() == texts
    assert table["d"].to_pylist() == ["x"] * len(texts)
    assert table["c"].num_chunks == 1


def test_a_table_that_no_command_has_the_memory_for_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = stored({"c": pa.array(range(100_000))}, use_dictionary=False)  # of 800 kB
    monkeypatch.setattr(bounded_rows, "WITH_NONE", 100_000)
    monkeypatch.setattr(bounded_rows, "machine_memory", lambda: 1_750_000)
    assert len(read_table(source)) == 100_000
    monkeypatch.setattr(bounded_rows, "machine_memory", lambda: 1_650_000)
    with pytest.raises(MaskkitError, match=r"t.parquet needs about 2\.[0-9] MB of memory") as caught:
        read_table(source)
    assert "its 100,000 rows take" in caught.value.why
    assert "there are 1.65 MB on this machine" in caught.value.why


def test_the_footer_is_not_trusted() -> None:
    """The size that a footer claims is not what a reader allocates by."""
    data = memoryview(BOMBS["zeros"].data).cast("B")
    sizes = list(pages(data, row_groups(data)[0][0]))
    assert sum(page.values for page in sizes) == 10**6
    assert sum(page.size for page in sizes) >= 8 * 10**6


def test_what_a_table_may_take_goes_by_its_file_or_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert table_memory(Source("t", pa.py_buffer(b"x"))) == LEAST
    assert table_memory(Source("t", pa.py_buffer(bytes(2_000_000)))) == 400_000_000
    assert table_memory(Source("t", pa.py_buffer(bytes(30_000_000)))) == MOST
    monkeypatch.setenv(VARIABLE, "1.5GB")
    assert table_memory(Source("t", pa.py_buffer(b"x"))) == 1_500_000_000


def test_what_the_variable_cannot_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(MaskkitError, match="'much' is not an amount of memory") as caught:
        read_table(BOMBS["nulls"])
    assert VARIABLE in caught.value.fix


def test_more_columns_than_a_table_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_rows, "MOST_COLUMNS", 3)
    assert read_table(stored({f"c{place}": [1] for place in range(3)})).num_columns == 3
    with pytest.raises(MaskkitError, match=r"t.parquet has 4 columns"):
        read_table(stored({f"c{place}": [1] for place in range(4)}))


def test_a_row_group_of_other_columns_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_rows, "row_groups", lambda _: [[]])
    with pytest.raises(MaskkitError) as caught:
        read_table(stored({"c": [1]}))
    assert caught.value.why == "a row group has other columns than the table"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(BOMBS)), st.data())
def test_damaged_bytes_end_in_a_table_or_an_error(kind: str, data: st.DataObject) -> None:
    good = BOMBS[kind].data.to_pybytes()
    places = st.integers(0, min(200, len(good) - 1)) | st.integers(max(0, len(good) - 700), len(good) - 1)
    changed = bytearray(good)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)):
        changed[place] = value
    with suppress(MaskkitError):
        read_table(Source("t", pa.py_buffer(bytes(changed)))).validate(full=True)
