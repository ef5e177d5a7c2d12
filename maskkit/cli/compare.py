"""`maskkit compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli.shell import common_options
from maskkit.cli.shell.show_report import show_report
from maskkit.cli.shell.streams import STREAM, refuse, source

if TYPE_CHECKING:
    from maskkit.artifacts.runs import Run


def compare(
    context: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Folders of trainings, checkpoints, history files, or predictions; the first is what the "
            "others are compared with. Checkpoints of one folder and the same options are one run.",
            show_default=False,
        ),
    ],
    on: Annotated[
        Optional[str],
        typer.Option(
            help="A manifest with the truth: scores the predictions of the runs on the same photos.",
            show_default=False,
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(min=2, help="Bootstrap replicates over people.")] = 1000,
    seed: common_options.Seed = 0,
    allow_leak: common_options.AllowLeak = False,
    allow_different_folds: Annotated[
        bool,
        typer.Option(
            "--allow-different-folds",
            help="Show scores of trainings beside each other although their folds held out different people.",
        ),
    ] = False,
    json: common_options.Json = False,
    html: common_options.Html = None,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:
    """Compare trainings: what differs in their options, fold by fold scores, and what is more than noise.

    With --on and predictions of the runs, people are drawn anew for all of them at once, which tells smaller
    differences from noise than comparing two intervals does. Prints tables on a terminal, tab-separated
    values in a pipe, JSON with --json, and a page with --html.

    Example: maskkit compare run/plain run/focal --on folds.parquet --html compare.html
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.reporting.comparison_report import comparison_report
    from maskkit.stages.compare import compare as stage

    if [*runs, on].count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="RUN")
    if html is not None:
        refuse(html, force=force, inputs=[*runs, on])
    given = _open(runs)
    truth = None if on is None else Manifest.read(source(on, what="manifest"))
    common_options.stop_if_dry(context, dry_run)
    result = stage(
        given,
        on=truth,
        replicates=replicates,
        seed=seed,
        allow_leak=allow_leak,
        allow_different_folds=allow_different_folds,
    )
    show_report(comparison_report(result), json=json, html=html)


def _open(names: list[str]) -> list[Run]:
    from maskkit.artifacts.runs import open_runs

    return open_runs(
        [Path(name) if name != STREAM and Path(name).is_dir() else source(name, what="run") for name in names]
    )
