"""`maskkit bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from maskkit.cli.shell import common_options, startup, terminal
from maskkit.cli.shell.streams import print_json, print_tsv, source, stdout_is_terminal
from maskkit.cli.tables import speed_table
from maskkit.options.train_options import TrainOptions

MEASURED = ("model", "size", "augment", "batch_size", "device", "precision")


@common_options.taking(TrainOptions, argument="training", only=MEASURED)
def bench(
    context: typer.Context,
    training: TrainOptions,
    manifest: common_options.ManifestIn = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="How long each measurement takes.")] = 2.0,
    root: common_options.Root = None,
    cache: common_options.CacheFolder = None,
    cache_size: common_options.CacheSize = common_options.CACHE_SIZE,
    json: common_options.Json = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:
    """Measure how fast photos are decoded, varied, loaded and learnt from, and say what limits training.

    Ends with the options to give to `maskkit train` on this machine.

    Example: maskkit bench folds.parquet --model resnet18 --size 224
    """
    kept = common_options.chosen_cache(cache, cache_size)
    startup.use_well()
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.bench import bench as stage

    given = Manifest.read(source(manifest, what="manifest")).located(root=root, cache=kept)
    common_options.stop_if_dry(context, dry_run)
    found = stage(given, options=training, seconds=seconds)
    if json:
        print_json(found.to_json())
    elif stdout_is_terminal():
        terminal.show(speed_table(found))
    else:
        rows = [(one.part, one.setting, f"{one.photos_per_second:.1f}") for one in found.speeds]
        print_tsv(("part", "setting", "photos_per_second"), rows)
    terminal.note(f"{found.limit}\nuse: {found.options}")
