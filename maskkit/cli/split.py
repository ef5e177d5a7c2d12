"""`maskkit split`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import STREAM, OutputTarget, print_json, source, target
from maskkit.cli.tables import fold_table

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest

REPEAT = "{repeat}"


def split(
    context: typer.Context,
    manifest: common_options.ManifestIn = None,
    output: Annotated[
        Optional[str],
        typer.Option("-o", "--output", help="File to write; `-` is standard output; `{repeat}` stands for "
                     "0, 1, ... of --repeats.", show_default=False,
                     rich_help_panel=common_options.SHELL_PANEL),
    ] = None,
    by: Annotated[str, typer.Option(help="What must not be divided: person, image, or a column.")] = "person",
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    holdout: Annotated[
        Optional[float],
        typer.Option(
            min=0, max=1, help="Hold out this share as fold 0 instead of making folds.", show_default=False
        ),
    ] = None,
    stratify: Annotated[
        Optional[list[str]],
        typer.Option(metavar="COLUMN,...", show_default=False,
                     help="Balance these columns too: texts by value, numbers by fine bins; a person whose "
                     "photos differ counts by the most frequent value."),
    ] = None,
    keep_with: Annotated[
        Optional[list[str]],
        typer.Option(metavar="COLUMN,...", show_default=False,
                     help="Keep photos that share a value of these columns in one fold, also of several "
                     "people, such as the near-copies in `duplicate_group` of audit; null ties "
                     "nothing."),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(min=1, help="Write so many splits, -o 'folds{repeat}.parquet', with the seeds --seed, "
                     "--seed + 1, ...; each is what its seed alone gives."),
    ] = 1,
    seed: common_options.Seed = 0,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only look: exit code 3 if a person, or a value of "
                     "--keep-with, is in two folds."),
    ] = False,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print people and photos per class and fold as JSON instead of the path "
                     "of -o FILE; with --repeats a list. Goes with --check too.",
                     rich_help_panel=common_options.SHELL_PANEL),
    ] = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Assign images to folds, keeping each person in one fold, balanced by class and age.

    A table of people and photos per class and fold goes to standard error; `maskkit show` prints it again.

    Example: maskkit split labels.parquet -o folds.parquet --by person --folds 5
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.split import split as stage

    ties = _columns(keep_with)
    if check:
        _check_only(context, manifest, ties, output=output, json=json, dry_run=dry_run)
        return
    if json and output in (None, STREAM):
        raise typer.BadParameter(
            "standard output is the manifest's: give -o FILE, or --check to look at folds there are",
            param_hint="--json",
        )
    targets = _targets(output, repeats, force=force, manifest=manifest)
    given = Manifest.read(source(manifest, what="manifest"))
    common_options.stop_if_dry(context, dry_run)
    written = []
    for number, to in enumerate(targets):
        result: Manifest = stage(
            given,
            by=by,
            folds=folds,
            holdout=holdout,
            stratify=_columns(stratify),
            keep_with=ties,
            seed=seed + number,
        )
        to.write(result.to_bytes(), announce=not json)
        written.append({"file": str(to.path), "seed": seed + number, **_quality(result)})
    if json:
        print_json(written[0] if repeats == 1 else written)


def _check_only(
    context: typer.Context,
    manifest: str | None,
    keep_with: list[str],
    *,
    output: str | None,
    json: bool,
    dry_run: bool,
) -> None:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.split import check_split, kept_with

    if output is not None:
        raise typer.BadParameter("--check writes nothing", param_hint="-o")
    given = Manifest.read(source(manifest, what="manifest"))
    common_options.stop_if_dry(context, dry_run)
    if json:
        given.need("fold")
        print_json({"file": given.name, **_quality(given)})
    check_split(given, keep_with=keep_with)
    terminal.note("each person is in one fold")
    for column in keep_with or kept_with(given):
        terminal.note(f"each value of {column} is in one fold")


def _targets(output: str | None, repeats: int, *, force: bool, manifest: str | None) -> list[OutputTarget]:
    """Return where each repeat goes, all of them checked before any work."""
    if repeats > 1 and output in (None, STREAM):
        raise typer.BadParameter(
            f"{repeats} splits are {repeats} files: use -o 'folds{REPEAT}.parquet'", param_hint="--repeats"
        )
    if repeats > 1 and REPEAT not in str(output):
        raise typer.BadParameter(
            f"{output} is one file for {repeats} splits: use -o 'folds{REPEAT}.parquet'", param_hint="-o"
        )
    names = [None if output is None else output.replace(REPEAT, str(number)) for number in range(repeats)]
    return [target(name, force=force, inputs=[manifest]) for name in names]


def _quality(manifest: Manifest) -> dict[str, Any]:
    """Show how even the folds are on standard error; return it for JSON."""
    from maskkit.splitting.quality import fold_quality

    quality = fold_quality(manifest).to_json(manifest.space.names)
    terminal.note(fold_table(quality))
    return quality


def _columns(given: list[str] | None) -> list[str]:
    """Return the names in an option that may be repeated, and hold several, each once."""
    names = [name.strip() for text in given or [] for name in text.split(",")]
    return list(dict.fromkeys(name for name in names if name))
