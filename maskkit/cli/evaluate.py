"""`maskkit evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli.shell import common_options
from maskkit.cli.shell.show_report import show_report
from maskkit.cli.shell.streams import STREAM, refuse, source, target
from maskkit.cli.tune import DecisionOut, Tune, check_tuning, show_tuning, tuned
from maskkit.errors import MaskkitError, RefusedError

if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.manifest import Manifest
    from maskkit.reporting.pictured import Pictured
    from maskkit.reporting.plots import Chart
    from maskkit.scoring.evaluated import Evaluation


def evaluate(
    context: typer.Context,
    manifest: Annotated[
        str, typer.Argument(metavar="MANIFEST", help="Holds the truth; `-` reads standard input.")
    ],
    predictions: Annotated[
        str, typer.Argument(metavar="PREDICTIONS", help="From predict or ensemble, or any submission.")
    ],
    by: Annotated[
        Optional[list[str]],
        typer.Option(
            help="Also score slices: by a column or a factor (gender), columns that are crossed "
            "(gender,mask), a number in steps (age:2) or as quantiles (brightness:q4, face:q3); may be "
            "repeated. Columns beside those of the manifest: class, face (its share of the photo), "
            "brightness, contrast, sharpness.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Optional[str],
        typer.Option(
            metavar="PREDICTIONS",
            help="Other predictions to compare with, drawing the same people for both.",
            show_default=False,
        ),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the worst mistakes to name.")] = 20,
    output: common_options.Output = None,
    json: common_options.Json = False,
    html: common_options.Html = None,
    photos: common_options.Photos = False,
    explain: Annotated[
        Optional[list[str]],
        typer.Option(
            metavar="CHECKPOINT...",
            help="Show with --photos what the model looked at in the worst mistakes (Grad-CAM), for each "
            "photo the first of these that has not seen its person. Takes every word up to the next option.",
            show_default=False,
        ),
    ] = None,
    fail_under: Annotated[
        Optional[float],
        typer.Option(min=0, max=1, help="Exit code 3 if the macro-F1 is lower.", show_default=False),
    ] = None,
    curves: Annotated[
        Optional[list[Path]],
        typer.Option(
            metavar="HISTORY...",
            help="history.csv of trainings, to draw in the page. Takes every word up to the next option.",
            show_default=False,
        ),
    ] = None,
    tune: Tune = None,
    decision: DecisionOut = None,
    replicates: Annotated[int, typer.Option(min=2, help="Bootstrap replicates over people.")] = 1000,
    seed: common_options.Seed = 0,
    root: common_options.Root = None,
    allow_leak: common_options.AllowLeak = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Score predictions: macro-F1 with its 95 % interval over people, per class, per factor, per fold.

    Also slices, errors beside the cuts of age, calibration, the worst mistakes, and other predictions beside
    these. Prints tables on a terminal, tab-separated values in a pipe, JSON with --json or into -o FILE.

    With --tune, offsets or a temperature are fitted to these predictions, and judged on people they were
    not fitted to.

    Example: maskkit evaluate folds.parquet oof.parquet --by age:2 --by gender,mask --html report.html
    --photos --explain run/fold*.safetensors

    Example: maskkit evaluate folds.parquet oof.parquet --tune factors --decision decide.json
    """
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
    from maskkit.reporting.evaluation_report import evaluation_report
    from maskkit.stages.evaluate import evaluate as stage

    inputs = [manifest, predictions, *map(str, curves or []), against, *(explain or [])]
    _check_words(inputs, output=output, html=html, curves=curves, photos=photos, explain=explain)
    _check_by(by or [])
    to = None if output is None else target(output, force=force, inputs=inputs)
    if html is not None:
        refuse(html, force=force, inputs=inputs)
    check_tuning(tune, decision, force=force, inputs=inputs, outputs=[output, html])
    truth = Manifest.read(source(manifest, what="manifest")).located(root=root)
    given = Predictions.read(source(predictions, what="predictions"))
    other = None if against is None else Predictions.read(source(against, what="predictions"), like=given)
    models = _models(explain or [])
    common_options.stop_if_dry(context, dry_run)
    result = stage(
        truth, given, by=by or [], against=other, worst=worst, replicates=replicates, seed=seed,
        allow_leak=allow_leak,
    )  # fmt: skip
    deciding = tuned(truth, given, tune, decision, replicates=replicates, seed=seed, allow_leak=allow_leak)
    report = evaluation_report(
        result, manifest=truth.name, predictions=given.name, curves=_curves(curves or []),
        pictures=_pictures(result, truth, models) if photos else {},
    )  # fmt: skip
    show_report(report, json=json, html=html, to=to)
    if deciding is not None:
        show_tuning(deciding, json=json)
    _refuse_low(result, fail_under)


def _check_words(
    inputs: list[str | None],
    *,
    output: str | None,
    html: Path | None,
    curves: list[Path] | None,
    photos: bool,
    explain: list[str] | None,
) -> None:
    if inputs.count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="PREDICTIONS")
    if curves and html is None:
        raise typer.BadParameter("curves are drawn in the page of --html", param_hint="--curves")
    if photos and html is None:
        raise typer.BadParameter("photos are shown in the page of --html", param_hint="--photos")
    if explain and not photos:
        raise typer.BadParameter("what the model looked at is shown with --photos", param_hint="--explain")
    if html is not None and output is not None and html.resolve() == Path(output).resolve():
        raise typer.BadParameter(f"{html} is given to -o too", param_hint="--html")


def _check_by(by: list[str]) -> None:
    from maskkit.scoring.slice_columns import parse_by

    for text in by:
        try:
            parse_by(text)
        except MaskkitError as error:
            raise typer.BadParameter(f"{error.what}; {error.why}; {error.fix}", param_hint="--by") from error


def _refuse_low(result: Evaluation, fail_under: float | None) -> None:
    headline = result.scores.macro_f1.value or 0.0
    if fail_under is not None and headline < fail_under:
        raise RefusedError(
            f"macro-F1 is {headline:.4f}",
            why=f"--fail-under asks for {fail_under} or more",
            fix="train better, or ask for less",
        )


def _models(names: list[str]) -> list[Checkpoint]:
    """Read the models that are asked what they looked at, and see first whether they can be."""
    from maskkit.artifacts.checkpoint import Checkpoint

    if names:
        from maskkit.modeling.explaining import need_grad_cam  # torch, which scores need not

        need_grad_cam()
    return [Checkpoint.read(source(name, what="checkpoint")) for name in names]


def _curves(histories: list[Path]) -> list[Chart]:
    if not histories:
        return []
    from maskkit.reporting.curves import training_curves  # pandas, which scores alone need not

    return training_curves(histories)


def _pictures(result: Evaluation, truth: Manifest, models: list[Checkpoint]) -> Mapping[str, Pictured]:
    from maskkit.reporting.pictured import pictures_of  # Pillow, and torch if models are asked

    return pictures_of(result.mistakes, truth, explain=models)
