"""`maskkit eda`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from maskkit.cli.comparison_tables import comparison_facts, comparison_tables
from maskkit.cli.eda_tables import eda_facts, eda_tables
from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import STREAM, print_json, print_tsv, refuse, source, stdout_is_terminal

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest


def eda(
    context: typer.Context,
    photos: Annotated[
        Optional[str],
        typer.Argument(
            metavar="PHOTOS",
            help="A manifest, or anything that `maskkit label` takes, or any folder of photos; `-` reads "
            "standard input.",
            show_default=False,
        ),
    ] = None,
    other: Annotated[
        Optional[str],
        typer.Argument(
            metavar="OTHER",
            help="A second set, such as the test photos, to compare with.",
            show_default=False,
        ),
    ] = None,
    root: common_options.Root = None,
    other_root: Annotated[
        Optional[str], typer.Option(help="The same for the second set.", show_default=False)
    ] = None,
    task: common_options.Task = None,
    half: Annotated[
        bool,
        typer.Option(
            "--half",
            help="Decode JPEGs at half their size: faster; light and colour change little, and sharpness "
            "is another measure.",
        ),
    ] = False,
    counts_only: Annotated[
        bool,
        typer.Option(
            "--counts-only",
            help="Open no photo: for tables of millions of rows, or photos that are elsewhere.",
        ),
    ] = False,
    rare: Annotated[int, typer.Option(min=1, help="Fewer people than this are rare.")] = 30,
    seed: common_options.Seed = 0,
    json: common_options.Json = False,
    html: common_options.Html = None,
    show_photos: Annotated[
        bool,
        typer.Option(
            "--photos",
            help="Show small photos in the page. Do not publish it then, unless the people agree.",
            rich_help_panel=common_options.SHELL_PANEL,
        ),
    ] = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:
    """Look at the data before training on it: people, classes, what is rare, light, colour, duplicates.

    With two sets, say how they differ, what is in both, and whether a classifier tells them apart. Prints
    tables on a terminal, tab-separated values in a pipe, JSON with --json, and a page with --html.

    Example: maskkit eda folds.parquet --html data.html
    """
    _check_words(
        photos, other, counts_only=counts_only, html=html, show_photos=show_photos, other_root=other_root
    )
    if html is not None:
        refuse(html, force=force, inputs=[photos, other, task])
    first = _open(photos, root=root, task=task)
    second = None if other is None else _open(other, root=other_root, task=task)
    common_options.stop_if_dry(context, dry_run)
    if second is None:
        _describe(first, half, counts_only, rare, json=json, html=html, photos=show_photos)
    else:
        _compare(first, second, half, seed, json=json, html=html)


def _describe(
    one: _Set, half: bool, counts_only: bool, rare: int, *, json: bool, html: Path | None, photos: bool
) -> None:
    from maskkit.artifacts.files import write_whole
    from maskkit.stages.eda import eda as stage
    from maskkit.stages.eda import report

    result = stage(one.manifest, half=half, counts_only=counts_only, rare=rare, name=one.name)
    if html is not None:
        write_whole(html, report(result, one.manifest, photos=photos).encode())
    _print(result.to_json, eda_tables(result), eda_facts(result), json=json)
    if html is not None:
        terminal.note(f"the page is {html}")


def _compare(first: _Set, second: _Set, half: bool, seed: int, *, json: bool, html: Path | None) -> None:
    from maskkit.artifacts.files import write_whole
    from maskkit.stages.shift import report, shift, verdict

    result = shift(
        first.manifest,
        second.manifest,
        half=half,
        seed=seed,
        names=(first.name, second.name),
    )
    if html is not None:
        write_whole(html, report(result).encode())
    _print(result.to_json, comparison_tables(result), comparison_facts(result), json=json)
    terminal.note(verdict(result))
    if html is not None:
        terminal.note(f"the page is {html}")


@dataclass(frozen=True)
class _Set:
    """A manifest, and what to call it."""

    manifest: Manifest
    name: str


def _open(name: str | None, *, root: str | None, task: str | None) -> _Set:
    """Read a manifest, or list the photos of anything else without opening them."""
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.parquet import is_artifact
    from maskkit.stages.label import label

    is_folder = name not in (None, STREAM) and Path(str(name)).is_dir()
    given = str(name) if is_folder else source(name, what="manifest, or folder or table of photos")
    if not isinstance(given, str) and is_artifact(given):
        manifest = Manifest.read(given).located(root=root)
        return _Set(manifest, manifest.name)
    manifest = label(given, root=root, task=task, skip_bad=True, no_check=True, unlabelled=True)
    manifest = manifest.located(root=str(manifest.root))
    return _Set(manifest, "standard input" if name in (None, STREAM) else str(name))


def _check_words(
    photos: str | None,
    other: str | None,
    *,
    counts_only: bool,
    html: Path | None,
    show_photos: bool,
    other_root: str | None,
) -> None:
    if photos == other == STREAM:
        raise typer.BadParameter("standard input can be read once", param_hint="OTHER")
    if other is not None and counts_only:
        raise typer.BadParameter("sets are compared by their photos", param_hint="--counts-only")
    if other is not None and show_photos:
        raise typer.BadParameter("the page that compares two sets shows no photos", param_hint="--photos")
    if other is None and other_root is not None:
        raise typer.BadParameter("there is no second set", param_hint="--other-root")
    if show_photos and html is None:
        raise typer.BadParameter("photos are shown in the page of --html", param_hint="--photos")
    if show_photos and counts_only:
        raise typer.BadParameter("no photo is opened with --counts-only", param_hint="--photos")


def _print(plain: Any, tables: Iterable[Any], facts: Iterable[Any], *, json: bool) -> None:
    if json:
        print_json(plain())
    elif stdout_is_terminal():
        for table in tables:
            if not isinstance(table, str):
                terminal.show("")
            terminal.show(table)
    else:
        print_tsv(("scope", "name", "measure", "value"), facts)
