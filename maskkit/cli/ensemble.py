"""`maskkit ensemble`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.command import command
from maskkit.cli.shell.parameters import (
    OMITTED,
    SHELL_PANEL,
    Argument,
    Callback,
    Excludes,
    Manifest,
    Needs,
    Predictions,
    Required,
)
from maskkit.cli.shell.streams import OutputTarget, SideFile, as_json, refuse_terminal
from maskkit.options import explained
from maskkit.options.fields import Between, HelpPanel, Metavar
from maskkit.options.train_options import Search, Vote

if TYPE_CHECKING:
    from maskkit.artifacts.predictions import Form

FIT_PANEL = HelpPanel("Weights found on out-of-fold predictions")


def _check_members(predictions: list[str] | None, fit: list[str] | None) -> None:
    given, fits = predictions or [], fit or []
    if given and fits and len(given) != len(fits):
        raise typer.BadParameter(
            f"there are {len(fits)} files for {len(given)} PREDICTIONS; each needs its out-of-fold "
            "predictions, in the same order. --fit takes every word up to the next option: write PREDICTIONS "
            "before it",
            param_hint="--fit",
        )


def _check_vote(
    vote: Vote,
    weights: str | None,
    fit: list[str] | None,
    search: str | None,
    max_members: int | None,
    decide: str | None,
    consensus: str | None,
    on: str | None,
    who: str | None,
) -> None:
    if weights is not None:
        _numbers(weights)
    if vote == "stacking" and not fit:
        raise typer.BadParameter("stacking learns from out-of-fold predictions: --fit", param_hint="--vote")
    for name, value in (("--search", search), ("--max-members", max_members)):
        if value is not None and vote == "stacking":
            raise typer.BadParameter("stacking weighs each class of each member", param_hint=name)
    if search == "weights" and vote != "soft":
        raise typer.BadParameter(
            f"the log loss is minimised of a mean of probabilities, not of a {vote} vote: use --vote soft, "
            "or --search greedy",
            param_hint="--search",
        )
    if decide is not None and vote == "hard":
        raise typer.BadParameter("a hard vote leaves no probabilities to decide on", param_hint="--decide")
    if consensus is not None and on is None and who is None:
        raise typer.BadParameter("it needs to know the people: --who MANIFEST", param_hint="--consensus")


@command(loads="tables", check=(_check_members, _check_vote))
def ensemble(
    *,
    predictions: Annotated[
        list[Predictions],
        "Submissions or probability tables, CSV or Parquet. Without any, --fit blends the out-of-fold "
        "predictions, each photo by what was fitted without its person.",
        Argument(),
        Required(unless=("fit",)),
    ] = OMITTED,
    output: common_options.OptionalOutput = None,
    vote: Annotated[
        Literal[Vote, "weighted"],
        "How predictions become one; all but `hard` need probabilities. What `rank` gives are degrees, and "
        "no probabilities.",
        explained.VOTES,
        Callback(lambda vote: "soft" if vote == "weighted" else vote),
    ] = "hard",
    weights: Annotated[
        str | None,
        "One number per file, as 2,1,1.",
        Excludes("fit", why="--fit finds the weights; give one of the two"),
    ] = None,
    fit: Annotated[
        list[Predictions],
        "Out-of-fold predictions, one file per file of PREDICTIONS and in their order, on which members "
        "and weights are found. Takes every word up to the next option.",
        Metavar("OOF..."),
        FIT_PANEL,
        Needs("on", "--fit needs the truth: the manifest of its photos"),
    ] = OMITTED,
    on: Annotated[
        Manifest | None,
        "A manifest with the truth of the --fit files; without --fit, of PREDICTIONS.",
        FIT_PANEL,
    ] = None,
    search: Annotated[
        Search | None,
        "How members and weights are found. By default greedy.",
        explained.SEARCHES,
        FIT_PANEL,
        Needs("fit", "it is of no use without --fit"),
    ] = None,
    max_members: Annotated[
        int | None,
        "At most so many members get a weight.",
        Between(1),
        FIT_PANEL,
        Needs("fit", "it is of no use without --fit"),
    ] = None,
    report: Annotated[
        SideFile | None, "Write what was found, and how members differ, as JSON.", SHELL_PANEL
    ] = None,
    consensus: common_options.Consensus = None,
    who: Annotated[
        Manifest | None,
        "The manifest that names the people on the blended photos, for --consensus; if left out, that of "
        "--on.",
        Needs("consensus", "it is of no use without --consensus"),
    ] = None,
    decide: common_options.Decide = None,
    form: common_options.WrittenAs = None,
    submission: common_options.Submission = False,
    seed: common_options.Seed = 0,
    allow_leak: common_options.AllowLeak = False,
) -> None:
    """Blend predictions of the same photos, matched by id and never by position.

    Ties of a hard vote go to the class with the larger sum of probabilities if every file has them,
    else to the tied class that the earliest file voted for. Writes what it read: submissions give a
    submission, Parquet gives Parquet; -o FILE.csv gives CSV.

    With --fit, members and weights are found on out-of-fold predictions and applied to PREDICTIONS. What
    that gains is judged on people it was not fitted to, by five folds, and said with an interval.

    Example: maskkit ensemble a.parquet b.parquet --vote soft --fit a-oof.parquet b-oof.parquet --on
    folds.parquet -o blend.parquet
    """
    from maskkit.stages.ensemble import AfterVote, Fit
    from maskkit.stages.ensemble import ensemble as stage

    written = _form(predictions or fit, output, form, submission=submission)
    if output is None and written == "parquet":
        refuse_terminal()
    assert vote != "weighted"  # which was read as soft
    found = None
    if fit and on is not None:
        found = Fit(fit, on, search=search or "greedy", max_members=max_members, seed=seed)
    people = None if consensus is None else who or on
    result = stage(
        predictions,
        vote=vote,
        weights=None if weights is None else _numbers(weights),
        fit=found,
        truth=None if fit else on,
        after=None if people is None and decide is None else AfterVote(people, decide),
        allow_leak=allow_leak,
        history=written == "parquet",
    )
    (output or OutputTarget(None)).write(result.predictions.encode(written))
    names = [member.name for member in predictions or fit]
    if report is not None:
        from maskkit.fitting.blend import ensemble_json

        data = ensemble_json(result.fitted, result.pairs, result.agreement, names)
        report.write(as_json(data), "the report is")
    if not terminal.is_quiet():
        from maskkit.cli.shell.show_report import note_report
        from maskkit.reporting.blend_report import blend_report

        ties = f", {result.ties} ties" if vote == "hard" else ""
        files = "1 file" if len(names) == 1 else f"{len(names)} files"
        summary = f"{len(result.predictions)} photos, {files}, {vote} vote{ties}"
        note_report(blend_report(result.fitted, result.pairs, result.agreement, names, summary))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers such as 2,1,1", param_hint="--weights"
        ) from error


def _form(
    members: list[Predictions],
    output: OutputTarget | None,
    chosen: Literal["csv", "parquet"] | None,
    *,
    submission: bool,
) -> Form:
    if chosen is not None:
        return chosen
    if submission or any(member.classes is None for member in members):
        return "submission"
    from_csv = all(member.header.space is None for member in members)
    path = None if output is None else output.path
    return "csv" if (from_csv if path is None else path.suffix == ".csv") else "parquet"
