"""TOML that people wrote, in UTF-8 and within bounds: task files and recipes."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from maskkit.errors import MaskkitError, reason
from maskkit.texts import decoded, marked

LARGEST = 1_000_000  # bytes
MOST_KEYS = 20_000
DEEPEST = 16  # tables in tables, and parts of a key
_PART = r"""(?:"[^"\n]*"|'[^'\n]*'|[\w-]+)[ \t]*"""
LONG_KEY = re.compile(rf"""(?<![\w"'-]){_PART}(?:\.[ \t]*{_PART}){{{DEEPEST},}}""")
MOST_DIGITS = 2**63  # of TOML's own numbers


def read_toml(data: bytes, *, title: str) -> dict[str, Any]:
    """Return what a TOML file holds, which may begin with the mark of UTF-8; `title` names it.

    Raises:
        MaskkitError: It is not TOML or in another encoding, or larger or deeper than anybody writes.
    """
    if len(data) > LARGEST:
        raise _unreadable(title, f"it has {len(data):,} bytes, and {LARGEST:,} are read at most")
    if marked(data) not in (None, "utf-8-sig"):
        raise _unreadable(title, f"it is in {str(marked(data)).upper()}, and TOML is in UTF-8")
    text = decoded(data, title=title)
    if LONG_KEY.search(text):  # the parser's time grows by the square of a key's parts
        raise _unreadable(title, f"a key has more than {DEEPEST} parts")
    try:
        found = tomllib.loads(text)
    except RecursionError as error:
        raise _unreadable(title, "it is nested too deeply") from error
    except ValueError as error:  # of TOML, and of numbers with thousands of digits
        raise _unreadable(title, f"it is not TOML: {reason(error)}") from error
    _check(found, title)
    return found


def _check(found: dict[str, Any], title: str) -> None:
    waiting: list[tuple[object, int]] = [(found, 0)]
    keys = 0
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise _unreadable(title, f"it is nested more than {DEEPEST} deep")
        if isinstance(value, dict | list):
            keys += len(value)
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(one, depth + 1) for one in inner]
        if keys > MOST_KEYS:
            raise _unreadable(title, f"it has more than {MOST_KEYS:,} keys and values")
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, dict) else []
        if any("\0" in text for text in texts):
            raise _unreadable(title, "it holds a NUL (character 0), which no text does")
        if isinstance(value, int) and not -MOST_DIGITS <= value < MOST_DIGITS:
            raise _unreadable(title, "it has a number of more than 64 bits")


def _unreadable(title: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"{title} cannot be read as TOML",
        why=why,
        fix="correct it, and save it as UTF-8; a line reads `name = value`, below a line `[table]`",
    )
