"""Text that came with files, as a terminal may show it."""

from __future__ import annotations

import re

# What a terminal acts on, and what is no character: controls, ends of lines and paragraphs, marks that turn
# the direction of what follows, and halves of characters, as which bytes come that are not UTF-8.
ODD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
BYTE = range(0xDC80, 0xDD00)  # by which Python stands for a byte of a file name that is not UTF-8
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text with what a terminal would act on written as Python writes it, but for what to keep.

    >>> printable("a\x1b[31m\r\udcb0")
    'a\\x1b[31m\\r\\xb0'
    """
    return ODD.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def in_json(text: str) -> str:
    """Return JSON with the same characters of its texts as escapes, which read the same; lines stay."""
    return ODD.sub(lambda found: "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def _escaped(character: str) -> str:
    number = ord(character)
    if number in BYTE:
        number -= 0xDC00
    return SHORT.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")
