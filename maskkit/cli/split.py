"""`maskkit split`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, SHELL_PANEL, Excludes, Flags, Manifest, Named
from maskkit.cli.shell.streams import STREAM, OutputTarget, print_json
from maskkit.options.fields import Between, Metavar
from maskkit.options.values import MOST_FOLDS

REPEAT = "{repeat}"


def _files(output: str | None, repeats: int) -> list[str | None]:
    """Return where each repeat goes."""
    if repeats > 1 and output in (None, STREAM):
        raise typer.BadParameter(
            f"{repeats} splits are {repeats} files: use -o 'folds{REPEAT}.parquet'", param_hint="--repeats"
        )
    if repeats > 1 and REPEAT not in str(output):
        raise typer.BadParameter(
            f"{output} is one file for {repeats} splits: use -o 'folds{REPEAT}.parquet'", param_hint="-o"
        )
    return [None if output is None else output.replace(REPEAT, str(number)) for number in range(repeats)]


def _check_json(json: bool, check: bool, output: str | None) -> None:
    if json and not check and output in (None, STREAM):
        raise typer.BadParameter(
            "standard output is the manifest's: give -o FILE, or --check to look at folds there are",
            param_hint="--json",
        )


@command(loads="tables", check=(_check_json,))
def split(
    *,
    manifest: common_options.ManifestIn = OMITTED,
    output: Annotated[
        list[OutputTarget],
        "File to write; `-` is standard output; `{repeat}` stands for 0, 1, ... of --repeats.",
        Flags("-o", "--output"),
        SHELL_PANEL,
        Named(_files),
    ] = OMITTED,
    by: Annotated[str, "What must not be divided: person, image, or a column."] = "person",
    folds: Annotated[int, "Number of folds.", Between(2, MOST_FOLDS)] = 5,
    holdout: Annotated[
        float | None, "Hold out this share as fold 0 instead of making folds.", Between(0, 1)
    ] = None,
    stratify: Annotated[
        list[str],
        "Balance these columns too: texts by value, numbers by fine bins; a person whose photos differ "
        "counts by the most frequent value.",
        Metavar("COLUMN,..."),
    ] = OMITTED,
    keep_with: Annotated[
        list[str],
        "Keep photos that share a value of these columns in one fold, also of several people, such as the "
        "near-copies in `duplicate_group` of audit; null ties nothing.",
        Metavar("COLUMN,..."),
    ] = OMITTED,
    repeats: Annotated[
        int,
        "Write so many splits, -o 'folds{repeat}.parquet', with the seeds --seed, --seed + 1, ...; each is "
        "what its seed alone gives.",
        Between(1),
    ] = 1,
    seed: common_options.Seed = 0,
    check: Annotated[
        bool,
        "Only look: exit code 3 if a person, or a value of --keep-with, is in two folds.",
        Excludes("output", why="--check writes nothing"),
    ] = False,
    json: Annotated[
        bool,
        "Print people and photos per class and fold as JSON instead of the path of -o FILE; with --repeats "
        "a list. Goes with --check too.",
        SHELL_PANEL,
    ] = False,
) -> None:
    """Assign photos to folds, keeping each person in one fold, balanced by class and age.

    A table of people and photos per class and fold goes to standard error; `maskkit show` prints it again.

    Example: maskkit split labels.parquet -o folds.parquet --by person --folds 5
    """
    from maskkit.stages.split import split as stage

    ties = _columns(keep_with)
    if check:
        _check(manifest, ties, json=json)
        return
    written = []
    for number, to in enumerate(output, seed):
        result: Manifest = stage(
            manifest, by=by, folds=folds, holdout=holdout, stratify=_columns(stratify), keep_with=ties,
            seed=number,
        )  # fmt: skip
        to.write(result.to_bytes(), announce=not json)
        written.append({"file": str(to.path), "seed": number, **_quality(result)})
    if json:
        print_json(written[0] if repeats == 1 else written)


def _check(manifest: Manifest, keep_with: list[str], *, json: bool) -> None:
    from maskkit.stages.split import check_split, kept_with

    if json:
        manifest.need("fold")
        print_json({"file": manifest.name, **_quality(manifest)})
    check_split(manifest, keep_with=keep_with)
    terminal.note("each person is in one fold")
    for column in keep_with or kept_with(manifest):
        terminal.note(f"each value of {column} is in one fold")


def _quality(manifest: Manifest) -> dict[str, Any]:
    """Show how even the folds are on standard error; return it for JSON."""
    from maskkit.cli.shell.show_report import note_report
    from maskkit.reporting.stage_reports import folds_report
    from maskkit.splitting.quality import fold_quality

    quality = fold_quality(manifest).to_json(manifest.space.names)
    note_report(folds_report(quality))
    return quality


def _columns(given: list[str]) -> list[str]:
    """Return the names in an option that may be repeated, and hold several, each once."""
    names = [name.strip() for text in given for name in text.split(",")]
    return list(dict.fromkeys(name for name in names if name))
