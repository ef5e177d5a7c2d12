"""Rules of the form FACTOR=VALUE,VALUE, as they are typed after an option."""

from __future__ import annotations

from collections.abc import Iterable

from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace


def cuts_of(texts: Iterable[str]) -> dict[str, list[float]]:
    """Read `age=30,58` and its like; whole numbers stay whole, as they are typed again from a history."""
    return {
        factor: [_number(word, factor) for word in words]
        for factor, words in _words(texts, option="--train-cuts", once=True).items()
    }


def ignored_of(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read `age=57-59,30` and its like; what one factor is given at several times is joined."""
    return _words(texts, option="--ignore", once=False)


def named_factor(name: str, space: LabelSpace, *, option: str) -> Factor:
    """Return the factor of that name, or raise with the names there are."""
    for factor in space.factors:
        if factor.name == name:
            return factor
    raise MaskkitError(
        f"{option} names the factor {name!r}",
        why=f"the factors are {', '.join(factor.name for factor in space.factors)}",
        fix="correct the name",
    )


def _words(texts: Iterable[str], *, option: str, once: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, values = (part.strip() for part in text.partition("="))
        words = [word.strip() for word in values.split(",")]
        if not name or not all(words):
            raise MaskkitError(
                f"{option} is {text!r}",
                why="it has the form FACTOR=VALUE, with commas between several values",
                fix=f"write it like {option} " + ("age=30,58" if once else "age=57-59"),
            )
        if once and name in found:
            raise MaskkitError(
                f"{option} is given twice for {name}",
                why=f"first {','.join(found[name])}, then {','.join(words)}",
                fix="leave one of them out",
            )
        found.setdefault(name, []).extend(words)
    return found


def _number(word: str, factor: str) -> float:
    try:
        number = float(word)
    except ValueError:
        raise MaskkitError(
            f"--train-cuts cuts {factor} at {word!r}",
            why="a cut is a number",
            fix="write it like --train-cuts age=30,58",
        ) from None
    return int(number) if number.is_integer() else number
