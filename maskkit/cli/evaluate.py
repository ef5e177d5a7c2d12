"""`maskkit evaluate`."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Optional

import typer

from maskkit.cli import options, terminal
from maskkit.cli.streams import print_json, print_tsv, source, target
from maskkit.cli.tables import evaluation_tables, measures
from maskkit.errors import RefusedError


def evaluate(
    context: typer.Context,
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="Holds the truth; `-` reads standard input.")
    ],
    predictions: Annotated[
        str, typer.Argument(metavar="PREDICTIONS", help="From predict or ensemble, or any submission.")
    ],
    output: options.Output = None,
    json: options.Json = False,
    html: options.Html = None,
    fail_under: Annotated[
        Optional[float],
        typer.Option(min=0, max=1, help="Exit code 3 if the macro-F1 is lower.", show_default=False),
    ] = None,
    curves: Annotated[
        Optional[list[Path]],
        typer.Option(help="history.csv of a training, to draw in the page.", show_default=False),
    ] = None,
    replicates: Annotated[int, typer.Option(min=2, help="Bootstrap replicates over people.")] = 1000,
    seed: options.Seed = 0,
    allow_leak: options.AllowLeak = False,
    force: options.Force = False,
    recipe: options.Recipe = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Score predictions: macro-F1 with its 95 % interval over people, per class, per factor, per fold.

    Prints tables on a terminal, tab-separated values in a pipe, JSON with --json or into -o FILE.

    Example: maskkit evaluate folds.parquet oof.parquet --html report.html -o scores.json
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.stages.evaluate import evaluate as stage
    from maskkit.stages.evaluate import report

    to = None if output is None else target(output, force=force)
    page = None if html is None else target(str(html), force=force)
    truth = Manifest.read(source(manifest, what="manifest"))
    given = Predictions.read(source(predictions, what="predictions"))
    options.stop_if_dry(context, dry_run)
    result = stage(truth, given, replicates=replicates, seed=seed, allow_leak=allow_leak)
    if page is not None:
        text = report(result, manifest=truth.name, predictions=given.name, curves=curves or [])
        page.write(text.encode())
    if to is not None:
        to.write((dumps(result.to_json(), indent=2) + "\n").encode())
    elif json:
        print_json(result.to_json())
    elif not sys.stdout.isatty():
        print_tsv(("scope", "name", "measure", "value", "low", "high"), measures(result))
    for table in evaluation_tables(result):
        terminal.note(table)
    headline = result.scores.macro_f1.value or 0.0
    if fail_under is not None and headline < fail_under:
        raise RefusedError(
            f"macro-F1 is {headline:.4f}",
            why=f"--fail-under asks for {fail_under} or more",
            fix="train better, or ask for less",
        )
