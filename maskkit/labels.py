"""The label space: what a class is made of, as a value that travels with every artifact.

A class is one level of each factor; its number is the mixed-radix number of its levels, the
first factor counting most. In the home task that is `mask * 6 + gender * 3 + age`.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

from maskkit.errors import MaskkitError
from maskkit.texts import composed
from maskkit.toml_text import read_toml

_COLUMNS = "path person_id label target target_probs weight origin box fold for_fold flags"
RESERVED = frozenset(_COLUMNS.split())  # a manifest's own
MOST_CLASSES = 4096
AGE = "age"  # of a person, in years
OLDEST = 120


@dataclass(frozen=True)
class Factor:
    """One attribute of a photo, either named in a column or cut from a number."""

    name: str  # the factor's name, and of the column it is read from
    levels: tuple[str, ...]  # its values in order
    # For a number: where each level but the first begins, ascending. A value equal to a cut belongs to the
    # level above it. Empty for a categorical factor.
    cuts: tuple[float, ...] = ()
    # Whether all photos of a person share its level, as with gender and age. It changes no class, so
    # artifacts that differ in it alone still belong together.
    personal: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) < len(self.levels):
            raise MaskkitError(
                f"factor {self.name!r} has levels {list(self.levels)}",
                why="a factor needs two or more levels with different names",
                fix="correct its `levels` in the task file",
            )
        if any("/" in word or not word for word in (self.name, *self.levels)):
            raise MaskkitError(
                f"factor {self.name!r} has levels {list(self.levels)}",
                why="names may not be empty or contain '/', which joins the levels of a class name",
                fix="rename it in the task file",
            )
        is_ascending = all(map(isfinite, self.cuts)) and list(self.cuts) == sorted(set(self.cuts))
        if self.cuts and (len(self.cuts) != len(self.levels) - 1 or not is_ascending):
            raise MaskkitError(
                f"factor {self.name!r} has {len(self.levels)} levels and cuts {list(self.cuts)}",
                why=f"{len(self.levels)} levels are divided by {len(self.levels) - 1} ascending cuts",
                fix="correct its `cuts` in the task file",
            )

    @property
    def is_numeric(self) -> bool:
        """Whether the factor is cut from a number."""
        return bool(self.cuts)

    def can_be(self, number: float) -> bool:
        """Whether a number is possible: an age is from 0 to 120, and of other numbers nothing is known."""
        return self.name != AGE or 0 <= number <= OLDEST

    def level_of(self, number: float) -> int:
        """Return the index of the level that `number` falls in (numeric factors)."""
        return bisect_right(self.cuts, number)


@dataclass(frozen=True)
class LabelSpace:
    """Ordered factors whose combinations are the classes."""

    factors: tuple[Factor, ...]

    def __post_init__(self) -> None:
        names = [factor.name for factor in self.factors]
        if not names or len(set(names)) < len(names):
            raise MaskkitError(
                f"the label space has factors {names}",
                why="it needs one or more factors with different names",
                fix="correct the task file",
            )
        taken = RESERVED.intersection(names)
        if taken:
            raise MaskkitError(
                f"the label space has a factor {min(taken)!r}",
                why=f"a manifest has columns of its own: {', '.join(sorted(RESERVED))}",
                fix="rename the factor",
            )
        if len(self) > MOST_CLASSES:
            raise MaskkitError(
                f"the label space has {len(self)} classes",
                why=f"there are at most {MOST_CLASSES:,}, of each of which reports have a line",
                fix="leave out factors, or join levels",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of levels per factor."""
        return tuple(len(factor.levels) for factor in self.factors)

    def __len__(self) -> int:
        """Return the number of classes."""
        return prod(self.shape)

    @property
    def names(self) -> list[str]:
        """Class names in class order, such as `wear/female/30to59`."""
        return ["/".join(self.levels_of(index)) for index in range(len(self))]

    def levels_of(self, index: int) -> tuple[str, ...]:
        """Return the level names that class `index` is made of."""
        levels = []
        for factor in reversed(self.factors):
            index, level = divmod(index, len(factor.levels))
            levels.append(factor.levels[level])
        return tuple(reversed(levels))

    def place_of(self, factor: str, level: str) -> tuple[int, int]:
        """Return the place of a factor, and of one of its levels, by their names.

        Raises:
            MaskkitError: There is no such factor or level.
        """
        names = [item.name for item in self.factors]
        if factor not in names:
            raise MaskkitError(
                f"there is no factor {factor!r}",
                why=f"the factors are {', '.join(names)}",
                fix="use one of them",
            )
        place = names.index(factor)
        levels = self.factors[place].levels
        if level not in levels:
            raise MaskkitError(
                f"{factor} has no level {level!r}",
                why=f"its levels are {', '.join(levels)}",
                fix=f"write it like {factor}={levels[-1]}",
            )
        return place, levels.index(level)

    def to_json(self) -> dict[str, Any]:
        """Return the form kept in headers, which `from_json` and a task file share."""
        return {
            "factors": [
                {"name": factor.name, "levels": list(factor.levels)}
                | ({"cuts": list(factor.cuts)} if factor.cuts else {})
                | ({"personal": True} if factor.personal else {})
                for factor in self.factors
            ]
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelSpace:
        """Read the form that `to_json` returns."""
        allowed = {"name", "levels", "cuts", "personal"}
        factors = data.get("factors")
        if not isinstance(factors, list) or set(data) != {"factors"}:
            raise _bad_task(f"it has the keys {sorted(data)}", "it holds [[factors]] tables and nothing else")
        read = []
        for factor in factors:
            if not isinstance(factor, dict) or not {"name", "levels"} <= set(factor) <= allowed:
                raise _bad_task(
                    f"a factor reads {factor}",
                    "each has a `name`, `levels`, for a number `cuts`, and `personal` if it is a person's",
                )
            name, levels = factor["name"], factor["levels"]
            cuts, personal = factor.get("cuts", []), factor.get("personal", False)
            if not isinstance(name, str) or not _all(levels, str):
                raise _bad_task(f"a factor reads {factor}", "`name` is a text and `levels` a list of texts")
            if not _all(cuts, (int, float)):
                raise _bad_task(f"a factor reads {factor}", "`cuts` is a list of numbers")
            if not isinstance(personal, bool):
                raise _bad_task(f"a factor reads {factor}", "`personal` is true or false")
            read.append(Factor(name, tuple(levels), tuple(cuts), personal))
        space = cls(tuple(read))
        return HOME if space == HOME else space  # artifacts from before `personal` do not name it

    @classmethod
    def from_toml(cls, data: bytes | str, *, title: str = "the task file") -> LabelSpace:
        """Read a task file: one `[[factors]]` table per factor, with `name`, `levels` and `cuts`.

        Names are composed (NFC), whatever form an editor wrote; `title` is for error texts.
        """
        text = data if isinstance(data, bytes) else data.encode()
        return cls.from_json(_composed(read_toml(text, title=title)))

    def to_toml(self) -> str:
        """Return the task file that `from_toml` reads."""
        lines = []
        for factor in self.factors:
            levels = ", ".join(map(quoted, factor.levels))
            lines += ["[[factors]]", f"name = {quoted(factor.name)}", f"levels = [{levels}]"]
            lines += [f"cuts = [{', '.join(map(repr, factor.cuts))}]"] if factor.is_numeric else []
            lines += ["personal = true", ""] if factor.personal else [""]
        return "\n".join(lines)

    def difference(self, other: LabelSpace) -> str | None:
        """Say the first thing in which `other` differs, or None if nothing does."""
        if self == other:
            return None
        ours, theirs = (", ".join(f.name for f in space.factors) for space in (self, other))
        if ours != theirs:
            return f"factors {ours} against {theirs}"
        mine, its = next(pair for pair in zip(self.factors, other.factors, strict=True) if pair[0] != pair[1])
        if mine.levels != its.levels:
            return f"levels of {mine.name}: {', '.join(mine.levels)} against {', '.join(its.levels)}"
        return f"cuts of {mine.name}: {list(mine.cuts)} against {list(its.cuts)}"


def _composed(value: Any) -> Any:
    """Return what TOML holds, with its texts in NFC."""
    if isinstance(value, list):
        return [_composed(item) for item in value]
    if isinstance(value, dict):
        return {name: _composed(item) for name, item in value.items()}
    return composed(value) if isinstance(value, str) else value


def quoted(text: str) -> str:
    """Write a TOML string: JSON's, but for the one control character that JSON lets pass."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _all(values: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, kind) and not isinstance(value, bool) for value in values
    )


def _bad_task(what: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"the task file cannot be read: {what}",
        why=why,
        fix='write one table per factor: [[factors]] name = "age", levels = ["young", "old"], cuts = [40]',
    )


HOME = LabelSpace(
    (
        Factor("mask", ("wear", "incorrect", "none")),
        Factor("gender", ("male", "female"), personal=True),
        Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 60), personal=True),
    )
)
