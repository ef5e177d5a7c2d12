"""Tables of an evaluation, for a terminal or flattened for pipes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from maskkit.cli.charts import bar
from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import interval, new_table, number, spread

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.scoring.boundary import Boundary
    from maskkit.scoring.calibration import Calibration
    from maskkit.scoring.changed_answers import Against
    from maskkit.scoring.evaluated import Evaluation
    from maskkit.scoring.mistakes import WrongAnswer
    from maskkit.scoring.noise import Noise
    from maskkit.scoring.results import ClassScore, FoldScores
    from maskkit.scoring.slice_scores import Slicing

MOST_MISTAKES, MOST_CHANGED = 20, 10  # on a terminal; JSON has more


def evaluation_tables(evaluation: Evaluation, *, brief: bool = False) -> Iterator[Table | str]:
    """Show the headline, classes, folds, slices and the comparison; unless `brief`, all else, too."""
    yield from evaluation.warnings
    yield _head_table(evaluation)
    yield _class_table(evaluation.scores.classes, evaluation.classes_noise)
    if evaluation.scores.folds is not None:
        yield _fold_table(evaluation.scores.folds, evaluation.folds_noise)
    for slicing in evaluation.slices:
        yield _slice_table(slicing)
    if not brief:
        yield from _boundary_tables(evaluation.boundaries)
        if evaluation.calibration is not None:
            yield _calibration_table(evaluation.calibration)
        if evaluation.mistakes:
            yield _mistake_table(evaluation.mistakes)
    if evaluation.against is not None:
        yield _against_table(evaluation.against)
        if not brief and evaluation.against.changed:
            yield _changed_table(evaluation.against)
        yield "\n".join(_verdict(evaluation.against))


def _head_table(evaluation: Evaluation) -> Table:
    scores = evaluation.scores
    title = (
        f"{scores.rows} photos of {scores.people} people; intervals of {scores.confidence:.0%} over people"
    )
    if evaluation.adjusted:
        title += f"; after {' and '.join(evaluation.adjusted)}"
    head = new_table(title, "", "macro-F1", "accuracy")
    head.add_row("all classes", interval(scores.macro_f1), interval(scores.accuracy))
    for factor in scores.factors:
        head.add_row(escape(factor.name), interval(factor.macro_f1), interval(factor.accuracy))
    if evaluation.log_loss is not None:
        head.caption = f"cross entropy {evaluation.log_loss:.4f}"
    return head


def _class_table(classes: Sequence[ClassScore], noise: Noise | None) -> Table:
    table = new_table("per class", "class", "people", "photos", "precision", "recall", "F1")
    for one in classes:
        shares = [number(share, 3) for share in (one.precision, one.recall)]
        table.add_row(escape(one.name), str(one.people), str(one.rows), *shares, interval(one.f1, 3))
    return _warned(table, noise)


def _fold_table(found: FoldScores, noise: Noise | None) -> Table:
    folds = new_table("per fold", "fold", "people", "photos", "macro-F1", "accuracy")
    for one in found.each:
        scores = (f"{one.macro_f1:.4f}", f"{one.accuracy:.4f}")
        folds.add_row(str(one.fold), str(one.people), str(one.rows), *scores)
    macro, accuracy = found.macro_f1, found.accuracy
    folds.add_section()
    means = (spread(macro.mean, macro.deviation), spread(accuracy.mean, accuracy.deviation))
    folds.add_row("mean", "", "", *means)
    return _warned(folds, noise)


def _warned(table: Table, noise: Noise | None, *others: str) -> Table:
    """Say below a table what must not be read off it."""
    lines = [*([] if noise is None else [escape(noise.sentence)]), *others]
    if lines:
        table.caption = "\n".join(lines)
    return table


def _slice_table(slicing: Slicing) -> Table:
    factors = list(slicing.slices[0].factors) if slicing.slices else []
    table = new_table(
        f"by {escape(slicing.by)}", "", "people", "photos", "share", "accuracy", "",
        *map(escape, factors), "macro-F1",
    )  # fmt: skip
    table.columns[5].justify = "left"
    for one in slicing.slices:
        mark = " *" if one.is_few else ""
        table.add_row(
            escape(one.name) + mark, f"{one.people:,}", f"{one.rows:,}", f"{one.share:.1%}",
            interval(one.accuracy, 3), bar(one.accuracy.value or 0.0),
            *(number(one.factors[name].value, 3) for name in factors), interval(one.macro_f1, 3),
        )  # fmt: skip
    notes = [
        "macro-F1 is over the classes that a slice has; compare it between slices of the same classes only"
    ]
    if any(one.is_few for one in slicing.slices):
        notes.append("* fewer than 10 people: too few to read anything off")
    return _warned(table, slicing.noise, *notes)


def _boundary_tables(found: Sequence[Boundary]) -> Iterator[Table]:
    """Show the errors of each factor by the distance from the nearest cut, of all cuts and of each."""
    for whole in (one for one in found if one.cut is None):
        each = [one for one in found if one.factor == whole.factor and one.cut is not None]
        title = f"wrong {escape(whole.factor)}, by how far it is from the nearest cut"
        heads = [f"cut {one.cut:g}" for one in each]
        table = new_table(title, "distance", "people", "photos", "wrong", "", *heads)
        table.columns[0].justify, table.columns[4].justify = "right", "left"
        errors = [{step.label: step.error.value for step in one.steps} for one in each]
        for step in whole.steps:
            table.add_row(
                step.label, f"{step.people:,}", f"{step.rows:,}", interval(step.error, 3),
                bar(step.error.value or 0.0), *(number(one.get(step.label), 3) for one in errors),
            )  # fmt: skip
        if whole.unknown:
            table.caption = f"{whole.unknown:,} photos without a number are left out"
        yield table


def _calibration_table(found: Calibration) -> Table:
    table = new_table("calibration", "probability of the answer", "photos", "said", "right", "")
    table.columns[4].justify = "left"
    for one in found.bins:
        if one.count:
            ends = f"{one.low:.2f}-{one.high:.2f}"
            shares = (number(one.confidence, 3), number(one.accuracy, 3))
            table.add_row(ends, f"{one.count:,}", *shares, bar(one.accuracy or 0.0))
    table.add_section()
    whole = (number(found.confidence, 3), number(found.accuracy, 3))
    table.add_row("all", f"{found.rows:,}", *whole, "too sure" if found.confidence > found.accuracy else "")
    table.caption = f"expected calibration error {found.ece:.4f}, largest {found.max_error:.3f}"
    return table


def _mistake_table(mistakes: Sequence[WrongAnswer]) -> Table:
    names = list(dict.fromkeys(name for one in mistakes for name in one.numbers))
    table = new_table(
        "worst mistakes", "photo", "truth", "taken for", "sure", "of the truth", *map(escape, names)
    )
    table.columns[1].justify = table.columns[2].justify = "left"
    for one in mistakes[:MOST_MISTAKES]:
        numbers = (
            f"{one.numbers[name]:g} ({one.distances[name]:+g})" if name in one.numbers else "-"
            for name in names
        )  # fmt: skip
        table.add_row(
            escape(one.path), escape(one.truth), escape(one.taken_for), f"{one.confidence:.3f}",
            f"{one.truth_probability:.3f}", *numbers,
        )  # fmt: skip
    if len(mistakes) > MOST_MISTAKES:
        table.add_row(f"and {len(mistakes) - MOST_MISTAKES} more")
    people = {one.person or one.path for one in mistakes}
    table.caption = f"{len(mistakes)} photos of {len(people)} people"
    if names:
        table.caption += "; in brackets: the distance from the nearest cut"
    return table


def _against_table(found: Against) -> Table:
    one = found.versus
    first = escape(one.first)
    table = new_table(
        f"{escape(one.label)} against {first}, on the same {found.rows:,} photos of {found.people:,} people",
        "", escape(one.label), first, f"difference, {100 * one.confidence:.4g}% interval", "",
    )  # fmt: skip
    for name, difference in (one.difference or {}).items():
        own, other = (number(side[name].value, 4) for side in (found.own, found.other))
        title = {"macro_f1": "macro-F1", "accuracy": "accuracy"}.get(name, name.removesuffix("_accuracy"))
        low, high = difference.low, difference.high
        noise = "not told apart" if low is not None and high is not None and low <= 0 <= high else ""
        table.add_row(escape(title), own, other, interval(difference, 4, signed=True), noise)
    table.columns[4].justify = "left"
    return table


def _verdict(found: Against) -> Iterator[str]:
    yield found.sentence
    only = found.versus.only
    if only is not None:
        yield (
            f"right where the other is wrong: {only.second:,} photos against {only.first:,} "
            f"(McNemar p {_chance(only.p_photos)}); more photos right of {only.people_second:,} people "
            f"against {only.people_first:,} (sign test p {_chance(only.p_people)})"
        )
        yield "read the test over people: photos of one person are right or wrong together"
    yield from found.notes


def _changed_table(found: Against) -> Table:
    from maskkit.scoring.changed_answers import some_changed  # NumPy, which --help does without

    only = found.versus.only
    right = only.first + only.second if only else 0
    table = new_table(
        f"{found.answers_changed:,} answers differ; one of the two is right on {right:,}",
        "photo", escape(found.versus.label), escape(found.versus.first), "",
    )  # fmt: skip
    for place in (1, 2, 3):
        table.columns[place].justify = "left"
    for one in some_changed(found.changed, MOST_CHANGED):
        how = "now right" if one.is_right else "now wrong"
        table.add_row(*map(escape, (one.path, one.answer, one.other)), how)
    return table


def _chance(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
