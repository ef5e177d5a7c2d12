"""`maskkit compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import Argument, Manifest, Needs, Only, Source


@command(loads="tables")
def compare(
    *,
    runs: Annotated[
        list[Source | Path],
        "Folders of trainings, checkpoints, history files, or predictions; the first is what the others "
        "are compared with. Checkpoints of one folder and the same options are one run.",
        Argument("RUN"),
    ],
    on: Annotated[
        Manifest | None, "A manifest with the truth: scores the predictions of the runs on the same photos."
    ] = None,
    encoding: common_options.Encoding = None,
    best: Annotated[
        bool,
        "Also say what the best of the runs by macro-F1 is worth on other people, without the luck that "
        "made it the best.",
        Needs("on", "predictions are scored on the people of --on"),
    ] = False,
    seed: Annotated[common_options.Seed, Needs("best", "it draws people for --best")] = 0,
    allow_leak: common_options.AllowLeak = False,
    allow_different_folds: Annotated[
        bool, "Show scores of trainings beside each other although their folds held out different people."
    ] = False,
    shown: Annotated[common_options.ReportOptions, Only("json", "html")],
) -> None:
    """Compare trainings: what differs in their options, fold by fold scores, and what is more than noise.

    With --on and predictions of the runs, all are scored on the same people, which tells smaller differences
    from noise than comparing two intervals does. Prints tables on a terminal, tab-separated values in a pipe,
    JSON with --json, and a page with --html.

    Example: maskkit compare run/plain run/focal --on folds.parquet --html compare.html

    Example: maskkit compare run/* --on folds.parquet --best
    """
    from maskkit.artifacts.runs import open_runs
    from maskkit.reporting.comparison_report import comparison_report
    from maskkit.stages.compare import compare as stage

    given = open_runs(runs)
    result = stage(
        given, on=on, best=best, seed=seed, allow_leak=allow_leak,
        allow_different_folds=allow_different_folds,
    )  # fmt: skip
    shown.show(comparison_report(result))
