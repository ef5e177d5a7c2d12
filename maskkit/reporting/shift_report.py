"""The report of `maskkit eda` on two sets: how they differ, what is in both, what tells them apart."""

from __future__ import annotations

from collections.abc import Iterator

from maskkit.describing.set_comparison import Comparison
from maskkit.describing.two_sample import LEAST, TwoSample
from maskkit.errors import examples
from maskkit.reporting.eda_report import MOST_ON_PAGE, MOST_SHOWN, duplicates
from maskkit.reporting.report import Item, Report, Section
from maskkit.reporting.table import Column, Note, Row, Table, page_note
from maskkit.reporting.writing import decimal, percent
from maskkit.scoring.results import Estimate

PLACES = ("first", "second")
MOST_PEOPLE = 5  # that are named


def shift_report(found: Comparison) -> Report:
    """Lay out how two sets differ."""
    test = found.two_sample
    auc = Column("", "95 % interval", "score", has_bar=True)
    sections = (
        Section("", tuple(_headline(found))),
        Section("Property by property", tuple(_properties(found))),
        Section("In both sets", tuple(_shared(found))),
        Section("What tells them apart", tuple(_losses(test))),
    )
    return Report(
        title=" and ".join(found.names),
        data=found.to_json(),
        sections=sections,
        verdict=(Note(verdict(found), "verdict"),),
        scores=(("AUC", Estimate(test.auc, test.low, test.high), auc),) if test else (),
        header="facts",
    )


def verdict(found: Comparison) -> str:
    """Say in a sentence or two what the comparison found."""
    words = []
    if found.people:
        words.append(f"{len(found.people)} people are in both: {examples(found.people)}")
    if pairs := found.duplicates.exact + found.duplicates.near:
        words.append(f"{pairs} pairs of duplicates are between the sets")
    test = found.two_sample
    if test is None:
        words.append(f"the sets are too small for a two-sample test: it takes {LEAST} people or more of each")
    elif test.is_apart:
        most = ", ".join(name for name, loss in test.losses[:3] if loss > 0)
        by = f", most by {most}" if most else ""
        words.append(f"a classifier tells the sets apart with an AUC of {test.auc:.3f}{by}")
    elif test.p is None:
        words.append(
            f"a classifier's AUC is {test.auc:.3f}, but with so few known people nobody can say whether it "
            "tells the sets apart by who is on the photos"
        )
    else:
        words.append(f"a classifier does not tell the sets apart: AUC {test.auc:.3f}")
    text = "; ".join(words)
    return f"{text[0].upper()}{text[1:]}"


def _headline(found: Comparison) -> Iterator[Item]:
    columns = (
        Column("", "name"), Column("photos", "photos", "count"), Column("unreadable", "unreadable", "count"),
    )  # fmt: skip
    cells = zip(found.names, found.photos, found.faults, strict=True)
    rows = tuple(Row(place, each) for place, each in zip(PLACES, cells, strict=True))
    test = found.two_sample
    if test is not None:
        yield page_note(
            "A classifier looked at brightness, colour, sharpness and compression and guessed the set of "
            f"each of {test.photos:,} photos, after learning from others: of a photo of each set, it puts "
            f"{percent(test.auc)} in the right order, where 50% is guessing"
        )
        yield page_note(_method(test))
    yield Table(columns, rows, head=Column("", "set"), scope="photos")


def _method(test: TwoSample) -> str:
    """Say how the classifier was tested, and what it reaches where there is no difference."""
    text = (
        f"Classifier two-sample test (Lopez-Paz and Oquab 2017) by boosted trees, {test.folds} folds. "
        f"{test.groups:,} groups of photos that belong together, a person's and near-copies, were not "
        "divided."
    )
    if test.low is not None:
        text += " The interval (Obuchowski 1997) is over these groups."
    return f"{text} {_chance(test)}".strip()


def _chance(test: TwoSample) -> str:
    if test.same is None:
        return ""
    one = test.same
    reached = f"{decimal(one.mean)} on average, at most {decimal(one.highest)}"
    if one.is_of_one_set:
        return (
            "The people of one set are not known, so it may have learnt from other photos of those that it "
            f"guessed. How far that goes, {one.divisions} divisions of the other set by people show, whose "
            f"parts do not differ: {reached}."
        )
    return (
        f"Where all people are shuffled over two sets, which then do not differ, {one.divisions} times, it "
        f"reaches {reached}."
    )


def _properties(found: Comparison) -> Iterator[Item]:
    columns = (
        Column("first", "first", "short"),
        Column("second", "second", "short"),
        Column("standardised", "standardised", "signed", digits=2, is_main=True),
        Column("auc", "AUC", "decimal"),
        Column("", "from 0.5", "bar", on="people"),
    )
    rows = tuple(
        Row(one.name, (one.first, one.second, one.standardised, one.auc, abs(2 * one.auc - 1)))
        for one in found.differences
    )
    yield Table(
        columns, rows, "the photos", head=Column("", "property"), scope="property", at=("differences",)
    )
    yield Note(
        "standardised: difference in standard deviations; above 0.1 it is taken to matter (Austin 2009). "
        "AUC: of a photo of each set, how often the second has more"
    )
    if found.half:
        yield Note("JPEGs were decoded at half their size")
    shares = tuple(Column(place, place, "share", digits=1, has_bar=True) for place in PLACES)
    for name in ("sizes", "formats", "classes"):
        if one := getattr(found, name):
            scope = {"classes": "class"}.get(name, name[:-1])
            yield Table.of(
                one, shares, title=f"{name}: share of each set", head=Column("", scope), scope=scope,
                at=(name,), most_shown=MOST_SHOWN, most_on_page=MOST_ON_PAGE,
            )  # fmt: skip


def _shared(found: Comparison) -> Iterator[Item]:
    people = (Column("people", "people", "count"),)
    yield Table(people, (Row("", (len(found.people),)),), scope="in both", on="programs")
    if found.people:
        more = len(found.people) - MOST_PEOPLE
        yield Note(
            f"{len(found.people):,} people are in both: {', '.join(found.people[:MOST_PEOPLE])}"
            f"{f' and {more:,} more' if more > 0 else ''}"
        )
    else:
        yield Note("No person is known to be in both")
    yield from duplicates([found.duplicates], scope="in both", suffix="_duplicates")


def _losses(test: TwoSample | None) -> Iterator[Item]:
    """Show the test, and what each feature is worth to the classifier."""
    if test is None:
        return
    people = Column("", "AUC", "score", on="terminal")
    exact = [Column(name, name, "decimal", on="programs") for name in ("auc", "low", "high")]
    chance = Column("p", "p", "chance")
    counts = (Column("photos", "photos", "count"), Column("groups", "groups (people, near-copies)", "count"))
    auc = Estimate(test.auc, test.low, test.high)
    yield Table(
        (people, *exact, chance, *counts),
        (Row("", (auc, test.auc, test.low, test.high, test.p, test.photos, test.groups)),),
        look="facts",
        scope="two-sample test",
        notes=(Note(_chance(test), on="terminal"),) if test.same else (),
    )
    columns = (
        Column("auc_lost_without", "AUC lost without it", "decimal", field="1", is_main=True),
        Column("", "", "bar", on="people"),
    )
    rows = tuple(Row(name, (loss, max(0.0, 2 * loss))) for name, loss in test.losses)
    yield Table(
        columns, rows, "a classifier of the sets", head=Column("", "feature"), scope="two-sample test",
        at=("two_sample", "losses"),
    )  # fmt: skip
    yield page_note(
        "Features that say the same cover for each other here; the table of properties looks at each by "
        "itself"
    )
