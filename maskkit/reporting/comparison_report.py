"""The report of `maskkit compare`: trainings beside each other, and each against the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maskkit.reporting.plots import Chart, PlotLine
from maskkit.reporting.report import Item, Report, Section
from maskkit.reporting.table import Audience, Column, Note, Row, Table, page_note
from maskkit.scoring.run_comparison import Compared, Versus

MEASURES = {"macro_f1": "macro-F1", "accuracy": "accuracy"}


def comparison_report(result: Compared) -> Report:
    """Lay out a comparison."""
    facts = {f"Run {number}": run.name for number, run in enumerate(result.runs, 1)}
    facts["Run 1"] += " (what the others are compared with)"
    others = result.runs[1].label if len(result.runs) == 2 else f"{len(result.runs) - 1} runs"
    sections = (
        Section("", tuple(_headline(result))),
        Section("What differs", tuple(_settings(result))),
        Section("Scores", tuple(_scores(result))),
        Section("The best", tuple(_best(result))),
        Section("Where they disagree", tuple(disagreement(result.versus, result.runs[0].label))),
        Section("Folds", tuple(_folds(result))),
        Section("Curves", tuple(_curves(result))),
    )
    return Report(
        title=f"{others} compared with {result.runs[0].label}",
        data=result.to_json(),
        sections=sections,
        verdict=(
            *(Note(one, "verdict") for one in result.sentences),
            *(Note(note, on="terminal") for note in _remark(result)),
        ),
        facts=facts,
        header="runs",
    )


def measure_title(name: str) -> str:
    """Return how people call a measure; the accuracy of a factor by the factor's name."""
    return MEASURES.get(name, name.removesuffix("_accuracy"))


def _headline(result: Compared) -> Iterator[Item]:
    """Show each run's decisive difference, and say what the intervals are."""
    less = f"macro-F1 less {result.runs[0].label}"
    columns = (
        Column("", less, "difference", field="decisive", is_main=True, on="people"),
        Column("is_noise", "inside the noise", "flag"),
    )
    on: Audience = "not on a terminal" if len(result.versus) > 1 else "programs"
    yield Table.of(result.versus, columns, name="label", scope="verdict", at=("versus",), on=on)
    share = f"{100 * result.versus[0].confidence:.4g} %"
    if result.photos:
        yield page_note(
            f"Runs are scored on the same {result.photos:,} photos of {result.people:,} people. Made so, "
            f"{share} of intervals hold the difference in macro-F1 on all people like these. If 0 is inside, "
            "who happened to be photographed explains the difference as well."
        )
    else:
        yield page_note(
            "Runs are compared by the scores of their folds. The interval is that of a t-test over folds, "
            "corrected for the training people that folds share (Nadeau and Bengio 2003); with few folds "
            "it is wide. A training that kept its best epoch chose it by the very fold, and its score "
            "is somewhat too high."
        )
    yield from (page_note(note) for note in _remark(result))
    if result.photos_without_person:
        yield page_note(
            f"For {result.photos_without_person:,} photos the person is not known, and each counts as a "
            "person of its own."
        )
    yield from (Note(note, "noise", on="page") for note in result.notes)  # a terminal was told at once


def _remark(result: Compared) -> Iterator[str]:
    if len(result.versus) > 1:
        share = f"{100 * result.versus[0].confidence:.4g} %"
        yield (
            f"{len(result.versus)} comparisons: the intervals of differences are widened to {share}, so "
            "that all hold together with 95 % (Bonferroni)"
        )


def _settings(result: Compared) -> Iterator[Item]:
    if not result.settings:
        yield page_note("No option that is recorded")
        return
    columns = tuple(
        Column("value", run.label, field=f"values.{place}", name=run.label, wraps=True)
        for place, run in enumerate(result.runs)
    )
    rows = []
    for one in result.settings:
        title, scope = one.name.replace("_", "-"), f"option {one.stage}"
        rows.append(Row(title, one.values, scope=scope, measure=one.name, group=one.stage))
    note = page_note(
        "Files count by their content: the digits are the first of their digest. A dash: no such option in "
        "the version that ran, or the history is not known."
    )
    head = Column("option", "option")
    yield Table(columns, tuple(rows), head=head, at=("settings",), notes=(note,))


