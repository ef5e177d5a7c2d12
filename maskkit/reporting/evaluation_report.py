"""The report of `maskkit evaluate`: scores, and what they rest on; `evaluation_details` has the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from maskkit.artifacts.files import STANDARD_INPUT
from maskkit.artifacts.script import script
from maskkit.reporting.evaluation_details import (
    COUNTS,
    beside_cuts,
    calibrated,
    changed,
    comparison,
    gaps,
    interval_words,
    sliced,
    verdict,
    worst_mistakes,
)
from maskkit.reporting.photo_album import PhotoAlbum
from maskkit.reporting.plots import Chart
from maskkit.reporting.report import Item, Report, Section
from maskkit.reporting.set_details import sets_scored
from maskkit.reporting.table import Column, Note, Row, Table, page_note
from maskkit.reporting.writing import decimal
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.results import ClassScore, Matrix, Scores
from maskkit.scoring.shown_photos import ShownPhoto

if TYPE_CHECKING:
    from maskkit.reporting.pictured import Pictured  # which opens photos

# A class of fewer people than this is marked: its F1 moves by several points with one person.
RARE_PEOPLE = 30
# A wider joint matrix is unreadable and makes the page large; the largest mistakes are listed anyway.
WIDEST_MATRIX = 60

CLASS_COLUMNS = (
    Column("f1", "F1", "score", has_bar=True, is_main=True),
    Column("precision", "precision", "decimal"),
    Column("recall", "recall", "decimal"),
    *COUNTS,
)


def evaluation_report(
    found: Evaluation,
    *,
    manifest: str,
    predictions: str,
    curves: Sequence[Chart] = (),
    pictures: Mapping[str, Pictured] | None = None,
    thumbnails: Mapping[str, str | None] | None = None,
) -> Report:
    """Lay out an evaluation of predictions by a manifest, both by name.

    `curves` are charts to show, such as the score over epochs. By path, `pictures` are those of the worst
    mistakes, and `thumbnails` those of the photos that cells open.
    """
    scores = found.scores
    album = PhotoAlbum(found.shown, thumbnails) if thumbnails else PhotoAlbum()
    sections = (
        Section("", (*_headline(scores), _counts(found)), is_brief=True),
        Section("Scores", (_scores(found),), is_brief=True),
        Section("Comparison", tuple(comparison(found.against)), is_brief=True),
        Section("Photos that changed", tuple(changed(found.against))),
        Section("Classes", (_classes(found, album),), is_brief=True),
        Section("Factors", tuple(_factors(scores, album))),
        Section("Confusion", tuple(_confusion(scores, album))),
        Section("Folds", tuple(_folds(found, album)), is_brief=True),
        Section("Slices", tuple(sliced(found.slices, scores.confidence, album)), is_brief=True),
        Section("Gaps", tuple(gaps(found.gaps, scores.confidence)), is_brief=True),
        Section("Beside the cuts", tuple(beside_cuts(found.boundaries))),
        Section("Calibration", tuple(calibrated(found.calibration))),
        Section("Sets", tuple(sets_scored(found.sets, scores.confidence)), is_brief=True),
        Section("Worst mistakes", tuple(worst_mistakes(found.mistakes, pictures or {}))),
        Section("Photos behind the cells", tuple(album.items(sum(_mistakes(scores.confusion))))),
        Section("Curves", (tuple(curves),) if curves else ()),
    )
    large = Column("", f"{100 * scores.confidence:g} % interval", "score", has_bar=True)
    output = "-" if predictions == STANDARD_INPUT else predictions
    facts = {"Manifest": manifest, "Predictions": predictions}
    return Report(
        title=f"Evaluation of {predictions}",
        data=found.to_json(),
        sections=sections,
        warnings=tuple(
            Note(line, "warning", key="sentence", scope="adjusted", name=line.partition(":")[0])
            for line in found.warnings
        ),
        verdict=tuple(verdict(found.against)),
        scores=(("macro-F1", scores.macro_f1, large), ("accuracy", scores.accuracy, large)),
        facts=facts if found.against is None else {**facts, "Compared with": found.against.name},
        history=script(found.history, output=output) if found.history else "",
    )


def _headline(scores: Scores) -> Iterator[Note]:
    """Say how to read the interval."""
    low, high = scores.macro_f1.low, scores.macro_f1.high
    share = f"{100 * scores.confidence:g} %"
    if scores.limits:
        yield from (Note(line, "warning", key="sentence", scope="limits") for line in scores.limits)
    elif low is None or high is None:
        yield page_note(
            "All photos are of one person, so nothing can be said about other people and no interval is given"
        )
    else:
        yield page_note(
            f"The whisker is this {share} interval over {scores.people:,} people, each with all their "
            f"photos: made so, {share} of intervals hold the score of all people like these.",
            lead="On other people like these the macro-F1 could as well have come out anywhere from "
            f"{decimal(low)} to {decimal(high)}.",
        )
        yield page_note(
            "it can come from who happened to be photographed rather than from the model.",
            lead="A difference in macro-F1 smaller than the whisker "
            f"({high - low:.3f} from end to end) may be noise:",
        )
    if scores.photos_without_person:
        yield page_note(
            "where they show the same people, the true interval is wider.",
            lead=f"For {scores.photos_without_person:,} of {scores.photos:,} photos the person is not known, "
            "and each counts as a person of its own;",
        )


def _counts(found: Evaluation) -> Table:
    scores = found.scores
    columns = (
        Column("photos", "photos", "count"),
        Column("people", "people", "count"),
        Column("", "classes", "count"),
        Column("", "held-out folds", "count"),
        Column("log_loss", "log loss", "decimal", 4),
    )
    folds = len(scores.folds.each) if scores.folds else ""
    cells = (scores.photos, scores.people, len(scores.classes), folds, found.log_loss)
    return Table(columns, (Row("", cells),), scope="all", look="facts")


def _scores(found: Evaluation) -> Table:
    scores = found.scores
    columns = (
        Column("macro_f1", "macro-F1", "score", 4, has_bar=True, is_main=True),
        Column("accuracy", "accuracy", "score", 4, has_bar=True),
    )
    rows = [Row("all classes", (scores.macro_f1, scores.accuracy), name="", scope="all")]
    rows += [Row(one.name, (one.macro_f1, one.accuracy), scope="factor") for one in scores.factors]
    after = f", after {' and '.join(found.adjusted)}" if found.adjusted else ""
    title = f"macro-F1 and accuracy, with {interval_words(scores.confidence)} over people{after}"
    alone = page_note("Each factor is scored alone, whatever the others were predicted to be")
    return Table(columns, tuple(rows), title, head=Column("scored", "scored"), notes=(alone,))


def _mistakes(confusion: Matrix) -> list[int]:
    """Return the wrong predictions of each truth."""
    return [sum(row) - row[place] for place, row in enumerate(confusion)]


def _classes(found: Evaluation, album: PhotoAlbum) -> Table:
    mean = page_note(
        "Macro-F1 is the mean of these F1, every class counting the same however few photos it has; a class "
        "found in neither truth nor predictions is left out"
    )
    table = _of_classes(
        found.scores.classes, Column("class", "class"), scope="class", at=("classes",), notes=(mean,)
    )
    return album.with_mistakes(
        table,
        _mistakes(found.scores.confusion),
        lambda one, name: not one.is_right and "/".join(one.truth) == name,
    )


def _of_classes(classes: Sequence[ClassScore], head: Column, **rest: Any) -> Table:
    marked = [one.people < RARE_PEOPLE for one in classes]
    mark = ("rare", f"fewer than {RARE_PEOPLE} people: that F1 rests on a handful of them")
    return Table.of(classes, CLASS_COLUMNS, marked=marked, mark=mark, head=head, **rest)


def _factors(scores: Scores, album: PhotoAlbum) -> Iterator[Item | tuple[Item, ...]]:
    """Show each factor's levels, and what they are taken for; a single factor is the classes again."""
    several = len(scores.factors) > 1
    for place, factor in enumerate(scores.factors):
        table = _of_classes(
            factor.levels, Column("level", factor.name), scope=f"factor {factor.name}", title=factor.name,
            at=("factors", place, "levels"), on="everywhere" if several else "programs",
        )  # fmt: skip
        names = [level.name for level in factor.levels]
        if several:
            table = album.with_mistakes(table, _mistakes(factor.confusion), _is_mistaken(place))
            yield table, album.behind_matrix(_heat_map(factor.confusion, names), itemgetter(place))
        else:
            yield table


