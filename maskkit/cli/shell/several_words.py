"""Options that take every word up to the next option, as `--fit a.parquet b.parquet` and `--fit oof/*` do.

Click's options take as many words as declared, or one at a time. An option that may be repeated and whose
metavar ends in three dots is here rewritten to `--fit a.parquet --fit b.parquet` before Click sees it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import typer

END = "--"  # after which every word is an argument


def flags_of(params: Sequence[Any]) -> frozenset[str]:
    """Return the flags of a command's options that take several words."""
    several = (item for item in params if getattr(item, "multiple", False))
    return frozenset(flag for item in several if str(item.metavar).endswith("...") for flag in item.opts)


def repeated(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """Write each of the flags anew before each of its words.

    Raises:
        typer.BadParameter: A flag has no words.
    """
    result: list[str] = []
    flag, taken = "", 0
    for place, word in enumerate(words):
        is_option = word.startswith("-") and word != "-"
        if flag and is_option and not taken:
            break
        if word == END:
            return [*result, *words[place:]]
        if word in flags:
            flag, taken = word, 0
        elif is_option:
            flag = ""
            result.append(word)
        else:
            result += [flag, word] if flag else [word]
            taken += bool(flag)
    if flag and not taken:
        raise typer.BadParameter("give one file or more", param_hint=flag)
    return result