def _scores(result: Compared) -> Iterator[Item]:
    """Show each measure of all runs on the photos in common, and how far it is from the first's."""
    if not result.photos:
        return
    first, share = result.runs[0].label, f"{100 * result.versus[0].confidence:.4g}%"
    columns = (
        Column("own", "own score, 95% interval", "score", scope="all", has_bar=True, is_main=True),
        Column("less", f"less {first}, {share} interval", "difference", scope=f"less {first}"),
    )
    differences = [None, *(one.difference for one in result.versus)]
    rows = []
    for name in result.measures:
        for run, difference in zip(result.runs, differences, strict=True):
            if run.own:
                cells = (run.own[name], "" if difference is None else difference[name])
                rows.append(Row(run.label, cells, measure=name, group=measure_title(name)))
    title = f"on the same {result.photos:,} photos of {result.people:,} people"
    note = page_note(
        "The intervals of two runs overlap even where the difference is certain: the same people are hard "
        "for all runs. Look at the difference."
    )
    yield Table(columns, tuple(rows), title, notes=(note,))


def _best(result: Compared) -> Iterator[Item]:
    """Show what the best is worth."""
    if result.best is None:
        return
    columns = (
        Column("worth", "on other people, 95% interval", "score", has_bar=True, is_main=True),
        Column("own", "on these, flattered", "decimal"),
        Column("chosen", "draws it is best in", "share"),
    )
    label = result.runs[result.best.place].label
    note = page_note(
        f"The best was chosen again on people drawn anew, {result.best.replicates:,} times, and looked at on "
        "those not drawn (Tsamardinos et al. 2018). The best of many, or of equals, is worth less than it "
        "scores."
    )
    row = Row(label, (result.best.worth, result.best.own, result.best.chosen))
    yield Table(columns, (row,), f"the best of {result.best.models}", scope="best", notes=(note,))


def disagreement(versus: Sequence[Versus], first: str, *, name: str | None = None) -> Iterator[Item]:
    """Show who is right where runs and the first disagree; `name` is theirs in TSV, if not the label."""
    columns = (
        Column("both", "both", "count"),
        Column("first", "first only", "count", is_main=True),
        Column("second", "second only", "count", is_main=True),
        Column("neither", "neither", "count"),
        Column("people_first", "people: first", "count", is_main=True),
        Column("people_second", "people: second", "count", is_main=True),
    )
    rows = tuple(
        Row(one.label, tuple(vars(one.only).values()), name=name) for one in versus if one.only is not None
    )
    if rows:
        yield Table(columns, rows, f"who is right, beside {first}", scope=f"beside {first}")


def _folds(result: Compared) -> Iterator[Item]:
    numbers = result.fold_numbers
    bases = list(dict.fromkeys(run.basis for run in result.runs))
    for name, title in MEASURES.items() if numbers else ():
        columns = [Column(name, f"fold {number}", "decimal", scope=f"fold {number}") for number in numbers]
        columns.append(Column(name, "mean", "spread", scope="folds", is_main=True))
        if len(bases) > 1:
            columns.append(Column("", "scores of"))
        rows = []
        for run in result.runs:
            own = {one.fold: getattr(one, name) for one in run.folds}
            over = getattr(run, name)
            scores = [own.get(number) for number in numbers]
            rows.append(Row(run.label, (*scores, over, *([run.basis] if len(bases) > 1 else []))))
        yield Table(tuple(columns), tuple(rows), f"{title} per fold, of {' or '.join(bases)}")
    differences = (
        *(Column(name, title, "difference") for name, title in MEASURES.items()),
        Column("", "folds better", "plain"),
        Column("", "of", "plain"),
    )
    compared = tuple(
        Row(one.label, (*(one.by_fold[name] for name in MEASURES), one.folds_better, one.folds))
        for one in result.versus
        if one.by_fold
    )
    if compared:
        less = f"less {result.runs[0].label}"
        yield Table(differences, compared, f"{less}, over the folds", scope=f"{less}, folds")


def _curves(result: Compared) -> Iterator[Item]:
    lines = tuple(
        PlotLine(run.label, range(1, len(run.curve) + 1), run.curve) for run in result.runs if run.curve
    )
    if lines:
        yield Chart("Macro-F1 on the people held out", "epoch", lines)
        yield page_note("The mean of a run's folds after each epoch, as far as all of them go")
