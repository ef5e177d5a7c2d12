"""`maskkit bench`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Only
from maskkit.options.fields import Between
from maskkit.options.train_options import TrainOptions

MEASURED = ("model", "size", "augment", "batch_size", "device", "precision")


@command(loads="torch")
def bench(
    *,
    manifest: common_options.ManifestIn = OMITTED,
    seconds: Annotated[float, "How long each measurement takes.", Between(0.01)] = 2.0,
    photos: common_options.CachedPhotoOptions,
    shown: Annotated[common_options.ReportOptions, Only("json")],
    training: Annotated[TrainOptions, Only(*MEASURED)],
) -> None:
    """Measure how fast photos are decoded, varied, loaded and learnt from, and say what limits training.

    Ends with the options to give to `maskkit train` on this machine.

    Example: maskkit bench folds.parquet --model resnet18 --size 224
    """
    from maskkit.reporting.stage_reports import speeds_report
    from maskkit.stages.bench import bench as stage

    found = stage(photos.located(manifest), options=training, seconds=seconds)
    shown.show(speeds_report(found.to_json(), found.options))
