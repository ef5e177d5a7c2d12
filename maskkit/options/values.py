"""Values that options write as text: sizes, colours, levels, rules by factor, amounts of memory and time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from maskkit.errors import MaskkitError, reason
from maskkit.labels import Factor, LabelSpace

MOST_FOLDS = 1000
UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

SECONDS = {"h": 3600, "m": 60, "s": 1}
LONGEST = 1000 * 3600  # seconds of a duration

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class LevelValue:
    """What an option says of one level of a factor: `mask=wear:2`; the value is empty for `mask=wear`."""

    factor: str
    level: str
    value: str


def parse_size(text: str) -> tuple[int, int]:
    """Read a photo size, `128x96` (height x width) or `224` for both; raise a MaskkitError of any other."""
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 16 <= int(part) <= 4096 for part in parts):
        raise MaskkitError(
            f"{text!r} is not a photo size",
            why="it is HEIGHTxWIDTH or one number for both, each from 16 to 4096 pixels",
            fix="use --size 128x96 or --size 224",
        )
    return int(parts[0]), int(parts[-1])


def parse_normalize(text: str) -> tuple[Channels, Channels]:
    """Read a mean and a standard deviation per channel, such as `0.54,0.46,0.43/0.2,0.2,0.2`.

    Raises:
        MaskkitError: They are not three numbers each from 0 to 1, or a standard deviation is 0.
    """
    sides = [[_number(part) for part in side.split(",")] for side in text.split("/")]
    numbers = [value for side in sides for value in side if value is not None and 0 <= value <= 1]
    if [len(side) for side in sides] != [3, 3] or len(numbers) < 6 or not all(numbers[3:]):
        raise MaskkitError(
            f"--normalize is {text!r}",
            why="it is mean/deviation, each of red, green and blue, from 0 to 1 and the latter above 0",
            fix="use what `maskkit eda` prints, such as --normalize 0.5,0.5,0.5/0.25,0.25,0.25",
        )
    red, green, blue, *deviation = numbers
    return (red, green, blue), (deviation[0], deviation[1], deviation[2])


def parse_level(text: str, *, option: str, example: str) -> LevelValue:
    """Read `age=60plus`, or `mask=wear:2` with a value: the latter if the `example` has a `:`.

    Raises:
        MaskkitError: It has another form.
    """
    matched = re.fullmatch(r"\s*([^=:]+)=([^=:]+)(?::(.+))?", text)
    if matched is None or (matched[3] is None) != (":" not in example):
        form = "FACTOR=LEVEL:VALUE" if ":" in example else "FACTOR=LEVEL"
        raise _refused(option, text, f"it has the form {form}", example)
    return LevelValue(matched[1].strip(), matched[2].strip(), (matched[3] or "").strip())


def parse_counts(text: str | None, *, option: str, example: str) -> tuple[tuple[LevelValue, int], ...]:
    """Read levels with a whole number of 1 or more each, `mask=wear:2,mask=none:1`; nothing of None.

    Raises:
        MaskkitError: It has another form.
    """
    parts = [] if text is None else text.split(",")
    levels = [parse_level(part, option=option, example=example) for part in parts]
    for level in levels:
        if not level.value.isdecimal() or int(level.value) < 1:
            raise MaskkitError(
                f"{option} gives {level.factor}={level.level} the number {level.value!r}",
                why="it is a whole number, 1 or more",
                fix=f"write it like {option} {example}",
            )
    return tuple((level, int(level.value)) for level in levels)


def cuts_of(texts: Iterable[str]) -> dict[str, list[float]]:
    """Read `age=30,58` and its like; whole numbers stay whole, as they are typed again from a history."""
    return {
        factor: [_cut(word, factor) for word in words]
        for factor, words in _words(texts, option="--train-cuts", example="age=30,58", once=True).items()
    }


def spreads_of(texts: Iterable[str]) -> dict[str, float]:
    """Read `age=4` and its like, a standard deviation above 0 per factor."""
    option, example = "--train-spread", "age=4"
    found = {}
    for factor, words in _words(texts, option=option, example=example, once=True).items():
        number = _number(words[0]) if len(words) == 1 else None
        if number is None or number <= 0:
            why = f"{','.join(words)!r} is not a standard deviation, one number above 0"
            raise _refused(option, f"{factor}={','.join(words)}", why, example)
        found[factor] = int(number) if number.is_integer() else number
    return found


def ignored_of(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read `age=57-59,30` and its like; what one factor is given at several times is joined."""
    return _words(texts, option="--ignore", example="age=57-59", once=False)


