"""`maskkit split`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli import options, terminal
from maskkit.cli.streams import source, target
from maskkit.cli.tables import fold_table

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest


def split(
    context: typer.Context,
    manifest: options.ManifestIn = None,
    output: options.Output = None,
    by: Annotated[str, typer.Option(help="What must not be divided: person, image, or a column.")] = "person",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    holdout: Annotated[
        Optional[float],
        typer.Option(
            min=0, max=1, help="Hold out this share as fold 0 instead of making folds.", show_default=False
        ),
    ] = None,
    seed: options.Seed = 0,
    check: Annotated[
        bool, typer.Option("--check", help="Only look: exit code 3 if a person is in two folds.")
    ] = False,
    force: options.Force = False,
    recipe: options.Recipe = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:
    """Assign images to folds, keeping each person in one fold, balanced by class and age.

    Example: maskkit split labels.parquet -o folds.parquet --by person --folds 5
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.split import check_split, fold_quality
    from maskkit.stages.split import split as stage

    if check:
        if output is not None:
            raise typer.BadParameter("--check writes nothing", param_hint="-o")
        given = Manifest.read(source(manifest, what="manifest"))
        options.stop_if_dry(context, dry_run)
        check_split(given)
        terminal.note("each person is in one fold")
        return
    to = target(output, force=force, inputs=[manifest])
    given = Manifest.read(source(manifest, what="manifest"))
    options.stop_if_dry(context, dry_run)
    result: Manifest = stage(given, by=by, folds=folds, holdout=holdout, seed=seed)
    to.write(result.to_bytes())
    terminal.note(fold_table(fold_quality(result), result.space.names))
