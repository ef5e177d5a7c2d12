"""Sets beside each answer: classes, and levels of each factor, that hold the truth as often as promised.

In a table of predictions they are columns of their own, `set` and one for each factor, lists of names, which
readers of probabilities pass over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Meta

from maskkit.artifacts.columns import Bools, Ints
from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace

SET = "set"
CLASS = "class"
BETWEEN = "|"  # names of a set in a CSV


@dataclass(frozen=True)
class Promise:
    """How often sets hold the truth.

    Raises:
        MaskkitError: The coverage is no share.
    """

    coverage: float  # share of the photos of people nobody has seen, between 0 and 1
    # Of what that holds by itself: of each `class`, or of each level of the factor of this name; None for all
    # photos together.
    per: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.coverage < 1:
            raise MaskkitError(
                f"cannot promise sets that hold {self.coverage:g} of the truths",
                why="the share lies between 0 and 1, both excluded; 0.9 is usual",
                fix="use --sets 0.9",
            )


class StoredSets(msgspec.Struct):
    """The JSON of what sets promise, and how many photos are left out because theirs are large."""

    coverage: Annotated[float, Meta(gt=0, lt=1)]
    per: str | None = None
    abstain: Annotated[int, Meta(ge=1)] | None = None
    left_out: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True)
class AnswerSets:
    """One set of classes per photo, and one of the levels of each factor."""

    promise: Promise
    classes: Bools  # whether a class is in the set, (N, C)
    levels: tuple[
        Bools, ...
    ]  # whether a level is in the set of its factor, (N, L) each; none of a single factor

    @property
    def sizes(self) -> Ints:
        """How many classes each set holds, (N,)."""
        return np.asarray(self.classes.sum(axis=1), np.int64)

    def holds(self, truth: Ints) -> Bools:
        """Return whether each set has the class that is true, (N,)."""
        return np.asarray(self.classes[np.arange(len(truth)), truth])

    def take(self, rows: Ints) -> AnswerSets:
        """Return the sets of some photos."""
        return AnswerSets(self.promise, self.classes[rows], tuple(part[rows] for part in self.levels))

    def columns(self, space: LabelSpace) -> dict[str, pa.ListArray]:
        """Return the columns of a table, lists of names."""
        parts = zip(set_columns(space).items(), (self.classes, *self.levels), strict=True)
        return {column: _lists(part, names) for (column, names), part in parts}

    def texts(self, space: LabelSpace) -> dict[str, pa.Array]:
        """Return the columns of a CSV, in which a set is one text."""
        import pyarrow.compute as pc

        return {name: pc.binary_join(column, BETWEEN) for name, column in self.columns(space).items()}

    @classmethod
    def read(cls, table: pa.Table, stored: StoredSets, space: LabelSpace, title: str) -> AnswerSets:
        """Read the columns of a table that is called so, and what its header says of them.

        Raises:
            MaskkitError: They do not hold sets of names.
        """
        try:
            parts = [_members(table[name], names) for name, names in set_columns(space).items()]
        except (KeyError, ValueError, pa.ArrowException) as error:
            raise MaskkitError(
                f"{title} has no sets of classes: {str(error).splitlines()[0]}",
                why=f"by its header it has them, as lists of names in {', '.join(set_columns(space))}",
                fix="make it again with `maskkit predict --sets`",
            ) from error
        return cls(Promise(stored.coverage, stored.per), parts[0], tuple(parts[1:]))


def set_columns(space: LabelSpace) -> dict[str, Sequence[str]]:
    """Return the columns of sets, and the names that each can hold."""
    factors = space.factors if len(space.factors) > 1 else ()
    return {SET: space.names, **{f"{SET}_{factor.name}": factor.levels for factor in factors}}


def is_set_text(name: str, column: pa.ChunkedArray) -> bool:
    """Whether a column of a CSV holds sets as texts, and no probabilities."""
    is_named = name == SET or name.startswith(f"{SET}_")
    return is_named and (pa.types.is_string(column.type) or pa.types.is_null(column.type))


def _lists(part: Bools, names: Sequence[str]) -> pa.ListArray:
    ends = np.concatenate([[0], part.sum(axis=1).cumsum()])
    places = pa.array(np.nonzero(part)[1])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(names, pa.string()).take(places))


def _members(column: pa.ChunkedArray, names: Sequence[str]) -> Bools:
    """Return which names each list holds, (rows, names); raise ValueError, or Arrow's error, of others."""
    import pyarrow.compute as pc

    lists = column.cast(pa.list_(pa.string())).combine_chunks()
    places = pc.index_in(lists.flatten(), value_set=pa.array(names, pa.string()))
    if lists.null_count or places.null_count:
        raise ValueError("some are empty, or of other names")
    found = np.zeros((len(lists), len(names)), np.bool_)
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    found[np.repeat(np.arange(len(lists)), sizes), places.to_numpy(zero_copy_only=False)] = True
    return found
