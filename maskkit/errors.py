"""The errors a person can act on: what happened, why, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

from maskkit.plain_text import printable


class MaskkitError(Exception):
    """Something could not be done. Raised by the library, printed once by the command line.

    Args:
        what: What could not be done, with the value seen.
        why: The reason, with the values allowed.
        fix: What to do or type instead.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix

    def __reduce__(self) -> tuple[partial[MaskkitError], tuple[()]]:
        """Let it travel from a worker process; exceptions are otherwise rebuilt without keywords."""
        return partial(type(self), self.what, why=self.why, fix=self.fix), ()

    def __str__(self) -> str:
        parts = {"error": self.what, "  why": self.why, "  fix": self.fix}
        return "\n".join(f"{name}: {printable(text)}" for name, text in parts.items())


class RefusedError(MaskkitError):
    """The command ran, and its answer is no: a leak was found, or a score is under the one asked for."""

    exit_code = 3


def examples(values: Iterable[object], *, most: int = 3) -> str:
    """Name the first few of `values`, and say how many more there are.

    >>> examples(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = [str(value) for value in values]
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def nearest(name: str, names: Iterable[str], *, most: int = 8, all_by: str = "") -> str:
    """Write the `fix` for a name that is none of `names`: those that are spelled like it, then a few more.

    `all_by` says how all of them can be seen, instead of those few.

    >>> nearest("adma", ["sgd", "adam", "lion", "lamb"], most=2)
    'did you mean adam? Others are sgd, lion and 1 more'
    >>> nearest("x", ["sgd", "adam"])
    'use one of sgd, adam'
    """
    from difflib import get_close_matches

    known = list(names)
    bare = {one: re.sub("[-_ ]", "", one).lower() for one in known}
    wanted = re.sub("[-_ ]", "", name).lower()
    close = [one for one in known if bare[one] == wanted] or get_close_matches(name.lower(), known)
    others = examples((one for one in known if one not in close), most=most)
    if not close:
        return all_by or f"use one of {others}"
    more = all_by or (f"Others are {others}" if others else "")
    return f"did you mean {' or '.join(close)}? {more}".rstrip()


MOST_OF_A_REASON = 240  # characters


def reason(error: BaseException) -> str:
    """Return what the error of another library says, for the `why` of ours: its first line, if need be cut.

    >>> reason(ValueError("no such file"))
    'no such file'
    >>> reason(ValueError())
    'ValueError()'
    """
    if isinstance(error, MaskkitError):
        return error.why
    if isinstance(error, OSError) and error.strerror:  # without the file, which `what` names
        return error.strerror.lower()
    line = (str(error).strip() or repr(error)).splitlines()[0]
    return line if len(line) <= MOST_OF_A_REASON else f"{line[:MOST_OF_A_REASON].rpartition(' ')[0]} ..."
