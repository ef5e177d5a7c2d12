"""`maskkit predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Optional

import typer

from maskkit.cli.prediction_tables import prediction_table
from maskkit.cli.shell import common_options, startup, terminal
from maskkit.cli.shell.streams import STREAM, OutputTarget, source, stdout_is_terminal, target
from maskkit.errors import MaskkitError, examples
from maskkit.options.train_options import MACHINE_PANEL, Blend, Device, Precision, Runtime
from maskkit.options.values import parse_tta

if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Form, Predictions
    from maskkit.predicting.adjustments import Afterwards

ASKING_PANEL = "How models are asked"
NAMED = 20  # how many bad photos are named


def predict(
    context: typer.Context,
    manifest: Annotated[
        str,
        typer.Argument(
            metavar="MANIFEST", help="Photos to predict, or a folder of them; `-` reads standard input."
        ),
    ],
    checkpoints: Annotated[
        list[str], typer.Argument(metavar="CHECKPOINT", help="Models to average, from `maskkit train`.")
    ],
    output: common_options.Output = None,
    oof: Annotated[
        bool,
        typer.Option("--oof", help="Out-of-fold: each photo by models that have not seen its person.",
                     rich_help_panel=ASKING_PANEL),
    ] = False,
    tta: Annotated[
        str,
        typer.Option(help="Views of each photo to average beside itself: `none`, or a list of `hflip`, "
                     "`scale:FACTOR` and `shift` or `shift:SHARE`, which is four; hflip doubles them all.",
                     callback=common_options.refusing(parse_tta), rich_help_panel=ASKING_PANEL),
    ] = "none",
    blend: Annotated[
        Blend,
        typer.Option(help="Mean of the views' and models' probabilities: arithmetic, geometric, or of their "
                     "log-odds.", rich_help_panel=ASKING_PANEL),
    ] = "mean",
    calibrate: Annotated[
        Optional[str],
        typer.Option(help="Out-of-fold predictions, on which a temperature is fitted that makes "
                     "probabilities honest and changes no answer.", show_default=False),
    ] = None,
    on: Annotated[
        Optional[str],
        typer.Option(help="The manifest with the truth of --calibrate, if it is not MANIFEST.",
                     show_default=False),
    ] = None,
    decide: common_options.Decide = None,
    consensus: common_options.Consensus = None,
    submission: Annotated[
        bool,
        typer.Option("--submission", help="Write the competition's ImageID,ans."),
    ] = False,
    top: Annotated[
        Optional[int],
        typer.Option(min=1, help="Show so many classes per photo in the table on a terminal.",
                     show_default=False),
    ] = None,
    root: common_options.Root = None,
    device: Annotated[Device, typer.Option(help="Where to compute.", rich_help_panel=MACHINE_PANEL)] = "auto",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Photos per step.", rich_help_panel=MACHINE_PANEL)
    ] = 64,
    workers: Annotated[
        int,
        typer.Option(min=0, help="Threads that prepare photos; 0 prepares them between the steps.",
                     rich_help_panel=MACHINE_PANEL),
    ] = 2,
    runtime: Annotated[
        Runtime,
        typer.Option(help="What computes the models; `auto` is OpenVINO on a CPU, if installed.",
                     rich_help_panel=MACHINE_PANEL),
    ] = "auto",
    precision: Annotated[
        Precision,
        typer.Option(help="bfloat16 where the processor has it, or float32.", rich_help_panel=MACHINE_PANEL),
    ] = "auto",
    allow_leak: common_options.AllowLeak = False,
    cache: common_options.CacheFolder = None,
    cache_size: common_options.CacheSize = common_options.CACHE_SIZE,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Predict each photo's class with one model or the average of several.

    Writes Parquet, or CSV if -o ends in .csv; without -o, a terminal shows a table. Photos are prepared
    as each model's training did it: there is no option to do otherwise. In bfloat16 a photo whose two
    best classes are close is computed again in float32, so that hardly an answer differs; its
    probabilities come within 0.15, those of --precision float32 within 0.00001.

    Photos that cannot be read are left out, listed at the end, and make the exit code 1. Finished rows
    are kept in FILE.resume, so that --resume goes on after an interruption, or once photos are mended.

    A folder of new photos: maskkit predict new/ run/fold*.safetensors --top 3

    Example: maskkit predict folds.parquet run/fold*.safetensors --oof --tta hflip -o oof.parquet
    """
    _check_words(manifest, output, calibrate=calibrate, on=on, decide=decide, resume=resume)
    kept = common_options.chosen_cache(cache, cache_size)
    startup.use_well()
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.predicting.inference import Inference
    from maskkit.stages.predict import predict as stage

    form = _form(output, submission=submission)
    progress_file = None if output in (None, STREAM) else Path(f"{output}.resume")
    goes_on = resume and not force and progress_file is not None and progress_file.exists()
    to = None
    if output is not None or submission or not stdout_is_terminal():
        inputs = [manifest, *checkpoints, calibrate, on, decide]
        to = target(output, force=force or goes_on, inputs=inputs, is_text=form != "parquet")
    models = [Checkpoint.read(name) for name in checkpoints]
    given = _photos(manifest, models).located(root=root, cache=kept)
    afterwards = _afterwards(consensus, calibrate, on, decide)
    _refuse_to_lose(progress_file, resume=resume, force=force)
    common_options.stop_if_dry(context, dry_run)
    if progress_file is not None and force:
        progress_file.unlink(missing_ok=True)
    faults: dict[str, str] = {}
    predictions = stage(
        given,
        models,
        oof=oof,
        inference=Inference(device, batch_size, workers, runtime, precision, tta, blend),
        afterwards=afterwards,
        allow_leak=allow_leak,
        progress_file=progress_file,
        faults=faults,
    )
    if to is not None:
        to.write(predictions.encode(form))
    _show(predictions, given, to, top=top)
    views = "" if tta == "none" else f", {tta}"
    terminal.note(
        f"{len(predictions)} photos by {len(models)} {'model' if len(models) == 1 else 'models'}{views}"
    )
    if faults:
        raise _unread(faults, len(predictions) + len(faults), progress_file)
    if progress_file is not None:
        progress_file.unlink(missing_ok=True)