def person_pattern(text: str) -> re.Pattern[str]:
    r"""Read a regular expression with one group, such as `(\d+)_.*`.

    Raises:
        MaskkitError: It is none, or has no group or several.
    """
    option, example = "--person-from", r"'(\d+)_.*'"
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise _refused(option, text, f"it is no regular expression: {reason(error)}", example) from error
    if pattern.groups != 1:
        why = f"its one group in parentheses is the person, and it has {pattern.groups or 'none'}"
        raise _refused(option, text, why, example)
    return pattern


def named_factor(name: str, space: LabelSpace, *, option: str) -> Factor:
    """Return the factor of that name, or raise with the names there are."""
    factors = {factor.name: factor for factor in space.factors}
    if name not in factors:
        raise MaskkitError(
            f"{option} names the factor {name!r}",
            why=f"the factors are {', '.join(factors)}",
            fix="correct the name",
        )
    return factors[name]


def _words(texts: Iterable[str], *, option: str, example: str, once: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        name, _, values = (part.strip() for part in text.partition("="))
        words = [word.strip() for word in values.split(",")]
        if not name or not all(words):
            why = "it has the form FACTOR=VALUE, with commas between several values"
            raise _refused(option, text, why, example)
        if once and name in found:
            raise MaskkitError(
                f"{option} is given twice for {name}",
                why=f"first {','.join(found[name])}, then {','.join(words)}",
                fix="leave one of them out",
            )
        found.setdefault(name, []).extend(words)
    return found


def _cut(word: str, factor: str) -> float:
    number = _number(word)
    if number is None:
        raise MaskkitError(
            f"--train-cuts cuts {factor} at {word!r}",
            why="a cut is a number",
            fix="write it like --train-cuts age=30,58",
        )
    return int(number) if number.is_integer() else number


def parse_bytes(text: str, *, example: str = "--cache-size 20GB") -> int:
    """Read an amount of memory, such as `20GB` or `500 MB`, or 0; raise a MaskkitError of anything else."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?B)", text.strip().upper())
    if text.strip() == "0":
        return 0
    if found is None:
        raise MaskkitError(
            f"{text!r} is not an amount of memory",
            why=f"it is a number and one of {', '.join(UNITS)}",
            fix=f"use {example}",
        )
    return int(float(found[1]) * UNITS[found[2]])


def as_bytes(count: int) -> str:
    """Write an amount of memory for people: 2,831,155,200 is 2.8 GB."""
    unit = next(unit for unit in reversed(UNITS) if count >= UNITS[unit] or unit == "B")
    return f"{count / UNITS[unit]:.3g} {unit}"


def parse_duration(text: str, *, example: str = "--budget 5m") -> int:
    """Read a time such as `90s`, `5m` or `1h30m`, in seconds; raise a MaskkitError of anything else."""
    found = re.fullmatch("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in SECONDS), text.strip().lower())
    numbers = [] if found is None else [int(number or 0) for number in found.groups()]
    seconds = sum(number * each for number, each in zip(numbers, SECONDS.values(), strict=False))
    if not 0 < seconds <= LONGEST:
        raise MaskkitError(
            f"{text!r} is not a length of time",
            why=f"it is hours, minutes and seconds as in 1h30m or 90s, above 0 and up to {LONGEST // 3600}h",
            fix=f"use {example}",
        )
    return seconds


def as_duration(seconds: float) -> str:
    """Write a time as `parse_duration` reads it, in whole seconds: 5400 is 1h30m."""
    left, parts = max(1, round(seconds)), []
    for unit, each in SECONDS.items():
        count, left = divmod(left, each)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def as_clock(seconds: float) -> str:
    """Write a time as a clock shows it: 260 is 4:20, 3725 is 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def parse_thresholds(text: str) -> tuple[tuple[str, float], ...]:
    """Read `0.9,age=60plus:0.6,wear/male/60plus:0.5`: a number for all (an empty name), a level, a class.

    Raises:
        MaskkitError: It has another form, or a number is not above 0 and up to 1.
    """
    rules = []
    for part in text.split(","):
        name, _, number = part.rpartition(":")
        value = _number(number)
        if value is None or not 0 < value <= 1 or (":" in part and not name.strip()):
            why = f"{part!r} is not a probability, above 0 and up to 1, with a level or a class before it "
            why += "if it is not for all"
            raise _refused("--threshold", text, why, "0.9,age=60plus:0.6")
        rules.append((name.strip(), value))
    return tuple(rules)


def parse_pseudo_weight(text: str) -> tuple[bool, float]:
    """Read `0.5`, `confidence` or `confidence:0.5`: whether confidence counts, and a factor.

    Raises:
        MaskkitError: It is none of them, or the number is not above 0.
    """
    word, _, number = text.strip().partition(":")
    by_confidence = word == "confidence"
    value = _number((number if ":" in text else "1") if by_confidence else text)
    if value is None or value <= 0:
        why = "it is a number above 0, `confidence`, or `confidence:` and a number to multiply it by"
        raise _refused("--weight", text, why, "0.5 or --weight confidence:0.5")
    return by_confidence, value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


SMALLEST_SCALE, LARGEST_SCALE, LARGEST_SHIFT = 0.25, 4.0, 0.5
SHIFT = 0.05  # of height and width, if `shift` says no share


@dataclass(frozen=True)
class Tta:
    """Views of each photo beside itself, for test-time augmentation."""

    hflip: bool = False  # also the mirror image of each view
    scales: tuple[float, ...] = ()  # factors by which the photo is shown larger or, below 1, smaller
    shift: float = 0.0  # share of height and width by which it is moved in each of four directions; 0 for not

    @property
    def count(self) -> int:
        """How many views there are, with the photo itself."""
        return (1 + len(self.scales) + (4 if self.shift else 0)) * (2 if self.hflip else 1)

    def __str__(self) -> str:
        parts = ["hflip"] * self.hflip + [f"scale:{scale:g}" for scale in self.scales]
        return ",".join([*parts, *([f"shift:{self.shift:g}"] if self.shift else [])]) or "none"


def parse_tta(text: str) -> Tta:
    """Read `none`, or views such as `hflip,scale:0.9,shift`.

    Raises:
        MaskkitError: There is no such view, it is there twice, or its number is out of range.
    """
    if text.strip() == "none":
        return Tta()
    read = [_view(word.strip(), text) for word in text.split(",")]
    kinds = [number if name == "scale" else name for name, number in read]
    if len(set(kinds)) < len(kinds):
        raise _bad_tta(text, "a view is there twice")
    scales = [number for name, number in read if name == "scale"]
    shift = next((number for name, number in read if name == "shift"), 0.0)
    return Tta(("hflip", 0.0) in read, tuple(sorted(scales)), shift)


def _view(word: str, text: str) -> tuple[str, float]:
    if word in ("hflip", "shift"):
        return word, SHIFT if word == "shift" else 0.0
    name, _, number = word.partition(":")
    limits = {"scale": (SMALLEST_SCALE, LARGEST_SCALE), "shift": (0.0, LARGEST_SHIFT)}
    if name not in limits:
        raise _bad_tta(text, f"there is no {word!r}" if word else "a view has no name")
    (low, high), value = limits[name], _number(number)
    if value is None:
        raise _bad_tta(text, f"{name} takes a number, not {number!r}")
    if not low <= value <= high or value == (1.0 if name == "scale" else 0.0):
        beside = "1, which is the photo itself" if name == "scale" else "0"
        raise _bad_tta(text, f"{name} is from {low:g} to {high:g} and not {beside}")
    return name, value


def _bad_tta(text: str, why: str) -> MaskkitError:
    more = "it is `none`, or a list of hflip, scale:FACTOR and shift or shift:SHARE"
    return _refused("--tta", text, f"{why}; {more}", "hflip,scale:0.9,shift")


def _refused(option: str, text: str, why: str, example: str) -> MaskkitError:
    return MaskkitError(f"{option} is {text!r}", why=why, fix=f"write it like {option} {example}")
