"""`maskkit lr-find`."""

from __future__ import annotations

from dataclasses import fields
from json import dumps
from typing import TYPE_CHECKING, Annotated

from maskkit.cli.charts import bar, short
from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Manifest, Only, Reading
from maskkit.cli.shell.streams import STREAM, OutputTarget, print_json, print_tsv, stdout_is_terminal
from maskkit.cli.tables import new_table
from maskkit.options.fields import Between
from maskkit.options.train_options import OF_A_WHOLE_TRAINING, TrainOptions

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.stages.lr_find import SuggestedRate
    from maskkit.training.range_test import Curve

ROWS = 13  # of a terminal's table, and two more if need be
TESTED = [field.name for field in fields(TrainOptions) if field.name not in OF_A_WHOLE_TRAINING]


@command(loads="torch")
def lr_find(
    *,
    manifest: Annotated[Manifest, common_options.MANIFEST, Reading(columns=("fold",))] = OMITTED,
    output: common_options.OptionalOutput = None,
    fold: Annotated[int, "The fold that will be held out; nothing is learnt from it.", Between(0)] = 0,
    start: Annotated[float, "The lowest rate of the backbone.", Between(1e-9, 10)] = 1e-6,
    end: Annotated[float, "The highest rate of the backbone.", Between(1e-9, 10)] = 1.0,
    steps: Annotated[int, "Steps from the lowest rate to the highest.", Between(2)] = 100,
    photos: common_options.CachedPhotoOptions,
    allow_leak: common_options.AllowLeak = False,
    shown: Annotated[common_options.ReportOptions, Only("json", "html")],
    training: Annotated[TrainOptions, Only(*TESTED)],
) -> None:
    """Train for a few steps at rising learning rates, and suggest the rate to give to `train`.

    Give it the options of the training: it makes the same steps. Nothing is kept of what is learnt. Prints a
    table on a terminal, tab-separated values in a pipe, JSON with --json or into -o FILE.

    Example: maskkit lr-find folds.parquet --weights package --html rates.html
    """
    from maskkit.stages.lr_find import lr_find as stage
    from maskkit.stages.lr_find import report
    from maskkit.training.fold_rows import FoldRows, read_unlabeled

    given = photos.located(manifest)
    unlabeled = read_unlabeled(training.unlabeled, given)
    rows = FoldRows.of(given, fold, unlabeled=unlabeled, allow_leak=allow_leak)
    found = stage(rows, options=training, start=start, end=end, steps=steps)
    if shown.html is not None:
        to = None if output is None else str(output.path or STREAM)
        shown.html.write(report(found, manifest=given.name, output=to).encode(), "the page is")
    _print(found, output, json=shown.json)


def _print(found: SuggestedRate, to: OutputTarget | None, *, json: bool) -> None:
    """Give programs the numbers and people a table, which share a terminal but never a pipe."""
    from maskkit.stages.lr_find import COLUMNS

    if to is None and not json and stdout_is_terminal():
        terminal.show(_table(found.curve))
        terminal.show(terminal.escape(_sentences(found)))
        return
    if to is not None:
        to.write((dumps(found.to_json(), indent=2) + "\n").encode())
    elif json:
        print_json(found.to_json())
    else:
        print_tsv(COLUMNS, ([f"{value:.6g}" for value in row] for row in found.rows()))
    if not (json and stdout_is_terminal()):
        terminal.note(_table(found.curve))
        terminal.note(_sentences(found))


def _table(curve: Curve) -> Table:
    """Show the loss at some of the rates, and at those that the suggestion comes from."""
    last = len(curve.rates) - 1
    lowest = curve.smoothed.index(min(curve.smoothed))
    above = [step for step, rate in enumerate(curve.rates) if rate >= curve.suggestion]
    named = {above[0]: "suggested", lowest: "lowest"}
    shown = {round(last * row / (ROWS - 1)) for row in range(ROWS)} | set(named)
    full = max(curve.smoothed[: lowest + 1])
    table = new_table("training loss at a rising rate", "rate", "loss", "smoothed", "", "")
    for column in table.columns[3:]:
        column.justify = "left"
    for step in sorted(shown):
        loss, smoothed = curve.losses[step], curve.smoothed[step]
        drawn = bar(smoothed / full if full > 0 else 0.0)
        table.add_row(f"{curve.rates[step]:.1e}", short(loss), short(smoothed), drawn, named.get(step, ""))
    return table


def _sentences(found: SuggestedRate) -> str:
    curve = found.curve
    return (
        f"learning rate {curve.suggestion:g}: {curve.rule}.\n"
        f"The test ended because {curve.stopped}. "
        "Another optimizer, batch size, model or loss bears another rate.\n"
        f"For a recipe:\n\n{found.recipe}"
    )
