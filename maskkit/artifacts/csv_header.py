"""A CSV before its rows: the encoding of its bytes, the delimiter, and the names of its columns."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError, examples, reason
from maskkit.texts import composed, decoded, marked, nul_in_text, undecodable_text

HEAD = 4 << 20  # bytes in which the header ends
BLOCK = 1 << 18  # bytes looked through at a time, which stay in cache
FIRST_DELIMITER = re.compile(r'(?:"[^"]*"|[^",;\t\r\n])*+([,;\t])')
SEPARATOR = re.compile(r'"?sep=([,;\t])"?', re.IGNORECASE)  # a line before the header, for Excel


def refuse_repeated(names: Sequence[str], title: str) -> None:
    """Raise if two columns have one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise MaskkitError(
            f"{title} has two columns {examples(twice)}",
            why="columns are told apart by name",
            fix="rename or drop one of them",
        )


def unreadable(
    title: str, why: str, *, fix: str = "give a CSV in UTF-8 with a header line, or a Parquet file"
) -> MaskkitError:
    """Return the error of a file that is no table."""
    return MaskkitError(f"cannot read {title} as a table", why=why, fix=fix)


def utf8_of(source: Source) -> pa.Buffer:
    """Return the bytes in UTF-8: those of the source itself if they are, whatever encoding others have."""
    mark = marked(bytes(memoryview(source.data)[:4]))
    if mark == "utf-8-sig":
        return source.data.slice(3)
    if mark is None and source.encoding in (None, "utf-8"):
        return source.data
    data = source.data.to_pybytes()
    if mark is None and _is_utf8(data):
        return source.data
    return pa.py_buffer(decoded(data, title=source.title, encoding=source.encoding, option=True).encode())


def _is_utf8(data: bytes) -> bool:
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def checked_text(data: pa.Buffer, title: str) -> tuple[int, bool]:
    """Return the place of the last quote, -1 without one, and whether there are carriage returns.

    Raises:
        MaskkitError: The bytes are not a text in UTF-8.
    """
    view, last_quote, has_returns = memoryview(data), -1, False
    for start in range(0, len(view), BLOCK):
        block = bytes(view[start : start + BLOCK])
        if b"\0" in block:
            raise nul_in_text(bytes(view), title=title, option=True)
        quote = block.rfind(b'"')
        last_quote = last_quote if quote < 0 else start + quote
        has_returns = has_returns or b"\r" in block
    ends = pa.py_buffer(np.array([0, len(view)], np.int64))
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, ends, data])
    try:
        whole.validate(full=True)  # looks at 30 GB in a second, and copies nothing
    except pa.ArrowInvalid:
        try:
            bytes(view).decode()
        except UnicodeDecodeError as error:
            raise undecodable_text(bytes(view), error, title=title, option=True) from error
    return last_quote, has_returns


def header_of(data: pa.Buffer, title: str) -> tuple[tuple[str, ...], str, int]:
    """Return the names of the columns, the delimiter, and the byte at which the rows begin."""
    head = bytes(memoryview(data)[:HEAD]).decode("utf-8", "ignore")  # the last letter may be cut in two
    lines, start, given = io.StringIO(head, newline=""), 0, None
    for line in lines:
        hint = SEPARATOR.fullmatch(line.strip(" \r\n"))
        if line.strip() and hint is None:
            break
        given = given if hint is None else hint[1]
        start += len(line.encode())
    else:
        raise unreadable(title, "it has no header line" if data.size else "it is empty")
    first = FIRST_DELIMITER.match(head, pos=lines.tell() - len(line))
    delimiter = given or (first[1] if first else ",")
    read: list[str] = []  # the lines of the header; a name may have several

    def counted() -> Iterator[str]:
        for one in chain([line], lines):
            read.append(one)
            yield one

    try:
        names = next(csv.reader(counted(), delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise unreadable(title, f"its header: {said(error)}") from error
    start += sum(len(one.encode()) for one in read)
    if start >= HEAD < data.size:
        raise unreadable(title, f"its header is longer than {HEAD:,} bytes")
    return tuple(composed(name.strip().strip("\ufeff")) for name in names), delimiter, start


def said(error: csv.Error) -> str:
    """Return what the csv module says, in words."""
    text = reason(error)
    return "a quote is opened and never closed" if text == "unexpected end of data" else text
