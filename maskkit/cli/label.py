"""`maskkit label`."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from maskkit.cli import options, terminal
from maskkit.cli.streams import STREAM, source, target


def label(
    context: typer.Context,
    photos: Annotated[
        Optional[str],
        typer.Argument(
            metavar="PHOTOS",
            help="train.csv or info.csv of the competition, a folder with one of them, a tree of class "
            "folders, or a CSV or Parquet with path and factors; `-` reads a CSV from standard input.",
            show_default=False,
        ),
    ] = None,
    output: options.Output = None,
    root: Annotated[
        Optional[str],
        typer.Option(
            help="Folder that the paths are relative to; left out, `images` beside the table or its folder.",
            show_default=False,
        ),
    ] = None,
    task: options.Task = None,
    unlabelled: Annotated[
        bool,
        typer.Option(
            "--unlabelled", help="Take a folder's photos that are in no class folder too, without a label."
        ),
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out photos that are missing or cannot be decoded.")
    ] = False,
    no_check: Annotated[
        bool,
        typer.Option(
            "--no-check",
            help="Do not open the photos, only list and label them; the record then holds no digest of them.",
        ),
    ] = False,
    force: options.Force = False,
    recipe: options.Recipe = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """List photos, look at each, and give each its class.

    Every photo is decoded once, so that a broken one is found now and not in the middle of a training;
    --no-check leaves that out, for tables of millions of rows, or of photos that are somewhere else.

    Example: maskkit label photos/train/train.csv -o labels.parquet
    """
    from maskkit.stages.label import label as stage

    to = target(output, force=force, inputs=[photos, task])
    given = source(photos, what="folder or table of photos") if photos in (None, STREAM) else photos
    options.stop_if_dry(context, dry_run)
    manifest = stage(
        given,
        root=root,
        task=task,
        unlabelled=unlabelled,
        skip_bad=skip_bad,
        no_check=no_check,
        track=terminal.track,
    )
    to.write(manifest.to_bytes())
    people = manifest.table["person_id"]
    persons = f" of {len(manifest.people)} people" if people.null_count == 0 else ""
    labelled = int((manifest.labels >= 0).sum())
    terminal.note(f"{len(manifest)} photos{persons}, {labelled} labelled")
