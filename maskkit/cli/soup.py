"""`maskkit soup`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Argument, Checkpoint, Manifest, Only, Required
from maskkit.options.train_options import Inference


@command(loads="torch")
def soup(
    *,
    checkpoints: Annotated[
        list[Checkpoint], "Models of the same kind, from `maskkit train`.", Argument("CHECKPOINT")
    ],
    output: common_options.Output = OMITTED,
    on: Annotated[
        Manifest | None,
        "The manifest that they were trained on: the average is scored on the people whom none of them has "
        "seen, and its batch norms are measured on some of those whom all were trained on. Needless only "
        "with --uniform.",
        Required(unless=("uniform",)),
    ] = None,
    uniform: Annotated[
        bool, "Average all without choosing; without --on, statistics of batch norm are averaged too."
    ] = False,
    inference: Annotated[Inference, Only("device", "batch_size", "workers")],
    photos: common_options.CachedPhotoOptions,
) -> None:
    """Average the weights of several models into one, of those that make it no worse.

    The models are tried from the best on, and each stays if the macro-F1 of the average does not fall on
    people whom none of them has seen. So they are of one fold: several seeds, rates or losses from the same
    pretrained weights. The result predicts as fast as one of them. Its score was chosen by, as that of a best
    epoch.

    Example: maskkit soup run/fold0-*.safetensors --on folds.parquet -o soup.safetensors
    """
    from maskkit.artifacts.checkpoint import checkpoint_bytes
    from maskkit.cli.shell.show_report import note_report
    from maskkit.reporting.stage_reports import soup_report
    from maskkit.stages.soup import soup as stage

    given = None if on is None else photos.located(on)
    result = stage(checkpoints, on=given, uniform=uniform, inference=inference)
    output.write(checkpoint_bytes(result.weights, result.header))
    note_report(soup_report(result.ingredients))
