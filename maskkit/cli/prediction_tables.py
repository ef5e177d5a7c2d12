"""Predictions for people: what is on each photo, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.artifacts.predictions import Predictions
    from maskkit.labels import LabelSpace

SHOWN = 50  # photos; a table for people is no place for more


def prediction_table(
    predictions: Predictions, space: LabelSpace, *, top: int | None = None, rest: str = "-o FILE writes all"
) -> Table:
    """Show the level of each factor and the probability of the answer, or the `top` most likely classes.

    Args:
        predictions: With probabilities.
        space: Their classes.
        top: How many classes to show per photo.
        rest: What is said of where those are that are not shown.
    """
    assert predictions.probs is not None
    probs, paths = predictions.probs[:SHOWN], predictions.path[:SHOWN].to_pylist()
    if top is None:
        names = [*(escape(factor.name) for factor in space.factors), "confidence"]
        table = new_table("", "file", *names)
        for path, row in zip(paths, probs, strict=True):
            answer = int(row.argmax())
            table.add_row(escape(path), *map(escape, space.levels_of(answer)), f"{row[answer]:.3f}")
    else:
        names = [str(place + 1) for place in range(min(top, len(space)))]
        table = new_table("", "file", *names)
        for path, row in zip(paths, probs, strict=True):
            best = (-row).argsort(kind="stable")[: len(names)].tolist()
            table.add_row(escape(path), *(f"{escape(space.names[one])} {row[one]:.3f}" for one in best))
    more = len(predictions) - SHOWN
    if more > 0:
        table.caption = f"... and {more} more: {rest}"
    return table
