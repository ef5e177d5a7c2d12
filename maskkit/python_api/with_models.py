"""What trains models and predicts with them: train, predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, overload

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.options.train_options import (
    PHOTO_SUFFIXES,
    Blend,
    Device,
    Inference,
    Precision,
    Runtime,
    TrainOptions,
)
from maskkit.python_api.opening import located, opened, optional
from maskkit.python_api.refusing import refuse
from maskkit.storage.address import PathOrAddress, place_of

if TYPE_CHECKING:
    from maskkit.training.epochs import Epoch

FOLD = "{fold}"


class TrainSettings(TypedDict, total=False):
    """The options of training by name, as `TrainOptions` declares them, for type checkers and editors."""

    model: str
    weights: str
    head: str
    freeze: str
    size: str
    normalize: str | None
    augment: str
    augment_rare: str | None
    mix: str
    sampler: str
    undersample: str | None
    oversample: str | None
    loss: str
    class_weights: str
    unlabeled: str | None
    consistency: str
    teacher: str | None
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    schedule: str
    average: str
    seed: int
    device: Device
    precision: Precision
    compile: bool
    workers: int


@overload
def train(
    manifest: Manifest | Path | str,
    output: Path | str,
    *,
    fold: Literal["all"],
    resume: bool = False,
    force: bool = False,
    allow_leak: bool = False,
    root: str | None = None,
    cache: str | None = None,
    cache_size: str = "20GB",
    on_epoch: Callable[[int | None, Epoch], None] | None = None,
    **options: Unpack[TrainSettings],
) -> list[Checkpoint]: ...
@overload
def train(
    manifest: Manifest | Path | str,
    output: Path | str,
    *,
    fold: int | Literal["none"] = 0,
    resume: bool = False,
    force: bool = False,
    allow_leak: bool = False,
    root: str | None = None,
    cache: str | None = None,
    cache_size: str = "20GB",
    on_epoch: Callable[[int | None, Epoch], None] | None = None,
    **options: Unpack[TrainSettings],
) -> Checkpoint: ...
def train(
    manifest: Manifest | Path | str,
    output: Path | str,
    *,
    fold: int | Literal["all", "none"] = 0,
    resume: bool = False,
    force: bool = False,
    allow_leak: bool = False,
    root: str | None = None,
    cache: str | None = None,
    cache_size: str = "20GB",
    on_epoch: Callable[[int | None, Epoch], None] | None = None,
    **options: Unpack[TrainSettings],
) -> Checkpoint | list[Checkpoint]:
    """Train a model on all folds but one, and score it on that one, as `maskkit train`.

    The weights of the last epoch are kept. Beside the file, a history.csv grows by a row per epoch, and what
    is needed to go on with `resume` is kept until all is done.

    Args:
        manifest: With folds.
        output: The checkpoint to write, `.safetensors`; for all folds a name with `{fold}` in it.
        fold: The fold to hold out, `all` for each in turn, or `none` to train on everybody.
        resume: Go on from an interrupted run, if there is one.
        force: Replace what exists.
        allow_leak: Go on although people are on both sides.
        root: Where the photos are, if not where `label` found them.
        cache: Where decoded photos are kept, if not in the platform's folder for caches.
        cache_size: What that may take of the disk; `"0"` for no cache.
        on_epoch: Called after each epoch with the fold and what the epoch came to.
        **options: Every other option of `maskkit train`, such as `epochs=2, model="resnet18"`.

    Returns:
        The checkpoint, or one per fold.

    Raises:
        MaskkitError: Anything that can be found out before the first step, or a loss that is not finite.
        RefusedError: People are on both sides of a fold.
    """
    refuse("train", {**options, "output": str(output), "fold": str(fold)})
    from maskkit.artifacts.publishing import refuse_existing
    from maskkit.modeling.starting_head import settle_head
    from maskkit.stages.train import train as stage
    from maskkit.training.fold_rows import rows_of_folds
    from maskkit.training.place import Place

    given = located(manifest, root, cache, cache_size)
    given.need("fold")
    folds: list[int | None] = (
        [None if fold == "none" else int(fold)] if fold != "all" else [*given.fold_numbers]
    )
    paths = [place_of(str(output).replace(FOLD, "none" if one is None else str(one))) for one in folds]
    for path in paths:  # before the hours of the first
        refuse_existing(path, force=force or resume)
        Place(path, resume=resume, force=force).refuse_leftovers()
    training = settle_head(TrainOptions(**options))
    rows = rows_of_folds(given, folds, training, allow_leak=allow_leak)
    models = [
        Checkpoint.read(
            str(stage(
                one, path, options=training, resume=resume, force=force,
                on_epoch=None if on_epoch is None else partial(on_epoch, one.fold),
            ))
        )
        for one, path in zip(rows, paths, strict=True)
    ]  # fmt: skip
    return models if fold == "all" else models[0]


def predict(
    manifest: Manifest | Path | str | Sequence[Path | str],
    checkpoints: Checkpoint | Path | str | Sequence[Checkpoint | Path | str],
    *,
    oof: bool = False,
    tta: str = "none",
    blend: Blend = "mean",
    calibrate: Predictions | Path | str | None = None,
    on: Manifest | Path | str | None = None,
    sets: float | None = None,
    sets_per: str | None = None,
    abstain: int | None = None,
    decide: Decision | Path | str | None = None,
    consensus: Literal["person"] | None = None,
    allow_leak: bool = False,
    root: str | None = None,
    cache: str | None = None,
    cache_size: str = "20GB",
    device: Device = "auto",
    batch_size: int = 32,
    workers: int = 2,
    runtime: Runtime = "auto",
    precision: Precision = "auto",
) -> Predictions:
    """Predict each photo's class with one model or the average of several, as `maskkit predict`.

    A photo that cannot be read raises; the command leaves it out and says so.

    Args:
        manifest: The photos, a folder of them, a photo, or several; they need no label.
        checkpoints: One model, or several to average.
        oof: Out-of-fold: each photo by the models that have not seen its person.
        tta: Views of each photo to average beside itself, such as `"hflip"`.
        blend: Mean of the views' and models' probabilities.
        calibrate: Out-of-fold predictions, on which a temperature is fitted.
        on: The truth of `calibrate`, if it is not the manifest.
        sets: Sets of classes that hold the truth of this share of the photos of new people.
        sets_per: What keeps the promise of `sets` by itself: `class`, or a factor.
        abstain: Leave out photos whose set has more classes.
        decide: A decision from `maskkit evaluate --tune`.
        consensus: Let the photos of each person agree on what they share.
        allow_leak: Predict people that models were trained on.
        root: Where the photos are, if not where `label` found them.
        cache: Where decoded photos are kept.
        cache_size: What that may take of the disk; `"0"` for no cache.
        device: Where to compute.
        batch_size: Photos per step.
        workers: Threads that prepare photos.
        runtime: What computes the models.
        precision: bfloat16 where the processor has it, or float32.

    Raises:
        MaskkitError: Label spaces differ, or photos are not found or cannot be decoded.
        RefusedError: Models have seen people whom they would predict.
    """
    refuse("predict", locals())
    from maskkit.artifacts.answer_sets import Promise
    from maskkit.predicting.adjustments import Afterwards
    from maskkit.sources.photos_to_predict import photos_to_predict
    from maskkit.stages.predict import predict as stage

    several = [checkpoints] if isinstance(checkpoints, Checkpoint | Path | str) else checkpoints
    models = [opened(Checkpoint, one) for one in several]
    given, inputs = photos_to_predict(_manifest_or_photos(manifest), models, faults=None)
    if inputs and root is not None:
        raise MaskkitError("photos are where they are named", why=f"root is {root}", fix="leave root out")
    afterwards = Afterwards(
        consensus=consensus,
        calibrate=optional(Predictions, calibrate),
        on=optional(Manifest, on),
        decide=optional(Decision, decide),
        promise=None if sets is None else Promise(sets, sets_per),
        abstain=abstain,
    )
    inference = Inference(device, batch_size, workers, runtime, precision, tta, blend)
    return stage(
        located(given, root, cache, cache_size), models, photos=inputs, oof=oof, inference=inference,
        afterwards=afterwards, allow_leak=allow_leak,
    )  # fmt: skip


def _manifest_or_photos(
    given: Manifest | Path | str | Sequence[Path | str],
) -> Manifest | list[PathOrAddress]:
    """Return a manifest, read if it is named, or else what is named: a folder, a photo or several."""
    if isinstance(given, Manifest):
        return given
    if not isinstance(given, Path | str):
        if not given:
            raise MaskkitError("no photo is given", why="the list is empty", fix="give photos, or a manifest")
        return [place_of(one) for one in given]
    place = place_of(given)
    return [place] if place.is_dir() or place.name.lower().endswith(PHOTO_SUFFIXES) else Manifest.read(given)
