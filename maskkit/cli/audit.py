"""`maskkit audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli.findings import audit_tables
from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import (
    STREAM,
    print_json,
    print_tsv,
    refuse,
    source,
    stdout_is_terminal,
    target,
)

if TYPE_CHECKING:
    from maskkit.cli.shell.streams import OutputTarget
    from maskkit.stages.audit import Audit


def audit(
    context: typer.Context,
    manifest: common_options.ManifestIn = None,
    predictions: Annotated[
        Optional[str],
        typer.Argument(
            metavar="PREDICTIONS",
            help="Out-of-fold probabilities, by which labels are doubted.",
            show_default=False,
        ),
    ] = None,
    output: common_options.Output = None,
    against: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Another manifest, such as the test set's, that must share no photo; may be repeated.",
            show_default=False,
        ),
    ] = None,
    corrections: Annotated[
        Optional[Path],
        typer.Option(
            help="Write the values proposed as a CSV: delete what you do not confirm, and give it to "
            "`label --corrections`.",
            show_default=False,
        ),
    ] = None,
    sureness: Annotated[
        float,
        typer.Option(
            min=0,
            max=2,
            help="How sure models must be of another level, as a share of how sure they usually are of it.",
        ),
    ] = 0.95,
    no_photos: Annotated[
        bool, typer.Option("--no-photos", help="Open no photo; look for no duplicates or odd photos.")
    ] = False,
    root: common_options.Root = None,
    json: common_options.Json = False,
    html: common_options.Html = None,
    photos: common_options.Photos = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:
    """Find leaks, people who contradict themselves, doubtful labels and odd photos.

    Exit code 3 if a leak is found. Prints tables on a terminal, tab-separated values in a pipe, JSON with
    --json; -o writes the manifest with its `flags` and, for `split --keep-with`, its `duplicate_group`.

    Example: maskkit audit folds.parquet oof.parquet --against test.parquet --corrections fixes.csv
    """
    from maskkit.artifacts.files import write_whole
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.stages.audit import audit as stage
    from maskkit.stages.audit import corrections as proposals
    from maskkit.stages.audit import flagged, refuse_leaks, report

    others = against or []
    _check_words(manifest, predictions, others, html=html, photos=photos, no_photos=no_photos)
    inputs = [manifest, predictions, *others]
    to = None if output is None else target(output, force=force, inputs=inputs)
    for file in (corrections, html):
        if file is not None:
            refuse(file, force=force, inputs=inputs)
    given = Manifest.read(source(manifest, what="manifest"), divided=True).located(root=root)
    oof = None if predictions is None else Predictions.read(source(predictions, what="predictions"))
    rest = [Manifest.read(source(name, what="manifest"), divided=True) for name in others]
    common_options.stop_if_dry(context, dry_run)
    result = stage(
        given, oof, against=rest, no_photos=no_photos, sureness=sureness,
    )  # fmt: skip
    if corrections is not None:
        write_whole(corrections, proposals(result).encode())
        terminal.note(f"proposed corrections are in {corrections}")
    if html is not None:
        write_whole(html, report(result, photos=photos).encode())
        terminal.note(f"the page is {html}")
    _print(result, to, json=json)
    if to is not None:
        to.write(flagged(result, oof, rest, no_photos=no_photos, sureness=sureness).to_bytes())
    refuse_leaks(result)


def _check_words(
    manifest: str | None, predictions: str | None, against: list[str], *, html: Path | None, photos: bool,
    no_photos: bool,
) -> None:  # fmt: skip
    if [manifest, predictions, *against].count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="PREDICTIONS")
    if against and no_photos:
        raise typer.BadParameter("other sets are compared by their photos", param_hint="--no-photos")
    if photos and html is None:
        raise typer.BadParameter("photos are shown in the page of --html", param_hint="--photos")


def _print(result: Audit, to: OutputTarget | None, *, json: bool) -> None:
    from maskkit.stages.audit import FINDING_COLUMNS

    if to is None and json:
        print_json(result.to_json())
    elif to is None and not stdout_is_terminal():
        print_tsv(FINDING_COLUMNS, result.rows())
    show = terminal.show if to is None and stdout_is_terminal() and not json else terminal.note
    for table in audit_tables(result):
        show(table)
