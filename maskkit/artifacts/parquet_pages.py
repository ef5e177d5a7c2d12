"""What the pages of a Parquet file hold, by their own headers, which are found without reading the pages.

The format is https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
A footer may say anything of sizes; what a reader allocates is by the headers of pages. The footer is read
here as well, since pyarrow ends the process where it looks at a damaged column of one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from maskkit.artifacts.thrift import BYTES, Fields, read_fields

TAIL = 8  # bytes at the end of a file: the footer's length, and `PAR1`
CODECS = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}
PLAIN = 0  # no compression
DATA, DICTIONARY, DATA_2 = 0, 2, 3  # kinds of pages that are read
DETAILS = {DATA: 5, DICTIONARY: 7, DATA_2: 8}  # field of a page's header that describes its kind
ENCODING = {DATA: 2, DICTIONARY: 2, DATA_2: 4}  # field of that
BY_DICTIONARY = (2, 8)  # encodings: numbers of values in the dictionary
BY_PREFIX = 7  # a text says how much of the one before it begins with
MOST_ENTRIES = 10**6  # of a dictionary that is looked through


@dataclass(frozen=True)
class Chunk:
    """A column of a row group as the footer describes it."""

    at: int  # where its pages begin
    values: int
    codec: int  # that its pages are compressed with


@dataclass(frozen=True)
class Page:
    """A page as its header describes it."""

    kind: int
    values: int
    encoding: int
    size: int  # bytes of it, decompressed
    stored: int  # and as they are in the file
    at: int  # where they begin


def row_groups(data: BYTES) -> list[list[Chunk]]:
    """Return the columns of each row group.

    Raises:
        ValueError: The footer is damaged.
    """
    try:
        length = struct.unpack("<I", data[-TAIL:-4])[0]
        footer = bytes(data[len(data) - TAIL - length : -TAIL])
        groups = read_fields(footer, 0)[0][4]
        return [[_chunk(column[3]) for column in group[1]] for group in groups]
    except (struct.error, KeyError, TypeError, ValueError) as error:
        raise ValueError("its footer is damaged") from error


def _chunk(fields: Fields) -> Chunk:
    begins = [place for place in (fields[9], fields.get(11)) if place]
    return Chunk(min(begins, default=0), fields[5], fields[4])


def pages(data: BYTES, chunk: Chunk) -> Iterator[Page]:
    """Yield the pages of a column of a row group.

    Raises:
        ValueError: Their headers are damaged.
    """
    at, seen = chunk.at, 0
    while seen < chunk.values:
        try:
            header, at = read_fields(data, at)
            kind, size, stored = header[1], header[2], header[3]
            details = header[DETAILS[kind]] if kind in DETAILS else {}
            page = Page(kind, details.get(1, 0), details.get(ENCODING.get(kind, 0), 0), size, stored, at)
            if min(chunk.at, size, stored, page.values, len(data) - at - stored) < 0:
                raise ValueError("it says what cannot be")
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError("the header of a page is damaged") from error
        at += stored
        if kind in DETAILS:
            yield page
        seen += page.values if kind in (DATA, DATA_2) else 0


def longest_entry(data: BYTES, page: Page, codec: int) -> int:
    """Return the bytes of the longest text of a dictionary, or a number that it does not exceed."""
    packed = data[page.at : page.at + page.stored]
    if page.values > MOST_ENTRIES or codec not in {*CODECS, PLAIN}:
        return page.size
    if codec == PLAIN:
        return _longest(packed, page.values)
    try:
        entries = pa.Codec(CODECS[codec]).decompress(packed, page.size, asbytes=True)
    except (pa.ArrowException, OSError, ValueError):
        return page.size
    return _longest(entries, page.values)


def _longest(entries: BYTES, count: int) -> int:
    """Return the longest of texts that each follow their length, a number of 32 bits."""
    size = int.from_bytes(entries[:4], "little")
    if size + 4 <= len(entries) == count * (size + 4):  # all may be as long, as the competition's ids are
        lengths = np.frombuffer(entries, np.uint8).reshape(count, 4 + size)[:, :4]
        if (lengths == lengths[:1]).all():
            return size
    longest = at = 0
    last, length = len(entries) - 4, struct.Struct("<I").unpack_from
    while at <= last:
        size = length(entries, at)[0]
        if size > longest:
            longest = size
        at += 4 + size
    return min(longest, len(entries))