def _is_mistaken(factor: int) -> Callable[[ShownPhoto, str], bool]:
    return lambda one, level: one.truth[factor] == level != one.answer[factor]


def _confusion(scores: Scores, album: PhotoAlbum) -> Iterator[Item]:
    names = [one.name for one in scores.classes]
    yield page_note(
        "Rows are the truth, columns the predictions, cells count photos. The deeper the colour, the larger "
        "the share of the row: blue what is right, orange what is mistaken."
    )
    if len(names) <= WIDEST_MATRIX:
        yield album.behind_matrix(_heat_map(scores.confusion, names))
        yield page_note(
            "Each cell opens its photos" if album.shown else "With --photos, each cell opens its photos"
        )
    else:
        matrix = f"The matrix of {len(names):,} classes"
        yield page_note(f"{matrix} is too wide for a page; it is in the JSON output")
    columns = (
        Column("", "prediction"),
        Column("", "photos", "count", is_main=True),
        Column("", "share of truth", "share", 0),
    )
    if rows := tuple(largest_mistakes(scores)):
        table = Table(columns, rows, "Largest mistakes", head=Column("truth", "truth"), on="page")
        yield album.behind_mistakes(table)


def _heat_map(confusion: Matrix, names: Sequence[str]) -> Table:
    columns = (*(Column("", name, "count") for name in names), Column("", "photos", "total"))
    rows = tuple(Row(name, (*counts, sum(counts))) for name, counts in zip(names, confusion, strict=True))
    head = Column("", "truth \N{DOWNWARDS ARROW} prediction \N{RIGHTWARDS ARROW}")
    return Table(columns, rows, head=head, look="heat", on="page")


