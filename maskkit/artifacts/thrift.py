"""Structures in Thrift's compact protocol, as far as Parquet's headers need it.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

BYTES = bytes | memoryview  # of unsigned numbers
TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEEPEST = 24  # structures and lists within another; a footer of Parquet has 10
LONG_LIST = 15  # where a list's size follows

Fields = dict[int, Any]


def read_fields(data: BYTES, at: int) -> tuple[Fields, int]:
    """Return the fields of the structure at a place, by their numbers, and where it ends; no texts.

    Raises:
        ValueError: It is none, or goes on beyond the end.
    """
    try:
        return _fields(data, at, 0)
    except IndexError as error:
        raise ValueError("it ends early") from error


def _fields(data: BYTES, at: int, depth: int) -> tuple[Fields, int]:
    found: Fields = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        kind = head & 15
        if kind in (TRUE, FALSE):
            found[number] = kind == TRUE
        else:
            found[number], at = _value(data, at, kind, depth)
    return found, at + 1


def _value(data: BYTES, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in (SHORT, INT, LONG):
        return _integer(data, at)
    if kind in (TRUE, FALSE, BYTE):
        return data[at], at + 1
    if kind == DOUBLE:
        return None, at + 8
    if kind == BINARY:
        size, at = _varint(data, at)
        return None, at + size
    if kind not in (LIST, SET, STRUCT) or depth == DEEPEST:
        raise ValueError("it holds what Parquet does not")
    return _fields(data, at, depth + 1) if kind == STRUCT else _list(data, at, depth + 1)


def _list(data: BYTES, at: int, depth: int) -> tuple[list[Any], int]:
    size, kind = divmod(data[at], 16)
    at += 1
    if size == LONG_LIST:
        size, at = _varint(data, at)
    found = []
    for _ in range(size):
        value, at = _value(data, at, kind, depth)
        found.append(value)
    return found, at


def _integer(data: BYTES, at: int) -> tuple[int, int]:
    number = data[at]
    at += 1
    if number > 127:  # most have one byte
        number, at = _varint(data, at - 1)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: BYTES, at: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 64:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    raise ValueError("a number has more than 64 bits")
