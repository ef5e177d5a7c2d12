"""`maskkit train`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from maskkit.cli.shell import common_options, startup, terminal
from maskkit.cli.shell.streams import STREAM, print_line, refuse, source
from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.training.epochs import Epoch

FOLD = "{fold}"


@common_options.taking(TrainOptions, argument="training")
def train(
    context: typer.Context,
    training: TrainOptions,
    manifest: common_options.ManifestIn = None,
    output: Annotated[
        Optional[str],
        typer.Option("-o", "--output", help="Checkpoint to write; `{fold}` stands for the fold.",
                     show_default=False, rich_help_panel=common_options.SHELL_PANEL),
    ] = None,
    fold: Annotated[str, typer.Option(help="The fold to hold out, or `all` for each in turn.")] = "0",
    root: common_options.Root = None,
    resume: common_options.Resume = False,
    allow_leak: common_options.AllowLeak = False,
    preview: Annotated[
        Optional[Path],
        typer.Option(help="Write a PNG of the first photos as the network will see them, and stop.",
                     show_default=False, rich_help_panel=common_options.SHELL_PANEL),
    ] = None,
    track: Annotated[
        Optional[str],
        typer.Option(help="Also tell tensorboard:FOLDER, wandb:PROJECT or mlflow:URI; with `,mistakes=16` "
                     "also photos of the worst mistakes, which otherwise never leave.",
                     show_default=False, rich_help_panel=common_options.SHELL_PANEL),
    ] = None,
    cache: common_options.CacheFolder = None,
    cache_size: common_options.CacheSize = common_options.CACHE_SIZE,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Train a model on all folds but one, and keep the weights that score best on that one.

    Best is the highest macro-F1 over all of the held-out photos. Beside the checkpoint, a history.csv
    grows by a row per epoch.

    A <choice> is a name, with settings after a colon: `--loss focal:gamma=3`. Losses, heads and
    augmentations can be several: `--loss ce+f1`.

    Example: maskkit train folds.parquet --fold 0 -o run/fold0.safetensors --weights package
    """
    if preview is None:
        _check_words(output, fold)
    kept = common_options.chosen_cache(cache, cache_size)
    startup.use_well()
    from maskkit.artifacts.manifest import Manifest

    given = Manifest.read(source(manifest, what="manifest")).located(root=root, cache=kept)
    given.need("fold")
    numbers = sorted({int(number) for number in given.folds if number >= 0}) if fold == "all" else [int(fold)]
    common: dict[str, Any] = {"options": training, "allow_leak": allow_leak}
    inputs = [manifest, training.weights, training.unlabeled]
    if preview is not None:
        refuse(preview, force=force, inputs=inputs)
        common_options.stop_if_dry(context, dry_run)
        _draw(given, preview, fold=numbers[0], common=common)
        return
    outputs = {number: Path(str(output).replace(FOLD, str(number))) for number in numbers}
    for path in outputs.values():  # all of them now, not one after each fold's hours
        refuse(path, force=force or resume, inputs=inputs)
    common_options.stop_if_dry(context, dry_run)
    _train(given, outputs, tracker=track, common={**common, "resume": resume, "force": force})


def _train(
    manifest: Manifest, outputs: dict[int, Path], *, tracker: str | None, common: dict[str, Any]
) -> None:
    from maskkit.stages.train import refuse_leaks
    from maskkit.stages.train import train as stage
    from maskkit.tracking.tracker import open_tracker
    from maskkit.training.fold_rows import refuse_foreign

    refuse_foreign(manifest, outputs, allow_leak=common["allow_leak"])  # not after the first fold's hours
    open_tracker(tracker)  # what is wrong with it is found out before the first fold
    if len(outputs) > 1 and not common["allow_leak"]:
        refuse_leaks(manifest, list(outputs), options=common["options"])
    for number, path in outputs.items():
        tell = partial(_tell, fold=number, epochs=common["options"].epochs)
        stage(manifest, path, fold=number, tracker=open_tracker(tracker), on_epoch=tell, **common)
        print_line(str(path))


def _draw(manifest: Manifest, path: Path, *, fold: int, common: dict[str, Any]) -> None:
    from maskkit.artifacts.files import write_whole
    from maskkit.stages.preview import preview as stage

    write_whole(path, stage(manifest, fold=fold, **common))
    print_line(str(path))


def _check_words(output: str | None, fold: str) -> None:
    if output is None or output == STREAM:
        raise typer.BadParameter("give a file: a checkpoint is too large for a pipe", param_hint="-o")
    if not output.endswith(".safetensors"):
        raise typer.BadParameter(f"{output!r} does not end in .safetensors", param_hint="-o")
    if fold != "all" and not fold.isdecimal():
        raise typer.BadParameter(f"{fold!r} is not a fold's number or `all`", param_hint="--fold")
    if fold == "all" and FOLD not in output:
        raise MaskkitError(
            f"{output} is one file for several folds",
            why="each fold has its own checkpoint",
            fix=f"use -o 'run/fold{FOLD}.safetensors'",
        )


def _tell(epoch: Epoch, *, fold: int, epochs: int) -> None:
    parts = [
        f"fold {fold}",
        f"epoch {epoch.epoch}/{epochs}",
        f"train loss {epoch.train_loss:.3f}{_of_parts(epoch)}",
        *_of_unlabeled(epoch),
        f"held-out loss {epoch.held_out_loss:.3f}",
        f"macro-F1 {epoch.scores['macro_f1']:.4f}{' best' if epoch.is_best else ''}",
        ", ".join(
            f"{name.removesuffix('_accuracy')} {value:.3f}"
            for name, value in epoch.scores.items()
            if name.endswith("_accuracy")
        ),
        f"{epoch.images_per_second:.0f} images/s",
        f"{_minutes(epoch.seconds * (epochs - epoch.epoch))} left",
    ]
    terminal.note("  ".join(parts))


def _of_parts(epoch: Epoch) -> str:
    """Tell what each head adds to the loss, so that an auxiliary one is seen beside the others."""
    parts = ", ".join(f"{name} {value:.3f}" for name, value in epoch.parts.items())
    return f" ({parts})" if parts else ""


def _of_unlabeled(epoch: Epoch) -> list[str]:
    share = epoch.confident_share
    return [] if share is None else [f"unlabelled {100 * share:.0f} % confident"]


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"