def largest_mistakes(scores: Scores, *, most: int = 10) -> list[Row]:
    """Return what is most often taken for something else, for what, how often, and of what share of it."""
    names = [one.name for one in scores.classes]
    rows = [
        Row(names[truth], (names[answer], count, count / sum(counts)))
        for truth, counts in enumerate(scores.confusion)
        for answer, count in enumerate(counts)
        if count and answer != truth
    ]
    return sorted(rows, key=lambda row: -int(str(row.cells[1])))[:most]


def _folds(found: Evaluation, album: PhotoAlbum) -> Iterator[Item]:
    folds = found.scores.folds
    if folds is None:
        return
    columns = (
        Column("macro_f1", "macro-F1", "decimal", 4, is_main=True),
        Column("accuracy", "accuracy", "decimal", 4),
        *COUNTS,
    )
    table = Table.of(folds.each, columns, name="fold")
    mean = Row("mean", (folds.macro_f1, folds.accuracy, "", ""), is_foot=True)
    each = page_note(
        "Each fold scored by itself. The headline pools all photos instead, which is steadier for classes of "
        "which a fold holds few."
    )
    table = Table(
        columns, (*table.rows, mean), head=Column("fold", "held-out fold"), scope="fold",
        at=("folds", "each"), notes=(each,),
    )  # fmt: skip
    wrong = [round(one.photos * (1 - one.accuracy)) for one in folds.each]
    yield album.with_mistakes(
        table, (*wrong, ""), lambda one, fold: not one.is_right and str(one.fold) == fold
    )
