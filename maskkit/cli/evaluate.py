"""`maskkit evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from maskkit.cli.shell import common_options
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import (
    OMITTED,
    SHELL_PANEL,
    Argument,
    Checkpoint,
    Manifest,
    Needs,
    Predictions,
)
from maskkit.cli.shell.streams import SideFile, stdout_is_for_people
from maskkit.errors import RefusedError
from maskkit.options.fields import FILE, Between, Metavar, Refusing

if TYPE_CHECKING:
    from maskkit.reporting.pictured import Pictured
    from maskkit.reporting.plots import Chart


def _parse_by(text: str) -> None:
    from maskkit.scoring.slice_columns import parse_by

    parse_by(text)


def _check_explain(explain: list[str] | None) -> None:
    if explain:
        from maskkit.modeling.explaining import need_grad_cam  # torch, which scores need not

        need_grad_cam()


@command(loads="tables", check=(_check_explain,))
def evaluate(
    *,
    manifest: Annotated[Manifest, "Holds the truth; `-` reads standard input.", Argument()],
    predictions: Annotated[Predictions, "From predict or ensemble, or any submission.", Argument()],
    by: Annotated[
        list[str],
        "Also score slices: by a column or a factor (gender), columns that are crossed (gender,mask), a "
        "number in steps (age:2) or as quantiles (brightness:q4, face:q3); may be repeated. Columns beside "
        "those of the manifest: class, face (its share of the photo), brightness, contrast, sharpness.",
        Refusing(_parse_by),
    ] = OMITTED,
    against: Annotated[
        Predictions | None,
        "Other predictions to compare with, drawing the same people for both.",
        Metavar("PREDICTIONS"),
    ] = None,
    worst: Annotated[int, "How many of the worst mistakes to name.", Between(0)] = 20,
    output: common_options.OptionalOutput = None,
    shown: common_options.ReportOptions,
    explain: Annotated[
        list[Checkpoint],
        "Show with --photos what the model looked at in the worst mistakes (Grad-CAM), for each photo the "
        "first of these that has not seen its person. Takes every word up to the next option.",
        Metavar("CHECKPOINT..."),
        Needs("photos", "what the model looked at is shown with --photos"),
    ] = OMITTED,
    fail_under: Annotated[float | None, "Exit code 3 if the macro-F1 is lower.", Between(0, 1)] = None,
    curves: Annotated[
        list[Path],
        "history.csv of trainings, to draw in the page, if they are not beside the checkpoints that made the "
        "predictions. Takes every word up to the next option.",
        Metavar("HISTORY..."),
        FILE,
        Needs("html", "curves are drawn in the page of --html"),
    ] = OMITTED,
    tune: Annotated[
        str | None,
        "Choose how probabilities become predictions: an offset per class (classes) or level of each factor "
        "(factors), or of one factor, by its name, such as age, whose threshold it moves; all for "
        "macro-F1. Or a temperature, which changes no prediction.",
    ] = None,
    decision: Annotated[
        SideFile | None,
        "Write what --tune chose, for --decide of predict and ensemble.",
        SHELL_PANEL,
        Needs("tune", "say what to tune, such as --tune factors"),
    ] = None,
    sets: Annotated[
        float | None,
        common_options.SETS,
        Between(0, 1),
    ] = None,
    sets_per: common_options.SetsPer = None,
    seed: Annotated[common_options.Seed, Needs("tune", "it divides people into parts for --tune")] = 0,
    photos: common_options.PhotoOptions,
    allow_leak: common_options.AllowLeak = False,
) -> None:
    """Score predictions: macro-F1 with its 95 % interval over people, per class, per factor, per fold.

    Also slices, gaps between the best and the worst level, errors beside the cuts of age, calibration, the
    worst mistakes, and other predictions beside these. Prints tables on a terminal, tab-separated values in a
    pipe, JSON with --json or into -o FILE.

    With --tune, offsets or a temperature are fitted to these predictions, and judged on people they were
    not fitted to.

    With --sets it says how often sets hold the truth, those of each fold calibrated on the others, how large
    they are, and what predicting only where they are small would bring. Sets of predict are scored without
    it.

    Example: maskkit evaluate folds.parquet oof.parquet --by age:2 --by gender,mask --html report.html
    --photos --explain run/fold*.safetensors

    Example: maskkit evaluate folds.parquet oof.parquet --tune factors --decision decide.json

    Example: maskkit evaluate folds.parquet oof.parquet --sets 0.9 --sets-per age
    """
    from maskkit.artifacts.answer_sets import Promise
    from maskkit.reporting.evaluation_report import evaluation_report
    from maskkit.stages.evaluate import evaluate as stage

    truth = photos.located(manifest)
    charts: Sequence[Chart] = ()
    if shown.html is not None:
        from maskkit.reporting.curves import curves_beside, training_curves  # pandas, which scores need not

        charts = training_curves(curves) if curves else curves_beside(predictions)
    if tune is not None:
        from maskkit.stages.tune import check_tuning
        from maskkit.stages.tune import tune as fit

        check_tuning(truth, predictions, tune)
    most_shown = 0
    if shown.photos:
        from maskkit.imaging.thumbnails import MOST_PHOTOS  # Pillow, which scores need not

        most_shown = MOST_PHOTOS
    result = stage(
        truth, predictions, by=by, against=against, worst=worst, most_shown=most_shown, allow_leak=allow_leak,
        promise=None if sets is None else Promise(sets, sets_per),
    )  # fmt: skip
    tuned = None
    if tune is not None:
        tuned = fit(truth, predictions, method=tune, seed=seed, allow_leak=allow_leak)
        if decision is not None:
            decision.write(tuned.decision.to_bytes(), "the decision is")
    pictures: Mapping[str, Pictured] = {}
    thumbnails: Mapping[str, str | None] = {}
    if shown.photos:
        from maskkit.reporting.pictured import pictures_of, thumbnails_of  # Pillow, and torch for the models

        pictures = pictures_of(result.mistakes, truth, explain=explain)
        thumbnails = thumbnails_of(result.shown, truth)
    report = evaluation_report(
        result, manifest=truth.name, predictions=predictions.name, curves=charts, pictures=pictures,
        thumbnails=thumbnails,
    )  # fmt: skip
    shown.show(report, to=output)
    if tuned is not None:  # in a pipe people still see it, on standard error
        from maskkit.cli.shell.show_report import note_report, show_tables
        from maskkit.reporting.blend_report import tuning_report

        show = show_tables if stdout_is_for_people() and not shown.json else note_report
        show(tuning_report(tuned))
    headline = result.scores.macro_f1.value or 0.0
    if fail_under is not None and headline < fail_under:
        raise RefusedError(
            f"macro-F1 is {headline:.4f}",
            why=f"--fail-under asks for {fail_under} or more",
            fix="train better, or ask for less",
        )
