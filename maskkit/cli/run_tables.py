"""Tables of trainings compared, for a terminal or flattened for pipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import interval, new_table, spread

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.scoring.results import Estimate
    from maskkit.scoring.run_comparison import Compared, Versus

Fact = tuple[str, str, str, object, object, object]

TITLES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}


def run_tables(result: Compared) -> Iterator[Table | str]:
    """Show what differs, the scores of each run, and each against the first."""
    if result.settings:
        yield _settings_table(result)
    for measure in TITLES:
        if result.fold_numbers:
            yield _fold_table(result, measure)
    if result.rows:
        yield _score_table(result)
        yield _disagreement_table(result)
    yield "\n".join([*(escape(one.sentence) for one in result.versus), *_remark(result)])


def run_facts(result: Compared) -> Iterator[Fact]:
    """Flatten a comparison to rows of run, scope, measure, value, low, high."""
    for setting in result.settings:
        for run, value in zip(result.runs, setting.values, strict=True):
            yield run.label, f"option {setting.stage}", setting.name, value, None, None
    for run in result.runs:
        for fold in run.folds:
            for measure in TITLES:
                yield run.label, f"fold {fold.fold}", measure, getattr(fold, measure), None, None
        for measure in TITLES:
            over = getattr(run, measure)
            if over is not None:
                yield run.label, "folds", f"{measure}_mean", over.mean, None, None
                yield run.label, "folds", f"{measure}_deviation", over.deviation, None, None
        yield from _estimates(run.label, "all", run.own)
    for one in result.versus:
        yield from _versus_facts(one)


def _versus_facts(one: Versus) -> Iterator[Fact]:
    yield from _estimates(one.label, f"less {one.first}", one.difference)
    yield from _estimates(one.label, f"less {one.first}, folds", one.by_fold)
    if one.only is not None:
        for name, count in vars(one.only).items():
            yield one.label, f"beside {one.first}", name, count, None, None
    yield one.label, "verdict", "is_noise", one.is_noise, None, None


def _settings_table(result: Compared) -> Table:
    table = new_table("what differs", "", *(escape(run.label) for run in result.runs))
    stage = ""
    for one in result.settings:
        if one.stage != stage:
            table.add_section()
            stage = one.stage
        values = ("-" if value is None else escape(value) for value in one.values)
        table.add_row(f"{escape(one.stage)} {escape(one.name.replace('_', '-'))}", *values)
    return table


def _fold_table(result: Compared, measure: str) -> Table:
    folds = result.fold_numbers
    bases = list(dict.fromkeys(run.basis for run in result.runs))
    title = f"{TITLES[measure]} per fold, of {' or '.join(bases)}"
    table = new_table(title, "", *(f"fold {fold}" for fold in folds), "mean")
    for run in result.runs:
        own = {one.fold: f"{getattr(one, measure):.3f}" for one in run.folds}
        over = getattr(run, measure)
        mean = "-" if over is None else spread(over.mean, over.deviation, 3)
        label = run.label if len(bases) == 1 else f"{run.label}, {run.basis}"
        table.add_row(escape(label), *(own.get(fold, "-") for fold in folds), mean)
    return table


def _score_table(result: Compared) -> Table:
    """Show each measure of all runs, and how far it is from the first's."""
    first = escape(result.runs[0].label)
    share = f"{100 * result.versus[0].confidence:.4g}%"
    table = new_table(
        f"on the same {result.rows:,} photos of {result.people:,} people",
        "", "", "95% interval", f"less {first}, {share} interval",
    )  # fmt: skip
    table.columns[1].justify = "left"
    differences = [None, *(one.difference for one in result.versus)]
    for measure in result.measures:
        table.add_section()
        title = _title(measure)
        for run, difference in zip(result.runs, differences, strict=True):
            if run.own:
                less = "" if difference is None else interval(difference[measure], 3, signed=True)
                table.add_row(title, escape(run.label), interval(run.own[measure], 3), less)
                title = ""
    return table


def _disagreement_table(result: Compared) -> Table:
    table = new_table(
        f"who is right, beside {escape(result.runs[0].label)}",
        "", "both", "first only", "it only", "neither", "more people: first", "it",
    )  # fmt: skip
    for one in result.versus:
        if one.only is not None:
            table.add_row(escape(one.label), *(f"{count:,}" for count in vars(one.only).values()))
    return table


def _remark(result: Compared) -> Iterator[str]:
    count = len(result.versus)
    if count > 1:
        yield (
            f"{count} comparisons: the intervals of differences are widened so that all hold together "
            "with 95 % (Bonferroni)"
        )


def _title(measure: str) -> str:
    return TITLES.get(measure, escape(measure.removesuffix("_accuracy")))


def _estimates(run: str, scope: str, found: Mapping[str, Estimate] | None) -> Iterator[Fact]:
    for measure, one in (found or {}).items():
        yield run, scope, measure, one.value, one.low, one.high
