"""`maskkit predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from maskkit.cli import machine, options, terminal
from maskkit.cli.streams import source, target
from maskkit.config import Device, Precision, Runtime, Tta


def predict(
    context: typer.Context,
    manifest: Annotated[
        str,
        typer.Argument(metavar="MANIFEST", help="Photos to predict; `-` reads standard input."),
    ],
    checkpoints: Annotated[
        list[str], typer.Argument(metavar="CHECKPOINT", help="Models to average, from `maskkit train`.")
    ],
    output: options.Output = None,
    oof: Annotated[
        bool, typer.Option("--oof", help="Out-of-fold: each photo by models that have not seen its person.")
    ] = False,
    tta: Annotated[Tta, typer.Option(help="Views to average: the photo, or its mirror image too.")] = "none",
    submission: Annotated[
        bool, typer.Option("--submission", help="Write the competition's ImageID,ans.")
    ] = False,
    root: options.Root = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Photos per step.")] = 64,
    workers: Annotated[
        int, typer.Option(min=0, help="Threads that prepare photos; 0 prepares them between the steps.")
    ] = 2,
    runtime: Annotated[
        Runtime, typer.Option(help="What computes the models; `auto` is OpenVINO on a CPU, if installed.")
    ] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="bfloat16 where the processor has it, or float32.")
    ] = "auto",
    allow_leak: options.AllowLeak = False,
    cache: options.CacheFolder = None,
    cache_size: options.CacheSize = options.CACHE_SIZE,
    force: options.Force = False,
    recipe: options.Recipe = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Predict each photo's class with one model or the average of several.

    Writes Parquet, or CSV if -o ends in .csv. Photos are prepared as each model's training did it:
    there is no option to do otherwise. In bfloat16 a photo whose two best classes are close is computed
    again in float32, so that hardly an answer differs; its probabilities come within 0.15, those of
    --precision float32 within 0.00001.

    Example: maskkit predict folds.parquet run/fold*.safetensors --oof -o oof.parquet
    """
    kept = options.chosen_cache(cache, cache_size)
    machine.use_well()
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.predict import Machine
    from maskkit.stages.predict import predict as stage

    is_csv = submission or (output is not None and output.endswith(".csv"))
    to = target(output, force=force, inputs=[manifest, *checkpoints], is_text=is_csv)
    given = Manifest.read(source(manifest, what="manifest"))
    models = [Checkpoint.read(name) for name in checkpoints]
    options.stop_if_dry(context, dry_run)
    predictions = stage(
        given,
        models,
        oof=oof,
        tta=tta,
        root=root,
        allow_leak=allow_leak,
        machine=Machine(device, batch_size, workers, runtime, precision),
        cache=kept,
        track=terminal.track,
    )
    to.write(predictions.encode("submission" if submission else "csv" if is_csv else "parquet"))
    views = "" if tta == "none" else f", {tta}"
    terminal.note(
        f"{len(predictions)} photos by {len(models)} {'model' if len(models) == 1 else 'models'}{views}"
    )
