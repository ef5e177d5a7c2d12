"""Texts that other programs wrote: which encoding bytes are in, how a name reads, which number a text is."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from math import isfinite, nan

from maskkit.errors import MaskkitError

# With the mark that says which it is, the longer ones first: that of UTF-32 begins as that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
ENCODINGS = (
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949", "euc_kr", "johab", "cp1252", "iso8859-1",
    "shift_jis", "cp932", "euc_jp", "gb18030", "big5",
)  # fmt: skip
KINDS = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x1f\x8b": "a file packed by gzip",
    b"\x28\xb5\x2f\xfd": "a file packed by zstd",
    b"\xff\xd8\xff": "a JPEG photo",
    b"\x89PNG": "a PNG photo",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
}
LOOKED_AT = 65_536  # bytes by which an encoding is guessed
SHOWN = 40  # characters of a text that a guess shows
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def known_encoding(name: str) -> str:
    """Return Python's name of an encoding, such as "cp949" for "MS949" or "uhc".

    Raises:
        MaskkitError: It is not one of those that tables are in.
    """
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        found = ""
    if found not in ENCODINGS:
        raise MaskkitError(
            f"there is no encoding {readable(name)!r}",
            why=f"tables are read as {', '.join(ENCODINGS)}",
            fix="leave it out for UTF-8, and for UTF-16 that begins with its mark",
        )
    return found


def marked(data: bytes) -> str | None:
    """Return the encoding that bytes say they are in, by the mark at their beginning; None without one."""
    return next((name for mark, name in MARKS.items() if data.startswith(mark)), None)


def looks_like(data: bytes, *, option: bool) -> tuple[str, str]:
    """Say what bytes look like that are not UTF-8, and what to do; with `option`, --encoding may say it.

    >>> looks_like("나이".encode("cp949"), option=True)[0]
    "the bytes look like CP949, as Windows writes Korean: '나이'"
    """
    head = data[:LOOKED_AT]
    save = "save it as UTF-8"
    if kind := next((kind for magic, kind in KINDS.items() if head.startswith(magic)), None):
        return f"it is {kind}", "give a table as CSV in UTF-8, or as Parquet"
    for first, encoding in ((0, "utf-16-be"), (1, "utf-16-le")):
        half = head[first::2]
        if len(half) > 1 and half.count(0) > 0.4 * len(half) and b"\0" not in head[1 - first :: 2]:
            fix = f"give --encoding {encoding}, or {save}" if option else save
            return f"the bytes look like UTF-16 without its mark ({encoding})", fix
    if b"\0" in head:
        return "it holds a NUL (byte 0), which no text does", "look where it comes from, and write it again"
    korean = _as_korean(head)
    if korean is not None:
        fix = f"give --encoding cp949, or {save}" if option else save
        return f"the bytes look like CP949, as Windows writes Korean: {korean!r}", fix
    fix = f"give its encoding, such as --encoding cp1252, or {save}" if option else save
    return "the bytes are not UTF-8", fix


def _as_korean(data: bytes) -> str | None:
    """Return the first line that is not ASCII of bytes that make sense as CP949; None if they do not."""
    text = codecs.getincrementaldecoder("cp949")("replace").decode(data)  # the last letter may be cut in two
    letters = [letter for letter in text if letter > "\x7f"]
    korean = sum("가" <= letter <= "힣" for letter in letters)
    if not letters or "\ufffd" in letters or korean < 0.5 * len(letters):
        return None
    line = next(line for line in text.splitlines() if not line.isascii())
    return line[:SHOWN]


def decoded(data: bytes, *, title: str, encoding: str | None = None, option: bool = False) -> str:
    """Return bytes as text: as their mark says, or else in the encoding given, or UTF-8.

    With `option`, the command has --encoding. `title` is for error texts.

    Raises:
        MaskkitError: They are in another, and it says which they look like.
    """
    name = marked(data) or encoding or "utf-8"
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        raise undecodable_text(data, error, title=title, option=option and encoding is None) from error
    if "\0" in text:
        raise nul_in_text(data, title=title, option=option and encoding is None)
    return text.removeprefix("\ufeff")


def undecodable_text(data: bytes, error: UnicodeDecodeError, *, title: str, option: bool) -> MaskkitError:
    """Return the error of a text that is not in the encoding that it was read in."""
    guess, fix = looks_like(data, option=option)
    line = data.count(b"\n", 0, error.start) + 1
    where = f"byte {data[error.start]:#04x} in line {line} is none"
    return MaskkitError(
        f"{title} is not a text in {error.encoding.upper()}", why=f"{where}; {guess}", fix=fix
    )


def nul_in_text(data: bytes, *, title: str, option: bool) -> MaskkitError:
    """Return the error of a text with a NUL in it."""
    guess, fix = looks_like(data, option=option)
    line = data.count(b"\n", 0, data.index(0)) + 1
    return MaskkitError(f"{title} is not a text: there is a NUL in line {line}", why=guess, fix=fix)


def composed(text: str) -> str:
    """Return a text in NFC, the form in which most programs write letters; macOS names files in NFD."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_utf8(name: str) -> bool:
    """Whether the name of a file, as Python lists it, is UTF-8."""
    return name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def readable(name: str) -> str:
    r"""Return the path of a file so that it can be printed; a part that is not UTF-8 as its bytes.

    >>> readable("a/\udcb8\udcb6.jpg")
    'a/\\xb8\\xb6.jpg'
    """
    parts = name.split("/")
    shown = (part if is_utf8(part) else _bytes(part).decode("ascii", "backslashreplace") for part in parts)
    return "/".join(shown)


def foreign_name(name: str) -> str:
    r"""Say that the path of a file is not UTF-8, and how it reads in Korean, if it does.

    >>> foreign_name("\udcb8\udcb6.jpg")
    'its name is not UTF-8; in CP949 it is 마.jpg'
    """
    parts = [part for part in name.split("/") if not is_utf8(part)]
    if any(_as_korean(_bytes(part)) is None for part in parts):
        return "its name is not UTF-8"
    korean = (part if is_utf8(part) else _bytes(part).decode("cp949") for part in name.split("/"))
    return f"its name is not UTF-8; in CP949 it is {'/'.join(korean)}"


def _bytes(name: str) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # half of a pair, which no file system gives
        return name.encode("utf-8", "surrogatepass")


def number_of(text: str) -> float | None:
    """Return the number that a text spells as tables do; NaN for `nan` and an empty text, None if it is none.

    >>> number_of(" 25 "), number_of("2_5"), number_of("inf")
    (25.0, None, None)
    """
    plain = text.strip()
    if plain.lower() in ("", "nan"):
        return nan
    if NUMBER.fullmatch(plain) is None:
        return None
    number = float(plain)
    return number if isfinite(number) else None
