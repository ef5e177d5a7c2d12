"""`maskkit ensemble`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from maskkit.cli import options, terminal
from maskkit.cli.streams import STREAM, source, target
from maskkit.cli.tables import agreement_table
from maskkit.config import Vote

if TYPE_CHECKING:
    from maskkit.artifacts.predictions import Form, Predictions


def ensemble(
    context: typer.Context,
    predictions: Annotated[
        list[str],
        typer.Argument(metavar="PREDICTIONS", help="Submissions or probability tables, CSV or Parquet."),
    ],
    output: options.Output = None,
    vote: Annotated[
        Vote, typer.Option(help="`hard` counts answers, `soft` averages probabilities.")
    ] = "hard",
    weights: Annotated[
        Optional[str],
        typer.Option(help="One number per file, as 2,1,1.", show_default=False),
    ] = None,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write the competition's ImageID,ans.")
    ] = False,
    allow_leak: options.AllowLeak = False,
    force: options.Force = False,
    recipe: options.Recipe = None,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
) -> None:  # fmt: skip
    """Blend predictions of the same photos, matched by id and never by position.

    Ties of a hard vote go to the class with the larger sum of probabilities if every file has them,
    else to the tied class that the earliest file voted for. Writes what it read: submissions give a
    submission, Parquet gives Parquet; -o FILE.csv gives CSV.

    Example: maskkit ensemble a.csv b.csv c.csv --vote hard -o voted.csv
    """
    from maskkit.artifacts.predictions import Predictions
    from maskkit.stages.ensemble import ensemble as stage

    numbers = None if weights is None else _numbers(weights)
    if predictions.count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="PREDICTIONS")
    members: list[Predictions] = []
    for name in predictions:
        members.append(
            Predictions.read(source(name, what="predictions"), like=members[0] if members else None)
        )
    form = _form(members, output, submission=submission)
    to = target(output, force=force, inputs=predictions, is_text=form != "parquet")
    options.stop_if_dry(context, dry_run)
    result = stage(members, vote=vote, weights=numbers, allow_leak=allow_leak, history=form == "parquet")
    to.write(result.predictions.encode(form))
    if terminal.is_quiet():
        return
    terminal.note(agreement_table(result.agreement, [member.name for member in members]))
    ties = f", {result.ties} ties" if vote == "hard" else ""
    terminal.note(f"{len(result.predictions)} photos, {len(members)} files, {vote} vote{ties}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers such as 2,1,1", param_hint="--weights"
        ) from error


def _form(members: list[Predictions], output: str | None, *, submission: bool) -> Form:
    if submission or any(member.classes is None for member in members):
        return "submission"
    from_csv = all(member.header.space is None for member in members)
    is_csv = output.endswith(".csv") if output not in (None, STREAM) else from_csv
    return "csv" if is_csv else "parquet"
