"""Charts of trainings, from the history files that `train` leaves beside its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import nan
from pathlib import Path, PurePath

import pyarrow as pa

from maskkit.artifacts.csv_text import CsvText
from maskkit.artifacts.files import Source
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.runs import labels_of
from maskkit.artifacts.trained import HISTORY, histories_beside
from maskkit.errors import MaskkitError
from maskkit.reporting.plots import Chart, PlotLine

log = logging.getLogger(__name__)

NEEDED = ("epoch", "train_loss", "held_out_loss", "held_out_macro_f1")


def training_curves(histories: Sequence[Path]) -> list[Chart]:
    """Return a chart of the held-out macro-F1 and one of both losses over the epochs.

    Raises:
        MaskkitError: A file cannot be read or is no history of a training.
    """
    tables = {name: _read(path) for name, path in zip(_names(histories), histories, strict=True)}
    colours = _groups(histories)
    scores, losses = [], []
    for (name, table), group in zip(tables.items(), colours, strict=True):
        scores.append(_line(name, table, "held_out_macro_f1", group))
        losses.append(_line(f"{name}, training", table, "train_loss", group))
        losses.append(_line(f"{name}, held out", table, "held_out_loss", group, is_dashed=True))
    return [
        Chart("Macro-F1 on the people held out", "epoch", tuple(scores)),
        Chart("Loss", "epoch", tuple(losses), solid="in training", dashed="on the people held out"),
    ]


def curves_beside(predictions: Predictions) -> list[Chart]:
    """Return the same charts of the trainings behind predictions, if their files are where they were.

    They were not asked for, so that a file that is damaged is a warning.
    """
    histories = histories_beside(predictions)
    try:
        return training_curves(histories) if histories else []
    except MaskkitError as error:
        log.warning("the page has no curves: %s: %s", error, error.why)
        return []


def _names(histories: Sequence[Path]) -> list[str]:
    """Name each training by its file, and by its folder too where there are several."""
    whole = [str(path).removesuffix(HISTORY) for path in histories]
    return whole if len({path.parent for path in histories}) > 1 else [PurePath(one).name for one in whole]


def _groups(histories: Sequence[Path]) -> list[str]:
    """Return whose colour each has: a training's own, or, of trainings in several folders, the folder's."""
    folders = list(dict.fromkeys(str(path.parent) for path in histories))
    names = dict(zip(folders, labels_of(folders), strict=True))
    return [names[str(path.parent)] for path in histories] if len(folders) > 1 else _names(histories)


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


def _line(name: str, table: pa.Table, column: str, group: str, *, is_dashed: bool = False) -> PlotLine:
    epochs, values = (table[one].cast(pa.float64()).to_pylist() for one in ("epoch", column))
    y = tuple(nan if value is None else value for value in values)
    return PlotLine(name, tuple(epochs), y, group, is_dashed=is_dashed)