def _check_words(
    manifest: str,
    output: str | None,
    *,
    calibrate: str | None,
    on: str | None,
    decide: str | None,
    resume: bool,
) -> None:
    if calibrate is not None and decide is not None:
        raise typer.BadParameter("a decision has a temperature of its own", param_hint="--calibrate")
    if on is not None and calibrate is None:
        raise typer.BadParameter("it is the truth of --calibrate, which is not given", param_hint="--on")
    if resume and output in (None, STREAM):
        raise typer.BadParameter(
            "finished rows are kept beside a file: give one with -o", param_hint="--resume"
        )
    if [manifest, calibrate, on, decide].count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="MANIFEST")


def _form(output: str | None, *, submission: bool) -> Form:
    if submission:
        return "submission"
    return "csv" if output is not None and output.endswith(".csv") else "parquet"


def _photos(name: str, models: list[Checkpoint]) -> Manifest:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.stages.predict import folder_of_photos

    if name != STREAM and Path(name).is_dir():
        return folder_of_photos(Path(name), models)
    return Manifest.read(source(name, what="manifest"))


def _afterwards(
    consensus: Literal["person"] | None, calibrate: str | None, on: str | None, decide: str | None
) -> Afterwards:
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.predicting.adjustments import Afterwards

    return Afterwards(
        consensus=consensus,
        calibrate=None if calibrate is None else Predictions.read(source(calibrate, what="predictions")),
        on=None if on is None else Manifest.read(source(on, what="manifest")),
        decide=None if decide is None else Decision.read(source(decide, what="decision")),
    )


def _refuse_to_lose(progress_file: Path | None, *, resume: bool, force: bool) -> None:
    if progress_file is not None and progress_file.exists() and not (resume or force):
        raise MaskkitError(
            f"{progress_file} holds an interrupted prediction",
            why="starting anew would throw it away",
            fix="use --resume to go on from it, or --force to start anew",
        )


def _show(predictions: Predictions, manifest: Manifest, to: OutputTarget | None, *, top: int | None) -> None:
    """Show a table to whoever looks at standard output, or asked about a folder and gets a file."""
    if to is not None and to.path is None:
        return
    if to is None:
        terminal.show(prediction_table(predictions, manifest.space, top=top))
    elif Path(manifest.name).is_dir():
        terminal.note(prediction_table(predictions, manifest.space, top=top, rest=f"all are in {to.path}"))


def _unread(faults: dict[str, str], total: int, progress_file: Path | None) -> MaskkitError:
    again = "" if progress_file is None else "; with --resume, those that are mended are added"
    return MaskkitError(
        f"{len(faults)} of {total} photos could not be read, and are left out",
        why=examples((f"{path} ({why})" for path, why in faults.items()), most=NAMED),
        fix=f"repair or remove them{again}",
    )
