"""`maskkit evaluate`."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli import options, terminal
from maskkit.cli.streams import (
    STREAM,
    Target,
    print_json,
    print_tsv,
    refuse,
    source,
    stdout_is_terminal,
    target,
)
from maskkit.cli.tables import evaluation_tables, measures
from maskkit.cli.tune import DecisionOut, Tune, check_tuning, show_tuning, write_decision
from maskkit.errors import RefusedError

if TYPE_CHECKING:
    from maskkit.stages.evaluate import Evaluation


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
    tune: Tune = None,
    decision: DecisionOut = None,
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

    With --tune, offsets or a temperature are fitted to these predictions, and judged on people they were
    not fitted to.

    Example: maskkit evaluate folds.parquet oof.parquet --html report.html -o scores.json

    Example: maskkit evaluate folds.parquet oof.parquet --tune factors --decision decide.json
    """
    from maskkit.artifacts.files import write_whole
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.stages.evaluate import evaluate as stage
    from maskkit.stages.evaluate import report
    from maskkit.stages.tune import tune as tuning

    _check_words(manifest, predictions, output=output, html=html, curves=curves)
    inputs = [manifest, predictions, *map(str, curves or [])]
    to = None if output is None else target(output, force=force, inputs=inputs)
    if html is not None:
        refuse(html, force=force, inputs=inputs)
    check_tuning(tune, decision, force=force, inputs=inputs, outputs=[output, html])
    truth = Manifest.read(source(manifest, what="manifest"))
    given = Predictions.read(source(predictions, what="predictions"))
    options.stop_if_dry(context, dry_run)
    result = stage(truth, given, replicates=replicates, seed=seed, allow_leak=allow_leak)
    tuned = (
        None
        if tune is None
        else tuning(truth, given, method=tune, replicates=replicates, seed=seed, allow_leak=allow_leak)
    )
    if tuned is not None:
        write_decision(tuned, decision)
    if html is not None:
        text = report(result, manifest=truth.name, predictions=given.name, curves=curves or [])
        write_whole(html, text.encode())
        terminal.note(f"the page is {html}")
    _print(result, to, json=json)
    if tuned is not None:
        show_tuning(tuned, json=json)
    headline = result.scores.macro_f1.value or 0.0
    if fail_under is not None and headline < fail_under:
        raise RefusedError(
            f"macro-F1 is {headline:.4f}",
            why=f"--fail-under asks for {fail_under} or more",
            fix="train better, or ask for less",
        )


def _check_words(
    manifest: str, predictions: str, *, output: str | None, html: Path | None, curves: list[Path] | None
) -> None:
    if manifest == predictions == STREAM:
        raise typer.BadParameter("standard input can be read once", param_hint="PREDICTIONS")
    if curves and html is None:
        raise typer.BadParameter("curves are drawn in the page of --html", param_hint="--curves")
    if html is not None and output is not None and html.resolve() == Path(output).resolve():
        raise typer.BadParameter(f"{html} is given to -o too", param_hint="--html")


def _print(result: Evaluation, to: Target | None, *, json: bool) -> None:
    """Give programs the numbers and people the tables, which share a terminal but never a pipe."""
    tables = evaluation_tables(result)
    if to is None and stdout_is_terminal():
        if json:
            print_json(result.to_json())
        else:
            for table in tables:
                terminal.show(table)
        return
    if to is not None:
        to.write((dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n").encode())
    elif json:
        print_json(result.to_json())
    else:
        print_tsv(("scope", "name", "measure", "value", "low", "high"), measures(result))
    for table in tables:
        terminal.note(table)
