"""Charts of trainings, from the history files that `train` leaves beside its checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

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


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(NEEDED, float))
    except (OSError, ValueError) as error:
        raise MaskkitError(
            f"cannot read {path}", why=str(error), fix="give the .history.csv beside a checkpoint"
        ) from error
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise MaskkitError(
            f"{path} is no history of a training",
            why=f"it has no column {', '.join(missing)}",
            fix="give the .history.csv beside a checkpoint",
        )
    return table


def _line(name: str, table: pd.DataFrame, column: str) -> PlotLine:
    return PlotLine(name, tuple(table["epoch"].tolist()), tuple(table[column].tolist()))
