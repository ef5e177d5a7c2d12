"""Charts of trainings, from the history files that `train` leaves beside its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from pathlib import Path

import pyarrow as pa

from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError
from maskkit.reporting.plots import Chart, PlotLine

NEEDED = ("epoch", "train_loss", "held_out_loss", "held_out_macro_f1")


def training_curves(histories: Sequence[Path]) -> list[Chart]:
    """Return a chart of the held-out macro-F1 and one of both losses over the epochs.

    Raises:
        MaskkitError: A file cannot be read or is no history of a training.
    """
    tables = {name: _read(path) for name, path in zip(_names(histories), histories, strict=True)}
    scores = [_line(name, table, "held_out_macro_f1") for name, table in tables.items()]
    losses = [
        _line(f"{name} {column.removesuffix('_loss').replace('_', '-')}", table, column)
        for name, table in tables.items()
        for column in ("train_loss", "held_out_loss")
    ]
    return [
        Chart("Macro-F1 on the people held out", "epoch", tuple(scores)),
        Chart("Loss in training and on the people held out", "epoch", tuple(losses)),
    ]


def _names(histories: Sequence[Path]) -> list[str]:
    """Name each line by its file, and by the whole path where two folders hold files of one name."""
    short = [path.name.removesuffix(".history.csv") for path in histories]
    return short if len(set(short)) == len(short) else [str(path) for path in histories]


def _read(path: Path) -> pa.Table:
    table = CsvText.of(Source.open(path)).typed(())
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise MaskkitError(
            f"{path} is no history of a training",
            why=f"it has no column {', '.join(missing)}",
            fix="give the .history.csv beside a checkpoint",
        )
    for name in NEEDED:
        kind = table[name].type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise MaskkitError(
                f"{path} is no history of a training",
                why=f"{name} holds {table[name][0]}, and is a number",
                fix="give the .history.csv beside a checkpoint",
            )
    return table


def _line(name: str, table: pa.Table, column: str) -> PlotLine:
    epochs, values = (table[one].cast(pa.float64()).to_pylist() for one in ("epoch", column))
    return PlotLine(name, tuple(epochs), tuple(nan if value is None else value for value in values))
