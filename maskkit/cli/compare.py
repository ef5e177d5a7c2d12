"""`maskkit compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli.run_tables import run_facts, run_tables
from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import STREAM, print_json, print_tsv, refuse, source, stdout_is_terminal

if TYPE_CHECKING:
    from maskkit.artifacts.runs import Run
    from maskkit.scoring.run_comparison import Compared


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
    from maskkit.artifacts.files import write_whole
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.compare import compare as stage
    from maskkit.stages.compare import report

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
    if html is not None:
        write_whole(html, report(result).encode())
    _print(result, json=json)
    if html is not None:
        terminal.note(f"the page is {html}")


def _open(names: list[str]) -> list[Run]:
    from maskkit.artifacts.runs import open_runs

    return open_runs(
        [Path(name) if name != STREAM and Path(name).is_dir() else source(name, what="run") for name in names]
    )


def _print(result: Compared, *, json: bool) -> None:
    """Give programs the numbers and people the tables; in a pipe people still read the verdicts."""
    if stdout_is_terminal() and not json:
        for table in run_tables(result):
            terminal.show("")
            terminal.show(table)
        return
    if json:
        print_json(result.to_json())
    else:
        print_tsv(("run", "scope", "measure", "value", "low", "high"), run_facts(result))
    for one in result.versus:
        terminal.note(one.sentence)
