"""`maskkit lr-find`."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import Checks, command
from maskkit.cli.shell.parameters import OMITTED, Manifest, Only, Reading
from maskkit.cli.shell.streams import STREAM
from maskkit.cli.shell.weights_option import list_weights, settled_of
from maskkit.options.fields import Between
from maskkit.options.train_options import OF_A_WHOLE_TRAINING, TrainOptions

TESTED = [field.name for field in fields(TrainOptions) if field.name not in OF_A_WHOLE_TRAINING]


@command(loads="torch", instead=(list_weights,))
def lr_find(
    *,
    manifest: Annotated[Manifest, common_options.MANIFEST, Reading(columns=("fold",))] = OMITTED,
    output: common_options.OptionalOutput = None,
    fold: Annotated[int, "The fold that will be held out; nothing is learnt from it.", Between(0)] = 0,
    start: Annotated[float, "The lowest rate of the backbone.", Between(1e-9, 10)] = 1e-6,
    end: Annotated[float, "The highest rate of the backbone.", Between(1e-9, 10)] = 1.0,
    steps: Annotated[int, "Steps from the lowest rate to the highest.", Between(2)] = 100,
    photos: common_options.CachedPhotoOptions,
    allow_leak: common_options.AllowLeak = False,
    shown: Annotated[common_options.ReportOptions, Only("json", "html")],
    training: Annotated[TrainOptions, Only(*TESTED)],
    checks: Checks,
) -> None:
    """Train for a few steps at rising learning rates, and suggest the rate to give to `train`.

    Give it the options of the training: it makes the same steps. Nothing is kept of what is learnt. Prints a
    table on a terminal, tab-separated values in a pipe, JSON with --json or into -o FILE.

    Example: maskkit lr-find folds.parquet --html rates.html
    """
    from maskkit.modeling.starting_head import settle_head
    from maskkit.stages.lr_find import lr_find as stage
    from maskkit.stages.lr_find import report
    from maskkit.training.fold_rows import FoldRows, read_teacher, read_unlabeled

    training = settle_head(training)
    checks.resolved = lambda: settled_of(training)
    given = photos.located(manifest)
    unlabeled = read_unlabeled(training.unlabeled, given)
    teacher = read_teacher(training.teacher)
    rows = FoldRows.of(given, fold, unlabeled=unlabeled, teacher=teacher, allow_leak=allow_leak)
    found = stage(rows, options=training, start=start, end=end, steps=steps)
    to = None if output is None else str(output.path or STREAM)
    shown.show(report(found, manifest=given.name, output=to), to=output)
