"""`maskkit eda`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import (
    OMITTED,
    SHELL_PANEL,
    Argument,
    Excludes,
    Flags,
    Needs,
    Only,
    Reading,
    Source,
)
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.cli.shell.surveys import surveys
from maskkit.errors import examples
from maskkit.options.fields import Between
from maskkit.options.ray_address import RayAddress
from maskkit.options.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyarrow import Buffer

    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.progress_file import ProgressFile
    from maskkit.artifacts.resumable import Resumable
    from maskkit.imaging.surveyed import SurveyedPhotos
    from maskkit.reporting.report import Report

    _Named = tuple[Manifest, str]
    _Known = Sequence[SurveyedPhotos]

NAMED = 20  # how many bad photos are named


def _check_resume(resume: bool, output: str | None, html: Path | None) -> None:
    refuse_without_file(resume, output, html, flags="--html or -o")


def _check_shard(shard: str | None, output: str | None) -> None:
    if shard is not None and output is None:
        raise typer.BadParameter(
            "a share of the photos is no report: write what is found in them with -o FILE.parquet",
            param_hint="--shard",
        )


@command(check=(_check_resume, _check_shard))
def eda(
    *,
    photos: Annotated[
        Source | str,
        "A manifest, or anything that `maskkit label` takes, or any folder of photos; `-` reads standard "
        "input.",
        Argument(),
        Reading(what="manifest, or folder or table of photos"),
    ] = OMITTED,
    other: Annotated[
        Source | str | None, "A second set, such as the test photos, to compare with.", Argument()
    ] = None,
    place: common_options.PhotoOptions,
    output: Annotated[
        common_options.OptionalOutput,
        Excludes("html", "json", why="-o writes what is in photos, and --survey makes a report of that"),
        Excludes("other", why="a survey is of one set; make one of each"),
        Excludes("counts_only", "survey", why="no photo is opened then, of which -o could tell"),
    ] = None,
    survey: Annotated[
        common_options.Survey,
        Excludes("counts_only", why="nothing is shown of photos with --counts-only"),
    ] = OMITTED,
    shard: common_options.Shard = None,
    engine: common_options.Engine = None,
    other_root: Annotated[
        str | None, "The same for the second set.", Needs("other", "there is no second set")
    ] = None,
    task: common_options.Task = None,
    encoding: common_options.Encoding = None,
    half: Annotated[
        bool,
        "Decode JPEGs at half their size: faster; brightness and colour change little, and sharpness is "
        "another measure.",
    ] = False,
    counts_only: Annotated[
        bool,
        "Open no photo: for tables of millions of rows, or photos that are elsewhere.",
        Excludes("other", why="sets are compared by their photos"),
    ] = False,
    rare: Annotated[int, "Fewer people than this are rare.", Between(1)] = 30,
    seed: common_options.Seed = 0,
    shown: Annotated[common_options.ReportOptions, Only("json", "html")],
    show_photos: Annotated[
        bool,
        "Show small photos in the page. Do not publish it then, unless the people agree.",
        Flags("--photos"),
        SHELL_PANEL,
        Needs("html", "photos are shown in the page of --html"),
        Excludes("other", why="the page that compares two sets shows no photos"),
        Excludes("counts_only", why="no photo is opened with --counts-only"),
    ] = False,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """Look at the data before training on it: people, classes, what is rare, brightness, colour, duplicates.

    With two sets, say how they differ, what is in both, and whether a classifier tells them apart. Prints
    tables on a terminal, tab-separated values in a pipe, JSON with --json, and a page with --html.

    What photos were found to be so far is kept in FILE.resume beside the file of --html or -o, so that
    --resume goes on after an interruption; it looks again at photos that have changed since.

    With -o, what is found in each photo is written instead, as a survey: a table with a row per photo. Parts
    of it are made by --shard, and `eda` and `audit` take it by --survey, all parts as one, in the place of
    photos. `audit` looks at photos at half their size.

    A seventh of the photos: maskkit eda folds.parquet --half --shard 3/7 -o survey/3.parquet

    Of all sevenths: maskkit eda folds.parquet --half --survey survey/ --html data.html

    Example: maskkit eda folds.parquet --html data.html
    """
    from maskkit.engines.engine import working_on

    where = working_on(RayAddress.read_if_given(engine))
    first = _open(photos, place, task, encoding)
    if output is not None:
        with where, kept_beside(output, resume=resume, force=force) as left:
            output.write(_surveyed(first[0], Shard.read_if_given(shard), left, half=half))
        return
    second = None if other is None else _open(other, common_options.PhotoOptions(other_root), task, encoding)
    options: dict[str, Any] = {
        "half": half,
        "counts_only": counts_only,
        "rare": rare,
        "seed": seed,
        "photos": show_photos,
    }
    options |= {"root": place.root, "other_root": other_root}
    inputs = () if second is None else (second[0].header.input_from(second[0].as_input()),)
    record = first[0].made_into("eda", options, inputs=inputs)
    known = surveys(survey)
    with where, kept_beside(shown.html, resume=resume, force=force, is_piped=True) as left:
        left.refuse_finished(record)
        with left.begin(record) as kept:
            if second is None:
                report = _described(
                    first, kept, known, half=half, counts_only=counts_only, rare=rare, photos=show_photos
                )
            else:
                report = _compared(first, second, kept, known, half=half, seed=seed)
        shown.show(replace(report, record=record))


def _surveyed(manifest: Manifest, shard: Shard | None, left: Resumable, *, half: bool) -> Buffer:
    from maskkit.imaging.surveyed import surveyed

    found = surveyed(manifest, half=half, shard=shard, resumable=left)
    if faults := found.found.faults:
        named = examples((f"{found.paths[row].as_py()} ({why})" for row, why in faults.items()), most=NAMED)
        terminal.note(f"{len(faults)} of {len(found.found)} photos cannot be read: {named}")
    return found.to_bytes()


def _compared(
    first: _Named, second: _Named, kept: ProgressFile, known: _Known, *, half: bool, seed: int
) -> Report:
    from maskkit.reporting.shift_report import shift_report
    from maskkit.stages.shift import shift

    names = (first[1], second[1])
    return shift_report(shift(first[0], second[0], half=half, seed=seed, names=names, kept=kept, known=known))


def _described(
    one: _Named, kept: ProgressFile, known: _Known, *, half: bool, counts_only: bool, rare: int, photos: bool
) -> Report:
    from maskkit.artifacts.script import script
    from maskkit.reporting.eda_report import eda_report
    from maskkit.stages.eda import contact_sheets
    from maskkit.stages.eda import eda as stage

    manifest, name = one
    result = stage(manifest, half=half, counts_only=counts_only, rare=rare, name=name, kept=kept, known=known)
    history = "" if manifest.source is None else script(manifest.header.history, output=manifest.name)
    return eda_report(result, history=history, sheets=contact_sheets(result, manifest) if photos else {})


def _open(
    given: Source | str, place: common_options.PhotoOptions, task: Source | None, encoding: str | None
) -> _Named:
    """Read a manifest and its name, or list the photos of anything else without opening them."""
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.parquet import is_artifact
    from maskkit.stages.label import label

    if not isinstance(given, str) and is_artifact(given):
        manifest = place.located(Manifest.read(given))
        return manifest, manifest.name
    manifest = label(
        given, root=place.root, task=task, encoding=encoding, skip_bad=True, no_check=True, any_folder=True
    )
    manifest = common_options.PhotoOptions(str(manifest.root)).located(manifest)
    return manifest, given if isinstance(given, str) else given.title
