"""`maskkit bench`."""

from __future__ import annotations

from typing import Annotated

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import OMITTED, Only
from maskkit.cli.shell.streams import print_json, print_tsv, stdout_is_terminal
from maskkit.cli.tables import speed_table
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
    from maskkit.stages.bench import bench as stage

    found = stage(photos.located(manifest), options=training, seconds=seconds)
    if shown.json:
        print_json(found.to_json())
    elif stdout_is_terminal():
        terminal.show(speed_table(found))
    else:
        rows = [(one.part, one.setting, f"{one.photos_per_second:.1f}") for one in found.speeds]
        print_tsv(("part", "setting", "photos_per_second"), rows)
    terminal.note(f"{found.limit}\nuse: {found.options}")
