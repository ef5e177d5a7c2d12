"""`maskkit review`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import (
    OMITTED,
    SHELL_PANEL,
    Argument,
    Named,
    Needs,
    Only,
    Source,
)
from maskkit.cli.shell.resume_option import refuse_without_file
from maskkit.cli.shell.streams import STREAM, OutputTarget, print_line
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError
from maskkit.options.fields import Between, Metavar
from maskkit.stopping import hinted
from maskkit.storage.address import Address, is_address, place_of

if TYPE_CHECKING:
    from maskkit.reviewing.desk import Desk

INTERFACE, PARQUET = ".xml", b"PAR1"


def _check_outputs(
    output: str | None, html: Path | None, label_studio: str | None, annotations: str | None, resume: bool
) -> None:
    if output is None and html is None and label_studio is None:
        raise typer.BadParameter(
            "give a file for the decisions, such as reviewed.csv; or --html or --label-studio to decide "
            "elsewhere",
            param_hint="-o",
        )
    if output is not None and (html is not None or label_studio is not None):
        raise typer.BadParameter(
            "a page and tasks save nothing by themselves: leave it out, or them", param_hint="-o"
        )
    if output is not None and (output == STREAM or is_address(output)):
        raise typer.BadParameter(
            "every decision is saved as it is made: give a file of this machine", param_hint="-o"
        )
    refuse_without_file(resume, output)


def _check_order(manifest: str | None, fixes: str | None) -> None:
    if manifest is None or Path(manifest).suffix.lower() not in (".csv", ".tsv"):
        return
    with suppress(OSError), Path(manifest).open("rb") as file:
        if file.read(len(PARQUET)) == PARQUET:  # whatever its name says
            return
        raise MaskkitError(
            f"{manifest} is a CSV, where maskkit review takes a manifest",
            why="the order is MANIFEST FIXES: photos and labels are in the manifest that was audited",
            fix=f"write: maskkit review {fixes or 'folds.parquet'} {manifest} -o reviewed.csv",
        )


def _check_earlier(output: str | None, resume: bool, force: bool) -> None:
    if output is not None and Path(output).is_file() and not (resume or force):
        raise MaskkitError(
            f"{output} exists already",
            why="it may hold what was decided before, which is not thrown away unasked",
            fix="use --resume to go on with it, another -o, or --force to begin anew",
        )


def _tasks_and_interface(label_studio: str | None) -> list[str | None]:
    name = str(label_studio)
    return [name, str(place_of(name).with_suffix(INTERFACE))]


@command(loads="tables", check=(_check_order, _check_outputs, _check_earlier))
def review(
    *,
    manifest: common_options.ManifestIn = OMITTED,
    fixes: Annotated[
        Source | None,
        "CSV of corrections from `audit --corrections`, or the findings that `audit` prints into a pipe; "
        "left out, what `audit -o` has put into the manifest's flags.",
        Argument(),
    ] = None,
    output: common_options.OptionalOutput = None,
    shown: Annotated[common_options.ReportOptions, Only("html")],
    label_studio: Annotated[
        list[OutputTarget] | None,
        "Write tasks that Label Studio imports, and beside them its labeling interface as XML; no page is "
        "opened.",
        Named(_tasks_and_interface),
        Metavar("<path>"),
        SHELL_PANEL,
    ] = None,
    annotations: Annotated[
        Source | None,
        "Decide as people have in Label Studio, by its export in JSON; no page is opened.",
        Needs("output", "it is where decisions go"),
    ] = None,
    port: Annotated[
        int,
        "Port of the page; 0 is any that is free.",
        Between(0, 65535),
        SHELL_PANEL,
        Needs("output", "the page is served where decisions are saved, with -o"),
    ] = 0,
    photos: common_options.PhotoOptions,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """Decide on doubted labels in a browser: one person a screen, one key a label.

    C confirms what is proposed, X strikes it and keeps the label, 1 to 9 choose another level, N a number,
    S skips, U undoes. Every decision is saved at once, in the CSV that `label --corrections` takes. Finish
    on the page, or Ctrl-C, ends the command, and --resume goes on. The page is for this machine alone, and
    loads nothing from elsewhere.

    --html writes a page that holds all photos and saves the CSV by a download. A machine that is reached by
    ssh takes --port 8000, which `ssh -L 8000:127.0.0.1:8000` brings here.

    Example: maskkit review folds.parquet fixes.csv -o reviewed.csv

    On a machine without a port: maskkit review folds.parquet fixes.csv --html page.html

    To Label Studio: maskkit review folds.parquet fixes.csv --label-studio tasks.json

    And back from it: maskkit review folds.parquet fixes.csv --annotations export.json -o reviewed.csv
    """
    from maskkit.reviewing.label_studio import interface, tasks
    from maskkit.reviewing.review_page import lone_page
    from maskkit.stages.review import review as stage
    from maskkit.stages.review import take_annotations

    path = None if output is None else output.path
    assert not isinstance(path, Address)  # which is refused
    desk = stage(photos.located(manifest), fixes, output=path, resume=resume, force=force)
    if shown.html is not None:
        shown.html.write(lone_page(desk, saved_as=f"{shown.html.path.stem}.csv").encode(), "the page is")
        terminal.note("it holds the photos: pass it on as you would them")
    if label_studio:
        for to, data in zip(label_studio, (tasks(desk), interface(desk.questions)), strict=True):
            to.write(data)
    if path is None:
        return
    if annotations is None:
        _serve(desk, port, path)
    else:
        take_annotations(desk, annotations)
    terminal.note(desk.decisions.summary)
    print_line(str(path))


def _serve(desk: Desk, port: int, path: Path) -> None:
    """Let a person decide until the page is finished with."""
    from maskkit.reviewing.server import serving

    work_begins()
    with hinted(f"all decisions are in {path}, and --resume goes on"), serving(desk, port=port) as served:
        terminal.console().print(f"open {served.address}", markup=False)
        terminal.note(f"{len(desk.questions)} labels of {len(desk.screens)} people; Ctrl-C ends it")
        served.ended.wait()
