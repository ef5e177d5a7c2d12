"""A checksum inside every file that maskkit writes and reads again, by which damage shows.

A seal is the CRC32 of all bytes before and behind it, spelled in one way, at one place of each format that
its other readers pass over. A program that writes the file anew loses the seal or moves it: then there is
none, and nothing is checked, as in files of other programs and of earlier versions. A damaged seal is still
known for one by the rest of its spelling. CRC32 finds every change within four bytes in a row, and all but
one in four thousand million others; zlib computes it faster than most disks read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from maskkit.errors import MaskkitError

SEALED = "maskkit.crc32"  # name of a seal that is an entry among others
DIGITS = 8  # hexadecimal, of 32 bits
MOST_WRONG = 3  # bytes of a seal's spelling that damage may have changed; what differs more is no seal
BLOCK = 1 << 20  # bytes that are read at a time
PLAIN = b"maskkit crc32 "
PARQUET_BYTES = len(PLAIN) + DIGITS + 1  # of the seal
IR_VERSION_BYTES = 2  # of an ONNX file's first field
ZIP_END, ZIP_END_BYTES = b"PK\5\6", 22  # the last record of a zip file, and its length without the comment
MOST_ZIP_END = 64  # bytes of it with a seal as the comment
PARQUET_TAIL = 8  # bytes at the end of a Parquet file: the footer's length, and `PAR1`
AGAIN = "copy it again from where it is whole, or make it again"

Read = Callable[[int, int], bytes | memoryview]  # so many bytes from a place; fewer at the end


@dataclass(frozen=True)
class Seal:
    """How a checksum is spelled in files of one format, and where."""

    before: bytes  # the digits
    after: bytes
    place: Callable[[Read, int], int]  # where it begins in a file of so many bytes
    fix: str = AGAIN  # what can be done about a damaged file

    def __len__(self) -> int:
        return len(self.before) + DIGITS + len(self.after)

    @property
    def blank(self) -> bytes:
        """What is written until the checksum is known."""
        return self.spelled(0)

    def spelled(self, crc32: int) -> bytes:
        """Return the seal of a checksum."""
        return self.before + b"%08x" % crc32 + self.after

    def sealed(self, before: bytes, *after: bytes | memoryview) -> bytearray:
        """Return a file of what comes before its seal and what comes after."""
        data = bytearray().join((before, self.blank, *after))
        self.fill(data)
        return data

    def fill(self, data: bytearray | memoryview) -> None:
        """Put the checksum of a whole file into it, in the place of what is blank."""
        view = memoryview(data).cast("B")
        at = self.place(_reader(view), len(view))
        assert view[at : at + len(self)] == self.blank, "another place than readers look at"
        view[at : at + len(self)] = self.spelled(self.crc32(_reader(view), len(view)))

    def is_in(self, read: Read, size: int) -> bool:
        """Whether a file has this seal, be it damaged."""
        at = self.place(read, size)
        if at < 0:
            return False
        found = bytes(read(at, len(self))).ljust(len(self), b"\0")  # it may be cut off
        spelling = found[: len(self.before)] + found[len(self.before) + DIGITS :]
        wrong = sum(one != other for one, other in zip(spelling, self.before + self.after, strict=True))
        return wrong <= MOST_WRONG

    def crc32(self, read: Read, size: int) -> int:
        """Return the checksum of all bytes of a file but those of the seal."""
        at = self.place(read, size)
        found = 0
        for start, end in ((0, at), (at + len(self), size)):
            for one in range(start, end, BLOCK):
                found = zlib.crc32(read(one, min(BLOCK, end - one)), found)
        return found


def _comment(read: Read, size: int) -> int:
    start = max(0, size - MOST_ZIP_END)
    found = bytes(read(start, size - start)).rfind(ZIP_END)
    return start + found + ZIP_END_BYTES if found >= 0 else -1


def _before_footer(read: Read, size: int) -> int:
    footer = int.from_bytes(read(max(0, size - PARQUET_TAIL), 4), "little")
    return size - PARQUET_TAIL - footer - PARQUET_BYTES


# Pages are found by the footer, and the footer from the end: what is between the last page and the footer
# belongs to nobody. A damaged length of the footer hides the seal, but then no footer is found either.
PARQUET = Seal(PLAIN, b"\n", _before_footer)
# The first entry of the metadata. The line's end keeps it from where other programs would write that entry.
SAFETENSORS = Seal(b'{\n"__metadata__":{"maskkit.crc32":"', b'",', lambda _, __: 8)
# The first value, on the line of the brace, with a space before its colon and none behind.
DECISION = Seal(
    b'{ "maskkit.crc32" :"', b'",\n', lambda _, __: 0,
    f"{AGAIN}; if you have edited it, remove its first entry, `maskkit.crc32`",
)  # fmt: skip
# An entry of the metadata (field 14: texts 1 and 2) behind the version; other programs write those last.
ONNX = Seal(b"\x72\x19\x0a\x0dmaskkit.crc32\x12\x08", b"", lambda _, __: IR_VERSION_BYTES)
# The comment of a zip file, which ends it.
ZIP = Seal(PLAIN, b"\n", _comment)

SEALS = (PARQUET, SAFETENSORS, DECISION, ONNX, ZIP)


def refuse_damaged(data: memoryview, name: str) -> None:
    """Raise a MaskkitError if bytes, of a file of this name, have a seal that is not theirs."""
    _refuse(_reader(data), len(data), name)


def _reader(data: memoryview) -> Read:
    return lambda at, count: data[at : at + count]


def _refuse(read: Read, size: int, name: str) -> None:
    for seal in SEALS:
        if not seal.is_in(read, size):
            continue
        found, right = bytes(read(seal.place(read, size), len(seal))), seal.crc32(read, size)
        if found != seal.spelled(right):
            said = found[len(seal.before) :][:DIGITS].decode("ascii", "replace")
            raise MaskkitError(
                f"{name} is damaged",
                why=f"its bytes are not those that were written: it says that their CRC32 is {said}, "
                f"and it is {right:08x}",
                fix=seal.fix,
            )
