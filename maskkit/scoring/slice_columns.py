"""By what scores are cut into slices: how it is written, and which slice each photo is in.

`--by gender,mask` crosses columns, `--by age:2` takes a number in steps of 2, and `--by brightness:q4` puts
as many photos into each of 4 slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import encoded
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.plain_columns import is_key
from maskkit.errors import MaskkitError, examples
from maskkit.scoring.metrics import Counts, Floats

MOST_SLICES = 200
FACE, CLASS = "face", "class"
LOOKS = ("brightness", "contrast", "sharpness")  # for which photos have to be opened
UNKNOWN = "unknown"


@dataclass(frozen=True)
class SliceColumn:
    """One column, and how its numbers are divided."""

    column: str  # its name
    step: float | None = None  # width of each band; None if values are taken as they are
    quantiles: int | None = None  # number of slices of equally many photos; None likewise


@dataclass(frozen=True)
class By:
    """Columns that are crossed, as they were written."""

    text: str
    parts: tuple[SliceColumn, ...]


@dataclass(frozen=True)
class Cut:
    """Names of slices, and the slice of each photo, (N,)."""

    names: tuple[str, ...]
    code: Counts


def parse_by(text: str) -> By:
    """Read what `--by` was given.

    >>> parse_by("age:2").parts
    (SliceColumn(column='age', step=2.0, quantiles=None),)

    Raises:
        MaskkitError: It is written wrongly.
    """
    parts = [_parse_part(word.strip(), text) for word in text.split(",")]
    if len({part.column for part in parts}) < len(parts):
        raise _unreadable(text, "it names a column twice")
    return By(text, tuple(parts))


def _parse_part(word: str, text: str) -> SliceColumn:
    column, colon, how = word.partition(":")
    if not column:
        raise _unreadable(text, "a column has no name")
    if not colon:
        return SliceColumn(column)
    try:
        if how.startswith("q"):
            count = int(how[1:])
            if not 2 <= count <= MOST_SLICES:
                raise ValueError
            return SliceColumn(column, quantiles=count)
        step = float(how)
        if not (isfinite(step) and step > 0):
            raise ValueError
    except ValueError:
        raise _unreadable(text, f"{how!r} is neither a step above 0 nor q and a number from 2") from None
    return SliceColumn(column, step=step)


def _unreadable(text: str, why: str) -> MaskkitError:
    return MaskkitError(
        f"--by {text!r} cannot be read",
        why=why,
        fix="write a column (gender), columns to cross (gender,mask), a step (age:2) or quantiles "
        "(brightness:q4)",
    )


def cut(manifest: Manifest, by: By, rows: NDArray[np.int64], computed: Mapping[str, Floats]) -> Cut:
    """Put the photos of these rows, (N,), all with a label, into slices by columns of the manifest.

    Numbers that it does not have are `computed`, by name, (N,); NaN if unknown. Slices hold a photo, in the
    order of levels and numbers; what is not known comes last.

    Raises:
        MaskkitError: There is no such column, or it makes too many slices.
    """
    names: list[str] = [""]
    code = np.zeros(len(rows), np.int64)
    for part in by.parts:
        one = _cut_by(manifest, part, rows, computed)
        seen, code = np.unique(code * len(one.names) + one.code, return_inverse=True)
        if len(seen) > MOST_SLICES:
            is_divided = part.step is not None or part.quantiles is not None
            raise MaskkitError(
                f"--by {by.text} makes {len(seen)} slices or more",
                why=f"at most {MOST_SLICES} can be read, and each of many holds too few people for a score",
                fix=f"take it in wider steps, such as {part.column}:q4"
                if is_divided
                else "cross fewer columns, or use another one",
            )
        old, new = np.divmod(seen, len(one.names))
        names = ["/".join(filter(None, (names[a], one.names[b]))) for a, b in zip(old, new, strict=True)]
    return Cut(tuple(names), code)


def _cut_by(
    manifest: Manifest, part: SliceColumn, rows: NDArray[np.int64], computed: Mapping[str, Floats]
) -> Cut:
    if part.step is not None or part.quantiles is not None:
        values = _numbers(manifest, part.column, rows, computed)
        return _in_steps(values, part.step) if part.step else _in_quantiles(values, part.quantiles or 0)
    label = manifest.labels[rows]
    levels = np.unravel_index(label, manifest.space.shape)  # one (N,) per factor
    for factor, level in zip(manifest.space.factors, levels, strict=True):
        if part.column == factor.name:
            return Cut(factor.levels, np.asarray(level, np.int64))
    if part.column in (CLASS, "label") and not manifest.has(CLASS):
        return Cut(tuple(manifest.space.names), label)
    if part.column in computed:
        raise MaskkitError(
            f"--by {part.column} has a value of its own for nearly every photo",
            why="it is a number that is measured",
            fix=f"divide it: --by {part.column}:q4",
        )
    return _by_value(manifest, part.column, rows)


def _by_value(manifest: Manifest, column: str, rows: NDArray[np.int64]) -> Cut:
    """Take the values of a column as they are."""
    _need(manifest, column)
    values = manifest.table[column].take(pa.array(rows))
    if not is_key(values.type) or pa.types.is_floating(values.type):
        raise MaskkitError(
            f"--by {column} cannot be taken as it is",
            why=f"{manifest.name} has {values.type} there",
            fix=f"divide it: --by {column}:q4" if pa.types.is_floating(values.type) else "use another column",
        )
    code, known = encoded(values)
    given = known.to_pylist()
    order = sorted(range(len(given)), key=given.__getitem__)
    place = np.full(len(given) + 1, len(given), np.int64)  # the last is the place of what is not known
    place[order] = np.arange(len(given))
    return _named([str(given[index]) for index in order], place[code.astype(np.int64)])


def _numbers(
    manifest: Manifest, column: str, rows: NDArray[np.int64], computed: Mapping[str, Floats]
) -> Floats:
    if column not in computed:
        _need(manifest, column)
    try:
        values = computed[column] if column in computed else manifest.numbers(column)[rows]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise MaskkitError(
            f"--by {column} has no numbers to divide",
            why=f"{manifest.name} has {manifest.table[column].type} there",
            fix=f"take its values as they are: --by {column}"
            if is_key(manifest.table[column].type)
            else "use another column",
        ) from error
    if np.isnan(values).all():
        raise MaskkitError(
            f"--by {column} has nothing to divide",
            why="it is not known of any photo scored",
            fix="use another column",
        )
    return values


def _need(manifest: Manifest, column: str) -> None:
    if not manifest.has(column):
        others = [name for name in manifest.table.column_names if name not in ("path", "box", "flags")]
        raise MaskkitError(
            f"there is no column {column!r} to cut scores by",
            why=f"{manifest.name} has {examples(others, most=20)}",
            fix=f"use one of them, or {', '.join((CLASS, FACE, *LOOKS))}",
        )


def _in_steps(values: Floats, step: float) -> Cut:
    bands, code = _with_unknown(np.floor(values / step + 1e-9))
    whole = float(step).is_integer() and bool((values[~np.isnan(values)] % 1 == 0).all())
    lows = [band * step for band in bands.tolist()]
    if whole:
        return _named([f"{low:.0f}" + (f"-{low + step - 1:.0f}" if step > 1 else "") for low in lows], code)
    return _named([f"{low:g} to {low + step:g}" for low in lows], code)


def _in_quantiles(values: Floats, count: int) -> Cut:
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)))
    band = np.searchsorted(edges[1:-1], values, side="right").astype(np.float64)
    band[np.isnan(values)] = np.nan
    bands, code = _with_unknown(band)
    ends = np.append(edges, edges[-1])  # a single value is both ends
    return _named([f"{ends[int(one)]:.4g} to {ends[int(one) + 1]:.4g}" for one in bands], code)


def _with_unknown(band: Floats) -> tuple[Floats, Counts]:
    """Return the bands that occur, and the place of each photo's among them; one more where it is NaN."""
    bands, code = np.unique(band, return_inverse=True)
    return bands[~np.isnan(bands)], np.asarray(code, np.int64)


def _named(names: list[str], code: Counts) -> Cut:
    return Cut((*names, UNKNOWN) if (code == len(names)).any() else tuple(names), code)
