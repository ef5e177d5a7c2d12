"""`maskkit pseudo`."""

from __future__ import annotations

from typing import Annotated

import typer

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Excludes, Manifest, Predictions, Shown
from maskkit.options import explained
from maskkit.options.fields import Between, Metavar, Refusing
from maskkit.options.train_options import Balance, Targets
from maskkit.options.values import parse_pseudo_weight, parse_thresholds

THRESHOLD = "0.9"


def _check_share(share: float | None) -> None:
    if share == 0:
        raise typer.BadParameter("0 is no photo: it is above 0, and up to 1", param_hint="--share")


@command(loads="tables", check=(_check_share,))
def pseudo(
    *,
    manifest: Annotated[Manifest, "Labelled photos with folds; `-` reads standard input.", Argument()],
    predictions: Annotated[Predictions, "Of photos without labels, from `maskkit predict`.", Argument()],
    output: common_options.Output = OMITTED,
    unlabeled: Annotated[
        Manifest | None,
        "The manifest that was predicted, if the photos are not in the labelled one.",
        Metavar("MANIFEST"),
    ] = None,
    threshold: Annotated[
        str | None,
        "Least confidence: for all, and by level or class, as 0.9,age=60plus:0.6; the last that fits a "
        "class counts.",
        Metavar("NUMBER,..."),
        Refusing(parse_thresholds),
        Shown(THRESHOLD),
    ] = None,
    share: Annotated[
        float | None,
        "Instead, take this share of the photos, the most confident first.",
        Between(0, 1),
        Excludes("threshold", why="--threshold and --share both say which to take"),
    ] = None,
    balance: Annotated[
        Balance,
        "Classes of --share: as many of each as among the labels trained on, as among the predictions, or "
        "any.",
        explained.BALANCES,
    ] = "labels",
    targets: Annotated[
        Targets, "Train towards the class, or `soft`: towards the probabilities.", explained.TARGET_KINDS
    ] = "hard",
    weight: Annotated[
        str,
        "Weight in training, where a label has 1; `confidence`, or `confidence:0.5` for half of it.",
        Metavar("NUMBER|confidence"),
        Refusing(parse_pseudo_weight),
    ] = "1",
    allow_leak: common_options.AllowLeak = False,
) -> None:
    """Add photos without labels, with the labels that models are sure of, to be trained on.

    Labels of fold 0's model are for fold 0's training alone: the other folds hold out people whom that
    model has seen. The column `for_fold` says so and `maskkit train` keeps to it. So predict with each fold's
    model by itself, and make a manifest for each fold. No score is of these rows: their truth stays unknown.

    Example: maskkit pseudo folds.parquet test-fold0.parquet --unlabeled test.parquet -o pseudo0.parquet
    """
    from maskkit.cli.shell.show_report import note_report
    from maskkit.pseudo_labelling.selection import Selection
    from maskkit.reporting.stage_reports import pseudo_report
    from maskkit.stages.pseudo import pseudo as stage

    result = stage(
        manifest, predictions, unlabeled, which=Selection(threshold or THRESHOLD, share, balance),
        targets=targets, weight=weight, allow_leak=allow_leak,
    )  # fmt: skip
    output.write(result.manifest.to_bytes())
    note_report(pseudo_report(result.tallies, result.folds))
