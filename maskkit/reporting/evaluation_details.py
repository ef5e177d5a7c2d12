"""Parts of the report of `maskkit evaluate`: slices, cuts, calibration, mistakes, and other predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from maskkit.reporting.comparison_report import disagreement, measure_title
from maskkit.reporting.photo_album import PhotoAlbum
from maskkit.reporting.plots import Chart, Mark, PlotLine
from maskkit.reporting.report import Item
from maskkit.reporting.table import PRIVATE, Column, Note, Photo, Row, Table, page_note
from maskkit.reporting.writing import decimal
from maskkit.scoring.boundary import Boundary, Step
from maskkit.scoring.calibration import Calibration
from maskkit.scoring.changed_answers import Against, some_changed
from maskkit.scoring.gaps import FEWEST, Gap
from maskkit.scoring.mistakes import WrongAnswer
from maskkit.scoring.results import FEW_PEOPLE
from maskkit.scoring.shown_photos import ShownPhoto
from maskkit.scoring.slice_scores import Slicing

if TYPE_CHECKING:
    from maskkit.reporting.pictured import Pictured  # which opens photos

MOST_MISTAKES = 20  # on a terminal
MOST_CHANGED = 12  # photos that are named, half of them worse and half better; JSON has more
COUNTS = (Column("photos", "photos", "count"), Column("people", "people", "count"))


def interval_words(confidence: float) -> str:
    """Say which intervals are given."""
    return f"{100 * confidence:.4g} % intervals"


def sliced(slices: Sequence[Slicing], confidence: float, album: PhotoAlbum) -> Iterator[Item]:
    """Show the scores of parts of the photos."""
    for place, slicing in enumerate(slices):
        factors = list(slicing.slices[0].factors) if slicing.slices else []
        columns = (
            Column("accuracy", "accuracy", "score", has_bar=True, is_main=True),
            *(Column(f"{name}_accuracy", name, "decimal", field=f"factors.{name}") for name in factors),
            Column("macro_f1", "macro-F1", "score"),
            Column("share", "share", "share"),
            *COUNTS,
        )
        over = Note(
            f"{interval_words(confidence)} are over the people of each slice; macro-F1 is over the classes "
            "that it has: compare it between slices of the same classes only"
        )
        table = Table.of(
            slicing.slices, columns, title=f"by {slicing.by}", scope=f"slice {slicing.by}",
            at=("slices", place, "slices"), notes=(over,),
            marked=[one.is_few for one in slicing.slices],
            mark=("few people", f"fewer than {FEW_PEOPLE} people: too few to read anything off"),
        )  # fmt: skip
        wrong = [round(one.photos * (1 - (one.accuracy.value or 0))) for one in slicing.slices]
        yield album.with_mistakes(table, wrong, _is_in(slicing.by))


def _is_in(by: str) -> Callable[[ShownPhoto, str], bool]:
    return lambda one, name: not one.is_right and one.slices[by] == name


def gaps(found: Sequence[Gap], confidence: float) -> Iterator[Item]:
    """Show how far the best and the worst level of each factor are apart."""
    if not found:
        return
    columns = (
        Column("gap", "gap in accuracy", "score", is_main=True),
        Column("best", "best"),
        Column("worst", "worst"),
        Column("verdict", "verdict", wraps=True),
    )
    how = Note(
        f"{interval_words(confidence)} over people; they allow for the two being the best and the worst by "
        f"chance. Levels of fewer than {FEWEST} people are left out"
    )
    yield Table.of(
        found, columns, name="by", head=Column("by", "by"), scope="gap", at=("gaps",), notes=(how,)
    )


STEP_COLUMNS = (Column("error", "error", "score", has_bar=True, is_main=True), *COUNTS)


def beside_cuts(found: Sequence[Boundary]) -> Iterator[Item | tuple[Item, ...]]:
    """Show the errors of each factor by the distance from the nearest cut, of all cuts and of each."""
    if found:
        yield page_note(
            "How often a factor that is cut from a number is predicted wrongly, by how far the number is "
            "from the nearest cut: below it to the left, from the cut on to the right. Errors beside a "
            "cut are expected; far from every cut they are of another kind, such as wrong labels."
        )
    for place, one in enumerate(found):
        at = ("boundaries", place, "steps")
        if one.cut is None:
            each = [other for other in found if other.factor == one.factor and other.cut is not None]
            yield _errors_chart(one, each), _errors_table(one, each, at)
        else:
            scope = f"boundary {one.factor} {one.cut:g}"
            yield Table.of(one.steps, STEP_COLUMNS, name="label", scope=scope, at=at, on="programs")


def _errors_table(whole: Boundary, each: Sequence[Boundary], at: tuple[str | int, ...]) -> Table:
    errors = [{step.label: step.error.value for step in one.steps} for one in each]
    table = Table.of(whole.steps, STEP_COLUMNS, name="label")
    rows = tuple(Row(row.title, (*row.cells, *(one.get(row.title) for one in errors))) for row in table.rows)
    unknown = Note(f"{whole.unknown:,} photos without a number are left out")
    return Table(
        (*STEP_COLUMNS, *(Column("", f"cut {one.cut:g}", "decimal") for one in each)), rows,
        f"error of {whole.factor}, by how far it is from the nearest cut",
        head=Column("distance", "distance"), scope=f"boundary {whole.factor}", at=at,
        notes=(unknown,) if whole.unknown else (),
    )  # fmt: skip


def _errors_chart(whole: Boundary, each: Sequence[Boundary]) -> Chart:
    ends = [(step.error.low, step.error.high) for step in whole.steps]
    intervals = [None if low is None or high is None else (low, high) for low, high in ends]
    lines = [PlotLine("all cuts, with interval", *_points(whole.steps), intervals=intervals)]
    lines += [PlotLine(f"nearest to {one.cut:g}", *_points(one.steps)) for one in each]
    along = f"{whole.factor} less the nearest cut"
    return Chart(f"Error of {whole.factor}", along, tuple(lines), marks=(Mark(0, "cut"),))


def _points(steps: Sequence[Step]) -> tuple[list[float], list[float]]:
    return [step.distance for step in steps], [_or_nan(step.error.value) for step in steps]


def calibrated(found: Calibration | None) -> Iterator[Item | tuple[Item, ...]]:
    """Show how often predictions are right, by how sure the model was."""
    if found is None:
        return
    is_too_sure = found.confidence > found.accuracy
    how = "surer of itself than it should be" if is_too_sure else "less sure of itself than it could be"
    yield Note(
        f"On average predictions have a confidence of {decimal(found.confidence)}, and "
        f"{decimal(found.accuracy)} of them are right: the model is {how}"
    )
    measures = (
        Column("ece", "expected calibration error (ECE)", "decimal", 4),
        Column("max_error", "max error of a bin", "decimal", 4),
        Column("brier", "Brier score", "decimal", 4),
    )
    yield Table.of([found], measures, name="", scope="calibration", look="facts")
    columns = (
        Column("confidence", "confidence", "decimal"),
        Column("accuracy", "accuracy", "decimal", is_main=True),
        Column("photos", "photos", "count", has_bar=True),
    )
    bins = [one for one in found.bins if one.photos]
    rows = []
    for one in bins:
        name = f"{one.low:.4g}-{one.high:.4g}"
        cells = (one.confidence, one.accuracy, one.photos)
        rows.append(Row(f"{one.low:.2f}-{one.high:.2f}", cells, name=name))
    rows.append(Row("all", (found.confidence, found.accuracy, found.photos), is_foot=True))
    said, right = ([_or_nan(getattr(one, name)) for one in bins] for name in ("confidence", "accuracy"))
    lines = (
        PlotLine("these predictions", said, right, intervals=[None] * len(bins)),
        PlotLine("perfectly calibrated", [0, 1], [0, 1], is_faint=True),
    )
    along = "confidence"
    notes = (page_note("Bins of few photos are off by several hundredths by chance alone"),)
    table = Table(columns, tuple(rows), head=Column("bin", "bin"), scope="calibration", notes=notes)
    yield Chart("Accuracy by confidence", along, lines), table


def worst_mistakes(mistakes: Sequence[WrongAnswer], pictures: Mapping[str, Pictured]) -> Iterator[Item]:
    """Show the photos that the model was most wrong about."""
    if not mistakes:
        return
    yield page_note(
        "Wrong predictions for which the truth was thought the least likely. A wrong label looks the same: "
        "see whether it is the model that is mistaken."
    )
    if pictures:
        yield PRIVATE
    columns = (
        Column("truth", "truth"),
        Column("prediction", "prediction", on="programs"),
        Column("", "taken for", is_main=True),
        Column("confidence", "confidence", "decimal"),
        Column("truth_probability", "truth probability", "decimal"),
        Column("loss", "loss", "decimal", on="programs"),
        Column("", "from the cut"),
        Column("", "person", on="page", is_shared=True),
        Column("", "fold", on="page"),
    )
    rows = tuple(
        Row(
            one.path,
            (
                one.truth, one.prediction, one.taken_for, one.confidence, one.truth_probability, one.loss,
                ", ".join(f"{of} {value:g} ({one.distances[of]:+g})" for of, value in one.numbers.items()),
                one.person, one.fold,
            ),
            photos=_photos(one.path, pictures.get(one.path)),
        )
        for one in mistakes
    )  # fmt: skip
    people = len({one.person or one.path for one in mistakes})
    seen = page_note(
        "Bright places count for the class below the picture, by the model that has not seen the person "
        "(Grad-CAM, Selvaraju et al. 2017). A picture without any: nothing counts for that class. The map "
        "is a few cells wide."
    )
    named = Note(f"{len(mistakes)} photos of {people} people; in brackets: the distance from the nearest cut")
    has_heats = any(one.heats for one in pictures.values())
    yield Table(
        columns, rows, head=Column("photo", "photo"), scope="mistake", look="cards" if pictures else "table",
        notes=(named, seen) if has_heats else (named,), most_shown=MOST_MISTAKES, at=("mistakes",),
    )  # fmt: skip


def _photos(path: str, pictured: Pictured | None) -> tuple[Photo, ...]:
    if pictured is None:
        return ()
    return (Photo(path, pictured.photo), *(Photo(path, heat, label) for label, heat in pictured.heats))


def verdict(found: Against | None) -> Iterator[Note]:
    """Say what the comparison with other predictions comes to."""
    if found is None:
        return
    yield Note(found.versus.sentence, "verdict")
    only = found.versus.only
    if only is not None:
        yield Note(
            f"right where the other is wrong: {only.second:,} photos against {only.first:,}; more photos "
            f"right of {only.people_second:,} people against {only.people_first:,}: read the test over "
            "people, as photos of one person are right or wrong together",
            on="terminal",
        )
    yield from (Note(note, on="terminal") for note in found.notes)


def comparison(found: Against | None) -> Iterator[Item]:
    """Show how these predictions differ from others on the same photos."""
    if found is None:
        return
    versus = found.versus
    first, label, scope = versus.first, versus.label, f"less {versus.first}"
    yield Note(found.versus.sentence, key="sentence", scope=scope, on="programs")
    title = f"difference, {interval_words(versus.confidence)}"
    columns = (
        Column("difference", title, "difference", 4, is_main=True),
        Column("", ""),
        Column("", label, "decimal", 4),
        Column("", first, "decimal", 4),
    )
    rows = []
    for name, one in (versus.difference or {}).items():
        cells = (one, "inside the noise" if one.is_noise else "", found.own[name], found.other[name])
        rows.append(Row(measure_title(name), cells, name="", measure=name))
    how = page_note(
        f"Both are scored on the same {found.photos:,} photos of {found.people:,} people. Where an "
        "interval holds 0, the difference is inside the noise: who happened to be photographed explains "
        "it as well."
    )
    notes = (how, *map(page_note, found.notes))
    title = f"{label} less {first}, on the same {found.photos:,} photos of {found.people:,} people"
    yield Table(columns, tuple(rows), title, scope=scope, notes=notes)
    yield from disagreement([versus], first, name="")
    tests = (
        Column("p_people", "p over people (sign test)", "chance"),
        Column("p_photos", "p over photos (McNemar's test)", "chance"),
        Column("is_noise", "inside the noise", "flag"),
    )
    which = page_note(
        "Probabilities of so uneven counts by chance alone, by exact tests. The one over people is to be "
        "read: McNemar's takes a person's photos for independent, and they are right or wrong together."
    )
    yield Table.of([found.facts()], tests, name="", scope=scope, look="facts", notes=(which,))


def changed(found: Against | None) -> Iterator[Item]:
    """Name photos that one of the two has right: to programs all of them."""
    if found is None or not found.changed:
        return
    only = found.versus.only
    right = only.first + only.second if only else 0
    how = {True: "now right", False: "now wrong"}
    columns = tuple(Column("", title) for title in ("truth", found.versus.first, found.versus.label, ""))
    some = some_changed(found.changed, MOST_CHANGED)
    yield Table(
        columns,
        tuple(Row(one.path, (one.truth, one.other, one.prediction, how[one.is_right])) for one in some),
        f"{found.predictions_changed:,} predictions changed; one of the two is right on {right:,}",
        head=Column("photo", "photo"),
        on="people",
    )
    yield Table(
        (Column("prediction", "prediction"),),
        tuple(Row(one.path, (one.prediction,), measure=how[one.is_right]) for one in found.changed),
        scope="changed",
        at=("against", "changed"),
        on="programs",
    )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
