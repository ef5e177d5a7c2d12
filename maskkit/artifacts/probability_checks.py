"""Whether each row of predictions has an id of its own, and probabilities."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import are_probabilities, repeated, surely_differ
from maskkit.errors import MaskkitError, examples


def check_ids(path: pa.ChunkedArray, name: str) -> None:
    """Raise MaskkitError if photos, (rows,), are named twice or not at all; `name` is that of the file."""
    if surely_differ(path):
        return
    twice = [value for value in repeated(path) if value]
    is_empty = path.null_count or path.index("").as_py() >= 0  # a CSV's empty cell
    if is_empty or twice:
        raise MaskkitError(
            f"{name} names photos twice: {examples(twice)}" if twice else f"{name} has rows without an id",
            why="rows are matched by id, so each id has one row",
            fix="drop the repeated rows",
        )


def check_probs(path: pa.ChunkedArray, probs: NDArray[np.float32], name: str) -> None:
    """Raise MaskkitError, which says what they look like, if probabilities, (rows, classes), are none."""
    bad = np.flatnonzero(~are_probabilities(probs))
    if len(bad):
        total = probs[bad[0]].sum(dtype=np.float64)
        kind, fix = _looks_like(probs)
        raise MaskkitError(
            f"{name} holds {len(bad)} rows that are not probabilities",
            why=f"{path[bad[0]]} sums to {total:.6g}{kind}; a row sums to 1, with nothing negative",
            fix=fix,
        )


def _looks_like(probs: NDArray[np.float32]) -> tuple[str, str]:
    """Say what numbers look like that are no probabilities, (rows, classes), and what to do."""
    numbers, total = probs[:1000].astype(np.float64), probs[:1000].sum(axis=1, dtype=np.float64)
    if (np.abs(total - 100) < 1).all():
        return ", and they look like percentages", "divide them by 100"
    for digits in (1, 2, 3):
        step = 10.0**-digits
        is_near = (np.abs(total - 1) <= step / 2 * probs.shape[1] + 1e-6).all() and (numbers >= 0).all()
        if is_near and (np.abs(numbers - np.round(numbers, digits)) < 1e-6).all():
            word = ("one decimal", "two decimals", "three decimals")[digits - 1]
            return f", and they look rounded to {word}", "write them in full, without a `float_format`"
    return "", "save probabilities (after softmax), not logits"
