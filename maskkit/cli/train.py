"""`maskkit train`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.budgeting import TimeBudget
from maskkit.cli.shell.command import Checks, command
from maskkit.cli.shell.like_option import read_like
from maskkit.cli.shell.parameters import (
    OMITTED,
    SHELL_PANEL,
    Callback,
    Checkpoint,
    Excludes,
    Flags,
    Manifest,
    Reading,
    Required,
    refusing,
)
from maskkit.cli.shell.resuming import resumable
from maskkit.cli.shell.streams import STREAM, OutputTarget, print_line
from maskkit.cli.shell.weights_option import list_weights, settled_of
from maskkit.errors import MaskkitError
from maskkit.options.choices import Choice, given_in, parse
from maskkit.options.fields import Metavar, Refusing
from maskkit.options.techniques import NO_FOLD
from maskkit.options.train_options import TrainOptions
from maskkit.options.values import as_clock, parse_duration
from maskkit.processes.launched import launch
from maskkit.progress import comes_later
from maskkit.storage.address import place_of

if TYPE_CHECKING:
    from maskkit.training.epochs import Epoch
    from maskkit.training.likeness import Likeness

FOLD = "{fold}"
NONE = "none"


def _check_budget(budget: str | None) -> None:
    if budget is not None and launch().world > 1:
        raise MaskkitError(
            "--budget cannot choose for several processes",
            why="what is timed is a step of one process",
            fix="give --size and --epochs",
        )


def _none(text: str) -> Choice:
    """Read the `--fold` that holds nobody out."""
    return parse(text, NO_FOLD, option="--fold")


def _check_fold(fold: str, like: list[str] | None, budget: str | None) -> None:
    is_none = fold.partition(":")[0] == NONE
    if fold != "all" and not fold.isdecimal() and not is_none:
        raise typer.BadParameter(f"{fold!r} is not a fold's number, `all` or `none`", param_hint="--fold")
    if is_none:
        refusing(_none)(fold)
        if given_in(fold) and budget is not None:
            raise typer.BadParameter("--budget chooses how many epochs there are", param_hint="--fold")
    elif like:
        raise typer.BadParameter("a model of everybody is made so: add --fold none", param_hint="--like")


def _check_names(output: str | None, fold: str, preview: str | None) -> None:
    if output is None or preview is not None:
        return
    if output == STREAM:
        raise typer.BadParameter("give a file: a checkpoint is too large for a pipe", param_hint="-o")
    if not output.endswith(".safetensors"):
        raise typer.BadParameter(f"{output!r} does not end in .safetensors", param_hint="-o")
    if fold == "all" and FOLD not in output:
        raise MaskkitError(
            f"{output} is one file for several folds",
            why="each fold has its own checkpoint",
            fix=f"use -o 'run/fold{FOLD}.safetensors'",
        )


@command(
    loads="torch", is_helped=True, check=(_check_fold, _check_names, _check_budget), instead=(list_weights,)
)
def train(
    *,
    manifest: Annotated[Manifest, common_options.MANIFEST, Reading(columns=("fold",))] = OMITTED,
    output: Annotated[
        str | None,
        "Checkpoint to write; `{fold}` stands for the fold.",
        Flags("-o", "--output"),
        Metavar("FILE"),
        SHELL_PANEL,
        Required(unless=("preview",)),
    ] = None,
    fold: Annotated[
        str,
        "The fold to hold out; `all` for each in turn; or `none` to train on everybody, where nobody is left "
        "to score on and the last epoch is taken: that of --epochs, or `none:until=3` of them.",
    ] = "0",
    like: Annotated[
        list[Checkpoint],
        "Models of the folds, which say how --fold none is trained: with their options, which have to agree, "
        "until the median of the epochs that they kept. Options that are given beside it win.",
        Metavar("CHECKPOINT..."),
        Callback(read_like, is_eager=True),
        Excludes("budget", why="both say the size and the number of epochs; give one of them"),
    ] = OMITTED,
    budget: Annotated[
        str | None,
        "Choose size and epochs, unless given, so that all ends in this time: 90s, 5m, 1h30m. A few steps "
        "are timed first. With --fold all it is the time of all folds together, which get the same.",
        Refusing(parse_duration),
        Excludes("preview", why="it shows photos at the size that --budget is still to choose; give --size"),
        Excludes("compile", why="what compiling takes is not known before; give --epochs and --size"),
    ] = None,
    photos: common_options.CachedPhotoOptions,
    resume: common_options.Resume = False,
    allow_leak: common_options.AllowLeak = False,
    preview: Annotated[
        OutputTarget | None,
        "Write a PNG of the first photos as the network will see them, and stop.",
        Metavar("FILE"),
        SHELL_PANEL,
    ] = None,
    track: Annotated[
        str | None,
        "Also tell tensorboard:FOLDER, wandb:PROJECT or mlflow:URI; with `,mistakes=16` also photos of the "
        "worst mistakes, which otherwise never leave.",
        SHELL_PANEL,
    ] = None,
    force: common_options.Force = False,
    training: TrainOptions,
    checks: Checks,
) -> None:
    """Train a model on all folds but one, and score it on that one.

    The weights of the last epoch are kept; `--schedule cosine:keep=best` keeps those of the highest macro-F1
    over all of the held-out photos, which flatters it. Beside the checkpoint, a history.csv grows by a row
    per epoch.

    Ctrl-C, SIGTERM, SIGHUP and SIGUSR1 let the step end, save what is done, and print the line that goes on.

    A <choice> is a name, with settings after a colon: `--loss focal:gamma=3`. Losses, heads and
    augmentations can be several: `--loss ce+f1`.

    One model of everybody, made as the folds': maskkit train folds.parquet --fold none --like
    run/fold*.safetensors -o all.safetensors

    Two GPUs, which divide each step's photos (docs/scale.md): torchrun --nproc-per-node 2 -m maskkit train
    folds.parquet -o run/fold0.safetensors

    With --budget the options that were chosen are printed and recorded, and no clock: with them in its place
    the same bytes come out, however long that takes.

    Example: maskkit train folds.parquet --fold 0 -o run/fold0.safetensors --budget 5m
    """
    time = TimeBudget(budget)
    from maskkit.modeling.starting_head import settle_head
    from maskkit.stages.preview import preview as draw
    from maskkit.stages.train import train as stage
    from maskkit.tracking.tracker import open_tracker
    from maskkit.training.fold_rows import FoldRows, read_teacher, read_unlabeled, refuse_foreign
    from maskkit.training.place import Place, resume_path

    training = settle_head(training)  # here, so that it is said once and not for each fold
    folds: list[int | None] = [int(fold)] if fold.isdecimal() else [None]
    if fold == "all":
        folds = [*sorted({int(one) for one in manifest.folds if one >= 0})]
    given = photos.located(manifest)
    if preview is not None:
        checks.resolved = lambda: settled_of(training)
        teacher = read_teacher(training.teacher)
        first = FoldRows.of(given, folds[0], teacher=teacher, allow_leak=allow_leak)
        preview.write(draw(first, options=training))
        return
    # What a later fold would be refused for is found out now, not after the hours of the first.
    paths = [place_of(str(output).replace(FOLD, NONE if one is None else str(one))) for one in folds]
    for path in paths:
        checks.refuse_output(path, replaces=resume)
    for path in paths:
        Place(path, resume=resume, force=force).refuse_leftovers()
    refuse_foreign(given, [one for one in folds if one is not None], allow_leak=allow_leak)
    open_tracker(track)
    more, teacher = read_unlabeled(training.unlabeled, given), read_teacher(training.teacher)
    rows = [
        FoldRows.of(given, number, unlabeled=more, teacher=teacher, allow_leak=allow_leak) for number in folds
    ]
    earlier = [Place(path, resume=resume, force=force).earlier for path in paths]
    training = time.planned(training, rows, earlier, checks.explicit)
    begun = next((record.options for record in earlier if record is not None), None)
    planned = {} if budget is None else {"budget": None, **vars(training)}
    checks.resolved = lambda: {**planned, **settled_of(training, begun=begun)}
    likeness = _likeness(fold, like, training)
    epochs = likeness.until or training.epochs
    for done, (one, path) in enumerate(zip(rows, paths, strict=True)):
        with resumable(resume_path(path)):
            stage(
                one, path, options=training, like=likeness, resume=resume, force=force,
                tracker=open_tracker(track),
                on_epoch=partial(
                    _note_epoch, one.fold, epochs, len(rows) - done - 1, partial(time.watch, done)
                ),
            )  # fmt: skip
        print_line(str(path))


def _likeness(fold: str, models: list[Checkpoint], training: TrainOptions) -> Likeness:
    """Return how a training on everybody ends, and say so; nothing of one that holds a fold out."""
    from maskkit.training.likeness import Likeness, chosen_epoch, shared_options, unlike

    if not fold.startswith(NONE):
        return Likeness()
    until = _none(fold).whole("until")
    if models:
        shared = shared_options(models)
        if departs := unlike(training, shared):
            terminal.note(f"unlike those models: {', '.join(departs)}")
        if not given_in(fold) and training.epochs == shared.get("epochs"):
            until = chosen_epoch(models)
            kept = ", ".join(str(epoch) for epoch in sorted(one.epoch for one in models))
            terminal.note(f"the folds kept the epochs {kept}: it ends with epoch {until}")
    return Likeness(until, tuple(models))


def _note_epoch(
    fold: int | None, epochs: int, folds_left: int, watch: Callable[[Epoch], None], epoch: Epoch
) -> None:
    whose = "everybody" if fold is None else f"fold {fold}"
    left = epochs - epoch.epoch + folds_left * epochs  # of the whole command, not of this fold
    comes_later(epoch.seconds * max(0, left - 1))  # behind the next epoch
    terminal.note("  ".join([whose, f"epoch {epoch.epoch}/{epochs}", *_facts(epoch, left)]))
    watch(epoch)


def _facts(epoch: Epoch, epochs_left: int) -> Iterator[str]:
    of_heads = ", ".join(f"{name} {value:.3f}" for name, value in epoch.parts.items())
    yield f"train loss {epoch.train_loss:.3f}{f' ({of_heads})' if of_heads else ''}"
    if epoch.confident_share is not None:
        yield f"unlabelled {100 * epoch.confident_share:.0f} % confident"
    if epoch.held_out_loss is not None:
        yield f"held-out loss {epoch.held_out_loss:.3f}"
        yield f"macro-F1 {epoch.scores['macro_f1']:.4f}{' best' if epoch.is_best else ''}"
        of_factors = {name: value for name, value in epoch.scores.items() if name.endswith("_accuracy")}
        yield ", ".join(f"{name.removesuffix('_accuracy')} {value:.3f}" for name, value in of_factors.items())
    yield f"{epoch.images_per_second:.0f} photos/s"
    yield f"{as_clock(epoch.seconds * epochs_left)} left"
