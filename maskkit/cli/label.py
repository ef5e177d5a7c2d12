"""`maskkit label`."""

from __future__ import annotations

from typing import Annotated

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Excludes, Reading, Source
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.cli.shell.startup import prepare_for_tables
from maskkit.cli.shell.streams import print_line, source
from maskkit.options.fields import HelpPanel, Metavar, Refusing
from maskkit.options.ray_address import RayAddress
from maskkit.options.shard import Shard
from maskkit.options.values import cuts_of, ignored_of, person_pattern, spreads_of
from maskkit.storage.address import place_of

LABELS_PANEL = HelpPanel("Corrections, and what is trained on")


def _check_rules(
    train_cuts: list[str] | None, train_spread: list[str] | None, ignore: list[str] | None
) -> None:
    cuts_of(train_cuts or ())
    spreads_of(train_spread or ())
    ignored_of(ignore or ())


def _check_resume(resume: bool, output: str | None) -> None:
    refuse_without_file(resume, output)


def _print_task(print_task: bool, photos: str | None, task: str | None) -> bool:
    """Print a label space if that is wanted: of a task file, of class folders, or the home task's."""
    if not print_task:
        return False
    if photos is not None and task is not None:
        raise typer.BadParameter("the task is given, no folders are needed", param_hint="--print-task")
    if photos is not None and not place_of(photos).is_dir():
        raise typer.BadParameter(
            "of photos, it reads only a tree of class folders", param_hint="--print-task"
        )
    prepare_for_tables()
    from maskkit.sources.given_photos import task_of_folder, task_space

    space = task_of_folder(photos) if photos is not None else task_space(task and source(task, what="task"))
    print_line(space.to_toml().rstrip("\n"))
    return True


@command(loads="tables", check=(_check_rules, _check_resume), instead=(_print_task,))
def label(
    *,
    photos: Annotated[
        Source | str,
        "train.csv or info.csv of the competition, a folder with one of them, a tree of class folders, or "
        "a CSV or Parquet with path and factors; `-` reads a CSV from standard input.",
        Argument(),
        Reading(what="folder or table of photos"),
    ] = OMITTED,
    output: common_options.Output = OMITTED,
    root: Annotated[
        str | None,
        "Folder that the paths are relative to, or s3:// or gs://BUCKET/FOLDER; left out, `images` beside "
        "the table or its folder.",
    ] = None,
    task: common_options.Task = None,
    unlabelled: Annotated[
        bool, "Take a folder's photos that are in no class folder too, without a label."
    ] = False,
    print_task: Annotated[
        bool,
        "Print the label space as a task file, and stop: that of a tree of class folders, of --task, or the "
        "home task's.",
        Excludes("output", why="it writes no file; use > task.toml"),
    ] = False,
    person_from: Annotated[
        str | None,
        # Without a backslash, for which `escape` would import rich before any command runs.
        "Take the person from the name of the file: a regular expression of the whole name, whose one group "
        "is the person, such as '(.+)_.*' for the 17 of 17_a.jpg.",
        Refusing(person_pattern),
        Metavar("PATTERN"),
    ] = None,
    train_cuts: Annotated[
        list[str],
        "Train on other cuts of a number than the label is made of; once per factor.",
        Metavar("FACTOR=CUT,..."),
        LABELS_PANEL,
    ] = OMITTED,
    train_spread: Annotated[
        list[str],
        "Let a number be off by so much, as a standard deviation: near a cut, train towards the levels on "
        "both of its sides, each as probable as that makes it.",
        Metavar("FACTOR=NUMBER"),
        LABELS_PANEL,
    ] = OMITTED,
    ignore: Annotated[
        list[str],
        "Never train on these levels, numbers, or ranges such as age=57-59; they are still scored.",
        Metavar("FACTOR=VALUE,..."),
        LABELS_PANEL,
    ] = OMITTED,
    corrections: Annotated[
        Source | None,
        "CSV of corrected labels: path or person_id, column, value; and from, if it is known.",
        LABELS_PANEL,
    ] = None,
    encoding: common_options.Encoding = None,
    skip_bad: Annotated[
        bool,
        "Leave out photos that are missing, cannot be decoded or have a name that is not UTF-8, and take an "
        "age below 0 or above 120 as unknown.",
    ] = False,
    no_check: Annotated[
        bool, "Do not open the photos, only list and label them; the record then holds no digest of them."
    ] = False,
    shard: common_options.Shard = None,
    engine: common_options.Engine = None,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """List photos, look at each, and give each its class.

    Every photo is decoded once, so that a broken one is found now and not in the middle of a training;
    --no-check leaves that out, for tables of millions of rows, or of photos that are somewhere else. What
    was found so far is kept in FILE.resume, so that --resume goes on after an interruption; it looks again
    at photos that have changed since. Of a finished FILE it compares the options, and the bytes of the
    table and of all photos.

    The label is the truth, which scores use. --train-cuts, --train-spread and --ignore change what is
    trained on only.

    Folders of which none names a class of the home task name classes of their own: those side by side are
    the levels of one factor, and folders in folders several factors if every combination is there. The task
    that they make is printed; --print-task saves it for --task, so that later runs do not depend on which
    folders there are.

    Example: maskkit label photos/train/train.csv -o labels.parquet --train-cuts age=30,58 --ignore age=57-59

    A face of 58 may be one of 62: maskkit label photos/train/train.csv -o labels.parquet --train-spread age=4

    Classes of your own, from parts/ok and parts/scratched: maskkit label parts -o labels.parquet
    """
    from maskkit.engines.engine import working_on
    from maskkit.labelling.targets import TargetRules
    from maskkit.stages.label import label as stage

    where = working_on(RayAddress.read_if_given(engine))
    with where, kept_beside(output, resume=resume, force=force) as left:
        manifest = stage(
            photos, root=root, task=task, unlabelled=unlabelled, person_from=person_from,
            targets=TargetRules(cuts_of(train_cuts), ignored_of(ignore), spreads_of(train_spread)),
            corrections=corrections, encoding=encoding, skip_bad=skip_bad, no_check=no_check, resumable=left,
            shard=Shard.read_if_given(shard),
        )  # fmt: skip
        output.write(manifest.to_bytes())
        people = manifest.table["person_id"]
        persons = f" of {len(manifest.people)} people" if people.null_count == 0 else ""
        labelled = int((manifest.labels >= 0).sum())
        terminal.note(f"{len(manifest)} photos{persons}, {labelled} labelled")
