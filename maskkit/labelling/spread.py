"""Targets that know how far a number may be off: the levels around a cut share what lies beside it.

Label distribution learning: a face of 58 looks like one of 57 or 61, so each photo is trained towards a
normal distribution of ages about its own (Geng et al. 2013, https://doi.org/10.1109/TPAMI.2013.51; Gao et
al. 2017, https://arxiv.org/abs/1611.01731), here summed up by level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import Floats, Ints
from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace
from maskkit.options.values import named_factor

OPTION = "--train-spread"


def target_probs(
    table: pa.Table,
    space: LabelSpace,
    target: Ints,
    deviations: Mapping[str, float],
    cuts: Mapping[str, Sequence[float]],
) -> pa.FixedSizeListArray:
    """Return how probable each class is, float32 (rows, C), of targets, (rows,), negative for none.

    `deviations` has a standard deviation per numeric factor, in its unit; `cuts` other cuts than its own. A
    row without a number keeps its target for sure, one without a target gets null.

    Raises:
        MaskkitError: A factor is not there, or is no number.
    """
    has_target = target >= 0
    levels = np.unravel_index(np.where(has_target, target, 0), space.shape)  # one (rows,) per factor
    shares = [np.eye(size, dtype=np.float64)[own] for size, own in zip(space.shape, levels, strict=True)]
    for name, deviation in deviations.items():
        factor = _numeric(name, space)
        place, number = space.factors.index(factor), _middles(table[name])
        known = ~np.isnan(number)
        shares[place][known] = level_shares(number[known], cuts.get(name, factor.cuts), deviation)
    joint = reduce(lambda one, other: (one[:, :, None] * other[:, None]).reshape(len(one), -1), shares)
    flat = pa.array(joint.astype(np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, len(space), mask=pa.array(~has_target))


def level_shares(number: Floats, cuts: Sequence[float], deviation: float) -> NDArray[np.float64]:
    """Return what a normal distribution about each number, (N,), has between the cuts, (N, levels)."""
    from scipy.special import ndtr  # the normal distribution function

    below = ndtr((np.asarray(cuts, np.float64) - number[:, None]) / deviation)  # (N, cuts)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def _numeric(name: str, space: LabelSpace) -> Factor:
    factor = named_factor(name, space, option=OPTION)
    if not factor.is_numeric:
        raise MaskkitError(
            f"{OPTION} spreads {factor.name}",
            why=f"{factor.name} is no number, but one of {', '.join(factor.levels)}",
            fix="leave it out",
        )
    return factor


def _middles(column: pa.ChunkedArray) -> Floats:
    """Return numbers, (rows,), NaN where there is none; of whole numbers, such as years, their middle."""
    number = np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    return number + 0.5 if pa.types.is_integer(column.type) else number
