"""`maskkit label`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Excludes, Reading, Source
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.cli.shell.streams import print_line
from maskkit.options.fields import Metavar
from maskkit.options.values import cuts_of, ignored_of, spreads_of


def _check_rules(
    train_cuts: list[str] | None, train_spread: list[str] | None, ignore: list[str] | None
) -> None:
    cuts_of(train_cuts or ())
    spreads_of(train_spread or ())
    ignored_of(ignore or ())


def _check_resume(resume: bool, output: str | None) -> None:
    refuse_without_file(resume, output)


@command(loads="tables", check=(_check_rules, _check_resume))
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
        "Folder that the paths are relative to; left out, `images` beside the table or its folder.",
    ] = None,
    task: common_options.Task = None,
    unlabelled: Annotated[
        bool, "Take a folder's photos that are in no class folder too, without a label."
    ] = False,
    print_task: Annotated[
        bool,
        "Print the label space as a task file, and stop.",
        Excludes("photos", "output", why="it reads no photos and writes no file"),
    ] = False,
    train_cuts: Annotated[
        list[str],
        "Train on other cuts of a number than the label is made of; once per factor.",
        Metavar("FACTOR=CUT,..."),
    ] = OMITTED,
    train_spread: Annotated[
        list[str],
        "Let a number be off by so much, as a standard deviation: near a cut, train towards the levels on "
        "both of its sides, each as probable as that makes it.",
        Metavar("FACTOR=NUMBER"),
    ] = OMITTED,
    ignore: Annotated[
        list[str],
        "Never train on these levels, numbers, or ranges such as age=57-59; they are still scored.",
        Metavar("FACTOR=VALUE,..."),
    ] = OMITTED,
    corrections: Annotated[
        Source | None, "CSV of corrected labels: path or person_id, column, value; and from, if it is known."
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

    Example: maskkit label photos/train/train.csv -o labels.parquet --train-cuts age=30,58 --ignore age=57-59

    A face of 58 may be one of 62: maskkit label photos/train/train.csv -o labels.parquet --train-spread age=4
    """
    from maskkit.labelling.targets import TargetRules
    from maskkit.stages.label import label as stage
    from maskkit.stages.label import task_space

    if print_task:
        print_line(task_space(task).to_toml().rstrip("\n"))
        return
    with kept_beside(output, resume=resume, force=force) as left:
        manifest = stage(
            photos, root=root, task=task, unlabelled=unlabelled,
            targets=TargetRules(cuts_of(train_cuts), ignored_of(ignore), spreads_of(train_spread)),
            corrections=corrections, encoding=encoding, skip_bad=skip_bad, no_check=no_check, resumable=left,
        )  # fmt: skip
        output.write(manifest.to_bytes())
        people = manifest.table["person_id"]
        persons = f" of {len(manifest.people)} people" if people.null_count == 0 else ""
        labelled = int((manifest.labels >= 0).sum())
        terminal.note(f"{len(manifest)} photos{persons}, {labelled} labelled")
