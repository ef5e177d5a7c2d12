from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskkit.artifacts.parquet_pages import (
    BY_DICTIONARY,
    DICTIONARY,
    MOST_ENTRIES,
    Chunk,
    Page,
    longest_entry,
    pages,
    row_groups,
)

CODECS = ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]
PLAIN = 0


def written(texts: list[str | None], **options: Any) -> memoryview:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"c": texts}), sink, **options)
    return memoryview(sink.getvalue()).cast("B")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_and_their_longest_texts_are_found(codec: str, version: str) -> None:
    texts = ["a", "bcd", None, "x" * 77, "b"] * 20
    data = written(texts, compression=codec, data_page_version=version, data_page_size=10)
    column = row_groups(data)[0][0]
    found = list(pages(data, column))
    assert [page.kind for page in found].count(DICTIONARY) == 1
    assert {page.encoding for page in found[1:]} <= {*BY_DICTIONARY}
    assert sum(page.values for page in found[1:]) == column.values == 100
    assert found[0].values == 4
    assert longest_entry(data, found[0], column.codec) == 77


@pytest.mark.parametrize(
    ("texts", "longest"), [(["ab", "cd", "ef"], 2), (["a", "", "bc"], 2), (["abc", ""], 3), ([""], 0)]
)
def test_the_longest_text_is_found_among_any(texts: list[str | None], longest: int) -> None:
    data = written(texts)
    column = row_groups(data)[0][0]
    assert longest_entry(data, next(pages(data, column)), column.codec) == longest


@pytest.mark.parametrize(("values", "codec"), [(MOST_ENTRIES + 1, PLAIN), (1, 1), (1, 3), (1, 5)])
def test_a_dictionary_that_cannot_be_looked_through_may_hold_one_text(values: int, codec: int) -> None:
    page = Page(DICTIONARY, values, 0, size=50, stored=8, at=0)
    assert longest_entry(memoryview(bytes(8)), page, codec) == 50


@pytest.mark.parametrize("length", [0xFFFFFFFF, 1000])
def test_a_text_is_no_longer_than_its_dictionary(length: int) -> None:
    entries = length.to_bytes(4, "little") + b"abcd"
    page = Page(DICTIONARY, 2, 0, size=8, stored=8, at=0)
    assert longest_entry(memoryview(entries), page, PLAIN) == 8


def header(size: int, stored: int, values: int) -> bytes:
    """Return the header of a data page with numbers from -64 to 63."""
    code = {number: (number << 1 ^ number >> 63) & 255 for number in (size, stored, values)}
    return bytes([0x15, 0, 0x15, code[size], 0x15, code[stored], 0x2C, 0x15, code[values], 0x15, 0, 0, 0])


def test_a_page_is_as_its_header_says() -> None:
    data = memoryview(header(5, 2, 3) + b"ab" + header(6, 0, 4))
    assert list(pages(data, Chunk(0, 7, PLAIN))) == [Page(0, 3, 0, 5, 2, 13), Page(0, 4, 0, 6, 0, 28)]


@pytest.mark.parametrize(
    "data",
    [
        header(-1, 0, 1), header(1, -14, 0), header(1, 0, -1), header(1, 1, 1), header(1, 0, 0),
        header(1, -1, 1), header(1, 0, -1) + header(1, 0, 2), b"", b"\0",
        b"\x15\0" * 3 + b"\0", header(1, 0, 1)[:-3],
    ],
)  # fmt: skip
def test_a_damaged_header_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="the header of a page is damaged"):
        list(pages(memoryview(data), Chunk(0, 1, PLAIN)))


def test_pages_do_not_begin_before_the_file() -> None:
    with pytest.raises(ValueError, match="the header of a page is damaged"):
        list(pages(memoryview(bytes(30) + header(1, 0, 1)), Chunk(-13, 1, PLAIN)))


@pytest.mark.parametrize(
    "footer", [b"", b"\0", b"\x29\x1c\0", b"\x49\x1c\x15\0\0", b"\x49\x1c\x19\x1c\0\0\0"]
)
def test_a_damaged_footer_is_an_error(footer: bytes) -> None:
    with pytest.raises(ValueError, match="its footer is damaged"):
        row_groups(memoryview(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"))
