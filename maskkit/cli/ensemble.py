"""`maskkit ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from maskkit.cli.shell import common_options, terminal
from maskkit.cli.shell.streams import STREAM, refuse, source, target
from maskkit.cli.tables import agreement_table
from maskkit.options.train_options import Search, Vote

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Form, Predictions
    from maskkit.predicting.adjustments import AfterVote
    from maskkit.stages.ensemble import Ensemble, Fit

FIT_PANEL = "Weights found on out-of-fold predictions"


def ensemble(
    context: typer.Context,
    predictions: Annotated[
        Optional[list[str]],
        typer.Argument(metavar="PREDICTIONS", show_default=False,
                       help="Submissions or probability tables, CSV or Parquet. Without any, --fit blends "
                       "the out-of-fold predictions, each photo by what was fitted without its person."),
    ] = None,
    output: common_options.Output = None,
    vote: Annotated[
        Vote,
        typer.Option(help="`hard` counts answers; the others need probabilities. `soft` averages them, "
                     "`geometric` their logarithms, `logit` their log-odds, `rank` the order of the classes "
                     "on each photo (Borda's count; its degrees are no probabilities). `weighted` is `soft` "
                     "with weights that you give or --fit finds; `stacking` is a logistic regression over "
                     "log-probabilities, learnt by --fit."),
    ] = "hard",
    weights: Annotated[
        Optional[str],
        typer.Option(help="One number per file, as 2,1,1.", show_default=False),
    ] = None,
    fit: Annotated[
        Optional[list[str]],
        typer.Option(metavar="OOF...", show_default=False, rich_help_panel=FIT_PANEL,
                     help="Out-of-fold predictions, one file per file of PREDICTIONS and in their order, on "
                     "which members and weights are found. Takes every word up to the next option."),
    ] = None,
    on: Annotated[
        Optional[str],
        typer.Option(help="A manifest with the truth of the --fit files; without --fit, of PREDICTIONS.",
                     show_default=False, rich_help_panel=FIT_PANEL),
    ] = None,
    search: Annotated[
        Optional[Search],
        typer.Option(help="`greedy` adds members one by one for the highest macro-F1, `weights` minimises "
                     "the log loss of a soft vote. By default greedy.", show_default=False,
                     rich_help_panel=FIT_PANEL),
    ] = None,
    max_members: Annotated[
        Optional[int],
        typer.Option(min=1, help="At most so many members get a weight.", show_default=False,
                     rich_help_panel=FIT_PANEL),
    ] = None,
    report: Annotated[
        Optional[Path],
        typer.Option(help="Write what was found, and how members differ, as JSON.", show_default=False,
                     rich_help_panel=common_options.SHELL_PANEL),
    ] = None,
    consensus: common_options.Consensus = None,
    who: Annotated[
        Optional[str],
        typer.Option(help="The manifest that names the people on the blended photos, for --consensus; if "
                     "left out, that of --on.", show_default=False),
    ] = None,
    decide: common_options.Decide = None,
    submission: Annotated[
        bool, typer.Option("--submission", help="Write the competition's ImageID,ans.")
    ] = False,
    seed: common_options.Seed = 0,
    allow_leak: common_options.AllowLeak = False,
    force: common_options.Force = False,
    recipe: common_options.Recipe = None,
    dry_run: common_options.DryRun = False,
    quiet: common_options.Quiet = False,
) -> None:  # fmt: skip
    """Blend predictions of the same photos, matched by id and never by position.

    Ties of a hard vote go to the class with the larger sum of probabilities if every file has them,
    else to the tied class that the earliest file voted for. Writes what it read: submissions give a
    submission, Parquet gives Parquet; -o FILE.csv gives CSV.

    With --fit, members and weights are found on out-of-fold predictions and applied to PREDICTIONS. What
    that gains is judged on people it was not fitted to, by five folds, and said with an interval.

    Example: maskkit ensemble a.parquet b.parquet --vote soft --fit a-oof.parquet b-oof.parquet --on
    folds.parquet -o blend.parquet
    """
    from maskkit.stages.ensemble import ensemble as stage

    given, fits = predictions or [], fit or []
    _check_words(given, fits, on, who)
    _check_options(vote, weights=weights, fits=fits, search=search, max_members=max_members)
    _check_after(vote, on=on, who=who, consensus=consensus, decide=decide)
    numbers = None if weights is None else _numbers(weights)
    members, fitted = _read(given), _read(fits)
    manifest = _manifest(on)
    form = _form(members or fitted, output, submission=submission)
    inputs = [*given, *fits, on, who, decide]
    to = target(output, force=force, inputs=inputs, is_text=form != "parquet")
    if report is not None:
        _check_report(report, output, inputs, force=force)
    after = _after(manifest, consensus=consensus, who=who, decide=decide)
    common_options.stop_if_dry(context, dry_run)
    result = stage(
        members,
        vote=vote,
        weights=numbers,
        fit=_fit(fitted, manifest, search, max_members, seed),
        truth=None if fitted else manifest,
        after=after,
        allow_leak=allow_leak,
        history=form == "parquet",
    )
    to.write(result.predictions.encode(form))
    if report is not None:
        _write_report(result, given or fits, report)
    if not terminal.is_quiet():
        _tell(result, given or fits, vote)


def _check_words(given: list[str], fits: list[str], on: str | None, who: str | None) -> None:
    if [*given, *fits, on, who].count(STREAM) > 1:
        raise typer.BadParameter("standard input can be read once", param_hint="PREDICTIONS")
    if not given and not fits:
        raise typer.BadParameter("give two files or more, or --fit", param_hint="PREDICTIONS")
    if given and fits and len(given) != len(fits):
        raise typer.BadParameter(
            f"there are {len(fits)} files for {len(given)} PREDICTIONS; each needs its out-of-fold "
            "predictions, in the same order. --fit takes every word up to the next option: write PREDICTIONS "
            "before it",
            param_hint="--fit",
        )
    if fits and on is None:
        raise typer.BadParameter("--fit needs the truth: the manifest of its photos", param_hint="--on")


def _check_options(
    vote: Vote, *, weights: str | None, fits: list[str], search: str | None, max_members: int | None
) -> None:
    if weights is not None and fits:
        raise typer.BadParameter("--fit finds the weights; give one of the two", param_hint="--weights")
    if vote == "weighted" and weights is None and not fits:
        raise typer.BadParameter("weighted needs --weights, or --fit to find them", param_hint="--vote")
    if vote == "stacking" and not fits:
        raise typer.BadParameter("stacking learns from out-of-fold predictions: --fit", param_hint="--vote")
    for name, value in (("--search", search), ("--max-members", max_members)):
        if value is not None and (not fits or vote == "stacking"):
            why = "stacking weighs each class of each member" if fits else "it is of no use without --fit"
            raise typer.BadParameter(why, param_hint=name)
    if search == "weights" and vote not in ("soft", "weighted"):
        raise typer.BadParameter(
            f"the log loss is minimised of a mean of probabilities, not of a {vote} vote: use --vote soft, "
            "or --search greedy",
            param_hint="--search",
        )


def _check_after(
    vote: Vote, *, on: str | None, who: str | None, consensus: str | None, decide: str | None
) -> None:
    if consensus is not None and on is None and who is None:
        raise typer.BadParameter("it needs to know the people: --who MANIFEST", param_hint="--consensus")
    if who is not None and consensus is None:
        raise typer.BadParameter("it is of no use without --consensus", param_hint="--who")
    if decide is not None and vote == "hard":
        raise typer.BadParameter("a hard vote leaves no probabilities to decide on", param_hint="--decide")


def _check_report(report: Path, output: str | None, inputs: list[Any], *, force: bool) -> None:
    if output is not None and report.resolve() == Path(output).resolve():
        raise typer.BadParameter(f"{report} is given to -o too", param_hint="--report")
    refuse(report, force=force, inputs=inputs)


def _read(names: list[str]) -> list[Predictions]:
    from maskkit.artifacts.predictions import Predictions

    members: list[Predictions] = []
    for name in names:
        members.append(
            Predictions.read(source(name, what="predictions"), like=members[0] if members else None)
        )
    return members


def _manifest(name: str | None) -> Manifest | None:
    if name is None:
        return None
    from maskkit.artifacts.manifest import Manifest

    return Manifest.read(source(name, what="manifest"))


def _fit(
    fitted: list[Predictions],
    manifest: Manifest | None,
    search: Search | None,
    max_members: int | None,
    seed: int,
) -> Fit | None:
    if not fitted or manifest is None:
        return None
    from maskkit.stages.ensemble import Fit

    return Fit(fitted, manifest, search=search or "greedy", max_members=max_members, seed=seed)


def _after(
    manifest: Manifest | None, *, consensus: str | None, who: str | None, decide: str | None
) -> AfterVote | None:
    if consensus is None and decide is None:
        return None
    from maskkit.artifacts.decision import Decision
    from maskkit.predicting.adjustments import AfterVote

    decision = None if decide is None else Decision.read(source(decide, what="decision"))
    return AfterVote((_manifest(who) or manifest) if consensus is not None else None, decision)


def _write_report(result: Ensemble, names: list[str], path: Path) -> None:
    from json import dumps

    from maskkit.artifacts.files import write_whole
    from maskkit.fitting.blend import ensemble_json

    pairs = ensemble_json(result.fitted, result.pairs, result.agreement, names)
    write_whole(path, (dumps(pairs, indent=2, ensure_ascii=False) + "\n").encode())
    terminal.note(f"the report is {path}")


def _tell(result: Ensemble, names: list[str], vote: Vote) -> None:
    """Show people what came of it."""
    if result.fitted is not None or result.pairs is not None:
        from maskkit.cli.ensemble_tables import fit_tables, pair_table

        for table in fit_tables(result.fitted) if result.fitted else ():
            terminal.note(table)
        of = result.fitted.names if result.fitted else names
        terminal.note(pair_table(result.pairs or (), of))
    if result.pairs is None and len(names) > 1:
        terminal.note(agreement_table(result.agreement, names))
    ties = f", {result.ties} ties" if vote == "hard" else ""
    files = "1 file" if len(names) == 1 else f"{len(names)} files"
    terminal.note(f"{len(result.predictions)} photos, {files}, {vote} vote{ties}")


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
