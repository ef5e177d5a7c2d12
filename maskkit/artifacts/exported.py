"""What an exported ONNX model says of itself, read without any library for ONNX.

An ONNX file is one protobuf message; its metadata are entries of two texts. Only these are looked at:
https://protobuf.dev/programming-guides/encoding, and ModelProto in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, Header
from maskkit.errors import MaskkitError

GRAPH, METADATA = 7, 14  # ModelProto.graph, metadata_props
MOST_FIELDS = 100_000  # of a message that is looked at
ENTRY_KEY, ENTRY_VALUE = 1, 2  # of StringStringEntryProto
VARINT, EIGHT_BYTES, TEXT, FOUR_BYTES = 0, 1, 2, 5  # wire types
IR_VERSION = b"\x08"  # the first field of every ONNX file: number 1, a varint


def is_onnx(source: Source) -> bool:
    """Whether these may be the bytes of an ONNX file."""
    return source.starts_with(IR_VERSION) and any(
        number == GRAPH for number, _ in _safely(memoryview(source.data))
    )


def exported_header(source: Source) -> Header:
    """Read the header that `maskkit export` wrote; raise a MaskkitError of a file from elsewhere."""
    entries = dict(_entry(value) for number, value in _safely(memoryview(source.data)) if number == METADATA)
    if KEY not in entries:
        raise MaskkitError(
            f"{source.title} has no maskkit header",
            why="it is an ONNX model, but not one that `maskkit export` wrote",
            fix="give a model that `maskkit export` wrote",
        )
    return Header.from_json(entries[KEY], name=source.title, kind="model")


def _safely(data: memoryview) -> list[tuple[int, memoryview]]:
    """Return the fields of a message; none if it is damaged, or has more than an ONNX file has."""
    try:
        found = list(islice(_fields(data.cast("B")), MOST_FIELDS + 1))  # Arrow's bytes have signs
    except (IndexError, ValueError):
        return []
    return found if len(found) <= MOST_FIELDS else []


def _entry(data: memoryview) -> tuple[str, str]:
    texts = {number: bytes(value).decode("utf-8", "replace") for number, value in _safely(data)}
    return texts.get(ENTRY_KEY, ""), texts.get(ENTRY_VALUE, "")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and content of each field of a message; numbers within it have no content."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        length = 0
        if tag & 7 == VARINT:
            _, place = _varint(data, place)
        elif tag & 7 == TEXT:
            length, place = _varint(data, place)
        elif tag & 7 in (EIGHT_BYTES, FOUR_BYTES):
            place += 8 if tag & 7 == EIGHT_BYTES else 4
        else:
            raise ValueError(f"there is no wire type {tag & 7}")
        if place + length > len(data):
            raise ValueError("it is cut off")
        yield tag >> 3, data[place : place + length]
        place += length


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Read a number of 7 bits per byte, the lowest first; return it and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[place] & 127) << shift
        place += 1
        if data[place - 1] < 128:
            return value, place
    raise ValueError("a number does not end")
