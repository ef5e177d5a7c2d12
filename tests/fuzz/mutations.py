"""Inputs made from good ones: bytes changed anywhere, or values of nested data by others of any kind."""

from __future__ import annotations

import copy
import struct
from random import Random
from typing import Any

INTEGERS = (0, 1, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
TOKENS = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b'"', b"'", b",", b";", b"\t", b"\\", b"{", b"[", b"]]", b"NaN",
    b"1e999", b"-1", b"null", b"true", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xb0\xa1", b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\xed\xa0\x80", b"../", b"$(x)", b"0" * 400, b"9" * 5000, b"[" * 2000, b'{"a":' * 500, b"#", b"=",
    b" ",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 0.5, -0.0, 1e308, 10**400, 2**63, 2**64, "", "a", "\0", "\n", "\x1b[2J",
    "x" * 3000, "../../etc/passwd", "--root=/etc", "-", "$(touch ran)", "NaN", "1", "\ud800", "\u202e",
    "é", [], {},
    [None], [[]], {"": None}, ["a"] * 300, list(range(300)), {"a": {"a": {"a": []}}}, float("nan"),
    float("inf"),
)  # fmt: skip


def changed_bytes(data: bytes, random: Random) -> bytes:
    """Return bytes with one to eight changes, mostly few."""
    found = bytearray(data)
    for _ in range(1 + int(min(random.expovariate(1.5), 7))):
        at = random.randrange(len(found) + 1)
        random.choice(_CHANGES)(found, at, random)
    return bytes(found)


def _flip(data: bytearray, at: int, random: Random) -> None:
    if at < len(data):
        data[at] ^= 1 << random.randrange(8)


def _set(data: bytearray, at: int, random: Random) -> None:
    if at < len(data):
        data[at] = random.choice((0, 255, random.randrange(256)))


def _number(data: bytearray, at: int, random: Random) -> None:
    form = random.choice("BHIQ")
    value = random.choice(INTEGERS) + random.choice((0, 0, -1, 1))
    size = struct.calcsize(form)
    data[at : at + size] = struct.pack(random.choice("<>") + form, value % (1 << 8 * size))


def _insert(data: bytearray, at: int, random: Random) -> None:
    data[at:at] = random.choice(TOKENS)


def _replace(data: bytearray, at: int, random: Random) -> None:
    token = random.choice(TOKENS)
    data[at : at + random.choice((1, 2, 4, len(token)))] = token


def _remove(data: bytearray, at: int, random: Random) -> None:
    del data[at : at + random.choice((1, 2, 4, 16, 256))]


def _repeat(data: bytearray, at: int, random: Random) -> None:
    part = data[at : at + random.choice((1, 4, 16, 64))]
    data[at:at] = part * random.choice((1, 2, 50))


def _cut(data: bytearray, at: int, random: Random) -> None:
    del data[at:]


def _move(data: bytearray, at: int, random: Random) -> None:
    start = random.randrange(len(data) + 1)
    data[at:at] = data[start : start + random.choice((1, 4, 16, 64))]


_CHANGES = (_flip, _flip, _set, _set, _number, _number, _insert, _replace, _remove, _repeat, _cut, _move)


def changed_value(data: Any, random: Random) -> Any:
    """Return nested data with one to three of its values replaced, removed, renamed or repeated."""
    found = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(found))
        if not places:
            return random.choice(VALUES)
        inside, key = random.choice(places)
        kind = random.randrange(8)
        if kind < 4:
            inside[key] = copy.deepcopy(random.choice(VALUES))
        elif kind == 4:
            del inside[key]
        elif kind == 5 and isinstance(inside, dict):
            inside[random.choice(("a", "", "A b", "seed", "root", str(key).upper()))] = inside.pop(key)
        elif kind == 6 and isinstance(inside, list):
            inside *= random.choice((0, 2, 50))
        else:  # one value in the place of another
            inside[key] = copy.deepcopy(random.choice(places)[0])
    return found


def _places(data: Any) -> Any:
    if isinstance(data, dict | list):
        keys = list(data) if isinstance(data, dict) else range(len(data))
        for key in keys:
            yield data, key
            yield from _places(data[key])
