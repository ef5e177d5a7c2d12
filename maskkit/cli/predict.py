"""`maskkit predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import Argument, Checkpoint, Excludes, Manifest, Needs, Predictions, Reading
from maskkit.cli.shell.resume_option import kept_beside, refuse_without_file
from maskkit.cli.shell.streams import OutputTarget, stdout_is_for_people
from maskkit.errors import MaskkitError, examples
from maskkit.options.fields import Between
from maskkit.options.ray_address import RayAddress
from maskkit.options.shard import Shard
from maskkit.options.train_options import INFERENCE_PANEL, Inference
from maskkit.processes.launched import launch
from maskkit.storage.address import Address, PathOrAddress

if TYPE_CHECKING:
    from maskkit.artifacts.predictions import Form
    from maskkit.artifacts.predictions import Predictions as Made
    from maskkit.labels import LabelSpace

NAMED = 20  # how many bad photos are named


def _check_resume(resume: bool, output: str | None) -> None:
    refuse_without_file(resume, output)


def _check_shard(shard: str | None, output: str | None, form: str | None) -> None:
    is_csv = form == "csv" or (form is None and output is not None and output.endswith(".csv"))
    if shard is not None and is_csv:
        raise typer.BadParameter(
            "a part is Parquet, which says where its rows belong: -o FILE.parquet", param_hint="--shard"
        )


def _check_engine(engine: str | None) -> None:
    if engine is not None and launch().world > 1:
        raise typer.BadParameter(
            "Ray divides the work by itself: start it without torchrun", param_hint="--engine"
        )


@command(loads="torch", is_helped=True, check=(_check_resume, _check_shard, _check_engine))
def predict(
    *,
    manifest: Annotated[
        Manifest | Path,
        "A manifest of the photos to predict, a folder of them, or a photo, and others behind it; `-` reads "
        "standard input.",
        Argument(),
        Reading(photos=True),
    ],
    checkpoints: Annotated[
        list[Checkpoint | Path],
        "Models to average, from `maskkit train`.",
        Argument("CHECKPOINT"),
        Reading(folders=False, photos=True),
    ],
    output: common_options.OptionalOutput = None,
    oof: Annotated[
        bool, "Out-of-fold: each photo by models that have not seen its person.", INFERENCE_PANEL
    ] = False,
    inference: Inference,
    calibrate: Annotated[
        Predictions | None,
        "Out-of-fold predictions, on which a temperature is fitted that makes probabilities honest and "
        "changes no prediction.",
        Excludes("decide", why="a decision has a temperature of its own"),
    ] = None,
    on: Annotated[
        Manifest | None,
        "The manifest with the truth of --calibrate, if it is not MANIFEST.",
        Needs("calibrate", "it is the truth of --calibrate, which is not given"),
    ] = None,
    sets: Annotated[
        float | None,
        common_options.SETS,
        Between(0, 1),
        Needs("calibrate", "sets are calibrated on out-of-fold predictions"),
        Excludes("consensus", why="sets are calibrated on photos that come alone"),
    ] = None,
    sets_per: common_options.SetsPer = None,
    abstain: Annotated[
        int | None,
        "Leave out photos whose set has more classes.",
        Between(1),
        Needs("sets", "large sets are what it goes by"),
    ] = None,
    decide: common_options.Decide = None,
    consensus: common_options.Consensus = None,
    form: common_options.WrittenAs = None,
    submission: common_options.Submission = False,
    top: Annotated[
        int | None, "Show so many classes per photo in the table on a terminal.", Between(1)
    ] = None,
    photos: common_options.CachedPhotoOptions,
    allow_leak: common_options.AllowLeak = False,
    shard: Annotated[
        common_options.Shard,
        Excludes("consensus", why="photos of a person may be in several shards"),
        Excludes("abstain", why="what share is left out is known of all photos together"),
        Excludes("submission", why="a part is Parquet, which says where its rows belong"),
    ] = None,
    engine: common_options.Engine = None,
    resume: common_options.Resume = False,
    force: common_options.Force = False,
) -> None:
    """Predict each photo's class with one model or the average of several.

    Writes Parquet, or CSV if -o ends in .csv or by --format; each has the answer and its confidence beside
    the probabilities. Without -o, a terminal or its pager shows a table. Photos are prepared
    as each model's training did it: there is no option to do otherwise. In bfloat16 a photo whose two
    best classes are close is computed again in float32, so that hardly a prediction differs; its
    probabilities come within 0.15, those of --precision float32 within 0.00001.

    Photos that cannot be read are left out, listed at the end, and make the exit code 1. Finished rows
    are kept in FILE.resume, so that --resume goes on after an interruption, or once photos are mended.

    A folder of new photos: maskkit predict new/ run/fold*.safetensors --top 3

    Two GPUs, which divide the photos: torchrun --nproc-per-node 2 -m maskkit predict test.parquet
    run/fold*.safetensors -o predictions.parquet

    One photo, or several: maskkit predict photo.jpg run/fold*.safetensors

    Sets, and silence where they are large: maskkit predict test.parquet run/fold*.safetensors --calibrate
    oof.parquet --on folds.parquet --sets 0.9 --sets-per age --abstain 3 -o sets.parquet

    Example: maskkit predict folds.parquet run/fold*.safetensors --oof --tta hflip -o oof.parquet
    """
    from maskkit.artifacts.answer_sets import Promise
    from maskkit.engines.engine import working_on
    from maskkit.predicting.adjustments import Afterwards
    from maskkit.sources.photos_to_predict import photos_to_predict
    from maskkit.stages.predict import predict as stage

    given, models = _divided(manifest, checkpoints, photos.root)
    faults: dict[str, str] = {}
    to_predict, inputs = photos_to_predict(given, models, faults=faults)
    to_predict = photos.located(to_predict)
    where = working_on(RayAddress.read_if_given(engine))
    with where, kept_beside(output, resume=resume, force=force) as left:
        predictions = stage(
            to_predict, models, photos=inputs, oof=oof, inference=inference, allow_leak=allow_leak,
            faults=faults, shard=Shard.read_if_given(shard),
            afterwards=Afterwards(
                consensus=consensus, calibrate=calibrate, on=on, decide=decide, abstain=abstain,
                promise=None if sets is None else Promise(sets, sets_per),
            ),
            resumable=left,
        )  # fmt: skip
        shown = _Shown(predictions, to_predict.space, top)
        if output is None and not submission and form is None and stdout_is_for_people():
            shown.as_table()
        else:
            to = output or OutputTarget(None)
            to.write(predictions.encode(_form(output, form, submission=submission)))
            if isinstance(given, list) and to.path is not None:
                shown.beside(to.path)
        shown.count(len(models), inference.tta)
        if faults:
            total = len(predictions) + predictions.left_out + len(faults)
            raise _unread(faults, total, goes_on=left.path is not None)


@dataclass(frozen=True)
class _Shown:
    """What people see of predictions."""

    predictions: Made
    space: LabelSpace
    top: int | None  # classes per photo

    def as_table(self) -> None:
        """Show them on standard output."""
        from maskkit.cli.shell.show_report import show_tables
        from maskkit.reporting.stage_reports import predictions_report

        show_tables(predictions_report(self.predictions, self.space, top=self.top))

    def beside(self, path: PathOrAddress) -> None:
        """Show the first of them beside the file that has all."""
        from maskkit.cli.shell.show_report import note_report
        from maskkit.reporting.stage_reports import predictions_report

        rest = f"all are in {path}"
        note_report(predictions_report(self.predictions, self.space, top=self.top, rest=rest))

    def count(self, models: int, tta: str) -> None:
        """Say how many there are, and how many were left out."""
        photos, left_out = len(self.predictions), self.predictions.left_out
        by = "1 model" if models == 1 else f"{models} models"
        views = "" if tta == "none" else f", {tta}"
        terminal.note(f"{photos} {'photo' if photos == 1 else 'photos'} by {by}{views}")
        if left_out:
            total = photos + left_out
            terminal.note(f"{left_out} of {total} photos ({left_out / total:.1%}) are left out: large sets")


def _divided(
    manifest: Manifest | PathOrAddress, checkpoints: Sequence[Checkpoint | PathOrAddress], root: str | None
) -> tuple[Manifest | list[PathOrAddress], list[Checkpoint]]:
    """Return what is predicted, and the models: photos that stand behind the first are no models."""
    models = [one for one in checkpoints if not isinstance(one, Path | Address)]
    more = [one for one in checkpoints if isinstance(one, Path | Address)]
    if not isinstance(manifest, Path | Address):
        if more:
            raise typer.BadParameter(f"{more[0]} is a photo, behind a manifest", param_hint="CHECKPOINT")
        return manifest, models
    if more and manifest.is_dir():
        raise typer.BadParameter(f"{more[0]} is a photo, behind a folder", param_hint="CHECKPOINT")
    if not models:
        raise typer.BadParameter("give a model behind the photos", param_hint="CHECKPOINT")
    if root is not None and not manifest.is_dir():
        raise typer.BadParameter("photos are where they are named", param_hint="--root")
    return [manifest, *more], models


def _form(output: OutputTarget | None, chosen: Literal["csv", "parquet"] | None, *, submission: bool) -> Form:
    if submission or chosen is not None:
        return "submission" if submission else chosen or "parquet"
    return "csv" if output is not None and str(output.path).endswith(".csv") else "parquet"


def _unread(faults: dict[str, str], total: int, *, goes_on: bool) -> MaskkitError:
    again = "; with --resume, those that are mended are added" if goes_on else ""
    return MaskkitError(
        f"{len(faults)} of {total} photos could not be read, and are left out",
        why=examples((f"{path} ({why})" for path, why in faults.items()), most=NAMED),
        fix=f"repair or remove them{again}",
    )
