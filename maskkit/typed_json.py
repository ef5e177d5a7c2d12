"""JSON that anyone may have written: decoded into declared types, or refused in a sentence.

What a fact has to be stands beside the dataclass that it belongs to: as annotations of its fields, or as a
`msgspec.Struct` of what is stored. Unknown names are passed over, so that later versions may add some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from maskkit.errors import MaskkitError, reason

MOST_BYTES = 100_000_000  # of one text: what Arrow and safetensors read of a header
MOST_VALUES = 2_000_000  # of one text; each takes up to a hundred bytes of memory
LARGEST = 1 << 64  # whole numbers are smaller
DEEPEST = 32  # lists and tables within each other
TOO_DEEP = f"it has more than {DEEPEST} lists and tables within each other"
MOST_SHOWN = 40  # characters of a name or value that is wrong

_SPELLED: dict[str, str] = {}  # what texts of a pattern are, in words


def spelled(pattern: str, words: str, *, longest: int | None = None) -> Meta:
    """Return the annotation of a text that matches a whole pattern, which errors tell in words."""
    _SPELLED[repr(pattern)] = words
    return Meta(pattern=pattern, max_length=longest)


Word = Annotated[
    str, spelled(r"\A[A-Za-z_][A-Za-z0-9_-]*\Z", "a word of letters, digits and underscores", longest=64)
]
Text = Annotated[str, spelled(r"\A[^\0]*\Z", "a text without NUL", longest=10_000)]  # such as a path
Sha256 = Annotated[str, spelled(r"\A[0-9a-f]{64}\Z", "64 hexadecimal digits")]

Refuse = Callable[[str], MaskkitError]  # from what is wrong to the error of the file that holds it
Kind = TypeVar("Kind")

_KINDS = {
    "object": "a table", "array": "a list", "str": "a text", "int": "a whole number", "float": "a number",
    "bool": "true or false", "null": "nothing", "bytes": "a text in base64",
}  # fmt: skip
_BOUNDS = {
    "of length >=": "of at least", "of length <=": "of at most", "of length": "of",
    ">=": "from", "<=": "up to", ">": "above", "<": "below",
}  # fmt: skip


def decoded(text: bytes | str, kind: type[Kind], refuse: Refuse, *, most: int = MOST_BYTES) -> Kind:
    """Return what JSON holds as a type that msgspec knows, of at most so many bytes.

    Raises:
        MaskkitError: By `refuse`: it is no JSON, holds something else, too much or too deep, a name twice, a
            number that is none or out of range, or half a character.
    """
    try:
        data = text.encode() if isinstance(text, str) else text
        _check_amount(data, most)
        plain = data.decode()  # first: msgspec's versions call what is no UTF-8 by different names
        value = msgspec.json.decode(data)
        _check_value(value, DEEPEST)
        json.loads(plain, object_pairs_hook=_refuse_repeated)
    except RecursionError as error:
        raise refuse(TOO_DEEP) from error
    except msgspec.DecodeError as error:
        raise refuse(_in_words(str(error), "")) from error
    except ValueError as error:
        raise refuse(reason(error)) from error
    return fitting(value, kind, refuse)


def fitting(value: object, kind: type[Kind], refuse: Refuse, *, at: str = "") -> Kind:
    """Return a plain value, such as a part of what was decoded, as a type that msgspec knows.

    Raises:
        MaskkitError: By `refuse`: it is none. The reason names the place in it, after `at`, its own.
    """
    try:
        return msgspec.convert(value, kind)
    except (ValueError, TypeError, AttributeError) as error:  # msgspec's; the others of what is no JSON
        raise refuse(_in_words(str(error), at)) from error


def _check_amount(data: bytes, most: int) -> None:
    """Raise a ValueError if it is more than can be decoded in a few hundred megabytes of memory."""
    if len(data) > most:
        raise ValueError(f"it has {len(data):,} bytes, and may have {most:,}")
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > MOST_VALUES:
        raise ValueError(f"it holds about {values:,} values, and may hold {MOST_VALUES:,}")


def _check_value(value: object, deepest: int) -> None:
    """Raise a ValueError of a value that is deeper, or has a whole number that is too large."""
    if isinstance(value, int) and abs(value) >= LARGEST:
        raise ValueError(f"it has a number of {len(str(value))} digits")
    if isinstance(value, dict | list):
        if not deepest:
            raise ValueError(TOO_DEEP)
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for one in inner:
            if not isinstance(one, str):
                _check_value(one, deepest - 1)


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a table that has a name twice: readers differ in which of the two they take."""
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise ValueError(f"it has {name[:MOST_SHOWN]!r} twice")
        names.add(name)


def _in_words(said: str, at: str) -> str:
    """Turn a message of msgspec, such as "Expected `int` >= 16 - at `$.size`", into a sentence."""
    what, _, place = said.rpartition(" - at ") if " - at " in said else (said, "", "")
    inside = re.sub(r"^`key` in ", "", place).strip("`").removeprefix("$")
    where = f"{at}{inside}".lstrip(".")
    subject = f"its {where}" if where else "it"
    if place.startswith("`key` in "):
        subject = f"a name in {subject}"
    if missing := re.fullmatch(r"Object missing required field `(.+)`", what):
        return f"{subject} has no {missing[1]!r}"
    if wrong := re.fullmatch(r"Invalid enum value '?(.*?)'?", what, re.DOTALL):
        return f"{subject} cannot be '{wrong[1][:MOST_SHOWN]}'"
    if expected := re.fullmatch(r"Expected `([^`]+)`(.*?)(?:, got (?:`(\w+)`|\S+))?", what):
        wanted, limit, got = expected.groups()
        is_now = f", and is {_KINDS.get(got, got)}" if got else ""
        return f"{subject} should be {_wanted(wanted, limit.strip())}{is_now}"
    return f"{subject}: {_lowered(what)}" if where else _lowered(what)


def _wanted(kinds: str, limit: str) -> str:
    if limit.startswith("matching regex "):
        return _SPELLED[limit.removeprefix("matching regex ")]
    named = " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))
    sign = next((sign for sign in _BOUNDS if limit.startswith(sign)), "")
    if not sign:
        return named
    amount = limit.removeprefix(sign).strip()
    of = " characters" if "length" in sign and kinds == "str" else ""
    return f"{named} {_BOUNDS[sign]} {amount}{of}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
