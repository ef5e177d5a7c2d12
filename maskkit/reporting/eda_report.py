"""The report of `maskkit eda` on one set: who is in it, what is rare, what the photos are like."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from maskkit.describing.eda_results import DuplicatePairs, Eda, Pictures
from maskkit.describing.groups import BETA, Distribution, Rare
from maskkit.describing.photo_properties import NEAR, QUANTILES, Ages, Histogram
from maskkit.reporting.plots import BarChart
from maskkit.reporting.report import Item, Items, PhotoSheet, Report, Section
from maskkit.reporting.table import PRIVATE, Audience, Column, Note, Photo, Row, Table, page_note
from maskkit.reporting.writing import decimal

MOST_SHOWN, MOST_ON_PAGE = 40, 400  # rows of a table; the JSON has all
MOST_NAMED = 3  # pairs of duplicates of a kind

GROUP_COLUMNS = (
    Column("people", "people", "count", has_bar=True, is_main=True),
    Column("people_imbalance", "imbalance of people", "decimal", digits=1),
    Column("effective_people", "effective people", "decimal", digits=0),
    Column("photos", "photos", "count"),
    Column("photos_imbalance", "imbalance of photos", "decimal", digits=1, on="not on a terminal"),
    Column("effective_photos", "effective photos", "decimal", digits=0, on="not on a terminal"),
)


def eda_report(
    found: Eda, *, history: str = "", sheets: Mapping[str, Sequence[Photo]] | None = None
) -> Report:
    """Lay out what was found of a set, with the photos of each contact sheet by its title.

    `history` are the commands that made the manifest, one per line, empty if none did.
    """
    ages = ", ".join(one.name for one in found.ages)
    photos = [PhotoSheet(title, tuple(shown)) for title, shown in (sheets or {}).items()]
    sections = (
        Section("", tuple(_headline(found))),
        Section("Classes", tuple(_classes(found))),
        Section("Factors against each other", tuple(_factors(found))),
        Section("Folds", tuple(_groups(found, found.folds, ("folds",)))),
        Section(
            ages.capitalize(), tuple(item for place in range(len(found.ages)) for item in _ages(found, place))
        ),
        Section("What is rare", tuple(_rare(found.rare))),
        Section("Left out", tuple(_left_out(found))),
        Section("Photos", tuple(_look(found.pictures))),
        Section("Duplicates", tuple(_duplicates(found.pictures))),
        Section("Contact sheets", (PRIVATE, *photos) if photos else ()),
    )
    return Report(
        title=f"The data of {found.name}",
        data=found.to_json(),
        sections=sections,
        history=history,
        header="facts",
    )


def _headline(found: Eda) -> Iterator[Item]:
    columns = (
        *(Column(name, name, "count") for name in ("photos", "labelled", "people")),
        Column("photos_without_person", "photos without a person", "count"),
    )
    yield Note(found.name, on="terminal")
    yield Table.of([found], columns, name="", scope="all", look="facts")
    if found.photos_without_person:
        yield Note("Where people are counted, a photo without a person counts as one")
    if found.per_person:
        people = (Column("people", "people", "count", field="1", has_bar=True),)
        yield Table.of(
            found.per_person, people, name="0", title="photos per person", head=Column("photos", "photos"),
            scope="photos per person", at=("per_person",), most_shown=10,
        )  # fmt: skip


def _classes(found: Eda) -> Iterator[Item]:
    """Show each class, and each level of each factor."""
    yield from _groups(found, found.classes, ("classes",))
    for place, one in enumerate(found.factors):
        yield from _groups(found, one, ("factors", place))
    if found.classes or found.factors:
        yield Note(
            "Imbalance: how many times as large the largest is. Effective: the effective number (Cui et al. "
            f"2019, β = {BETA}), which counts what a further photo or person adds"
        )


def _groups(found: Eda, table: Distribution | None, at: tuple[str | int, ...]) -> Iterator[Item]:
    if table is None:
        return
    under = found.rare.under if found.rare else 0
    unknown = f"{table.name.capitalize()} is not known of {table.unknown_photos:,} photos"
    yield Table.of(
        table.groups, GROUP_COLUMNS, title="" if at == ("folds",) else table.name, scope=table.name,
        notes=(Note(unknown),) if table.unknown_photos else (),
        head=Column("", table.name), at=(*at, "groups"),
        marked=[group.people < under for group in table.groups],
        mark=("rare", f"fewer than {under} people: a score of it rests on a handful of them"),
        most_shown=MOST_SHOWN, most_on_page=MOST_ON_PAGE,
    )  # fmt: skip


def _factors(found: Eda) -> Iterator[Items]:
    """Show each two factors; a terminal those that a person has one level of."""
    maps = []
    for place, table in enumerate(found.tables):
        is_trait = not found.traits or all(name in found.traits for name in table.name.split(" x "))
        maps.append(_heat_map(table, on="people" if is_trait else "page"))
        yield Table.of(
            table.groups, GROUP_COLUMNS, scope=table.name, at=("tables", place, "groups"), on="programs"
        )
    if maps:
        yield tuple(maps)


def _heat_map(table: Distribution, *, on: Audience) -> Table:
    """Lay out people and photos, coloured by the people."""
    width = table.shape[-1]
    rows = [table.groups[start : start + width] for start in range(0, len(table.groups), width)]
    return Table(
        tuple(Column("", group.name.split("/")[-1], "pair") for group in rows[0]),
        tuple(
            Row(row[0].name.split("/")[0], tuple((group.people, group.photos) for group in row))
            for row in rows
        ),
        f"people/photos, {table.name}",
        look="heat",
        on=on,
    )


def _ages(found: Eda, place: int) -> Iterator[Item]:
    one = found.ages[place]
    rows = tuple(
        Row(name, (people, photos), group=_band(one, edge))
        for name, edge, people, photos in zip(
            _ranges(one.people), one.people.edges, one.people.counts, one.photos.counts, strict=False
        )
    )
    columns = (Column("people", "people", "count", has_bar=True), Column("photos", "photos", "count"))
    title = f"People by {one.name}; lines are the edges of its levels"
    yield BarChart(title, one.name, "people", one.people.edges, one.people.counts, one.cuts)
    yield Table(
        columns, rows, f"people by {one.name}", head=Column("", one.name), scope=f"{one.name} histogram",
        on="not on a page",
    )  # fmt: skip
    for cut, (low, high) in zip(one.cuts, one.near, strict=True):
        yield Note(
            f"{one.name.capitalize()} {cut:g}: {low:,} people are less than {NEAR} below it, and {high:,} at "
            f"it or less than {NEAR} above; their level is the least certain"
        )


def _band(one: Ages, edge: float) -> str:
    """Name the level that a number is in."""
    if not one.cuts:
        return ""
    place = bisect(one.cuts, edge)
    if place == 0:
        return f"below {one.cuts[0]:g}"
    end = "and above" if place == len(one.cuts) else f"to {one.cuts[place]:g}"
    return f"{one.cuts[place - 1]:g} {end}"


def _ranges(histogram: Histogram) -> list[str]:
    edges = histogram.edges
    whole = all(float(edge).is_integer() for edge in edges)
    return [
        f"{low:g}" if whole and high == low + 1 else f"{low:g}-{high - 1 if whole else high:g}"
        for low, high in pairwise(edges)
    ]


def _rare(rare: Rare | None) -> Iterator[Item]:
    if rare is None:
        return
    if not rare.found:
        yield Note(f"Every combination of factors has {rare.under} people or more")
        return
    absent = sum(one.people == 0 for one in rare.found)
    columns = (Column("people", "people", "count", is_main=True), Column("", "photos", "count"))
    yield Table(
        columns,
        tuple(Row(", ".join(map(" ".join, one.levels)), (one.people, one.photos)) for one in rare.found),
        f"combinations that fewer than {rare.under} people have",
        head=Column("", "combination"),
        scope="rare",
        at=("rare", "found"),
        most_shown=15,
        most_on_page=60,
    )
    if absent:
        yield Note(f"{absent:,} of them are of nobody; what contains such a one is not listed again")


def _left_out(found: Eda) -> Iterator[Item]:
    if found.left_out:
        yield Note("Photos that label found missing or broken; they are not counted anywhere here")
        yield _faults(found.left_out, "photos left out", scope="left out", at=("left_out",))


def _faults(faults: Sequence[tuple[str, str]], what: str, *, scope: str, at: tuple[str | int, ...]) -> Table:
    return Table.of(
        faults, (Column("why", "why", field="1"),), name="0", title=f"{len(faults):,} {what}",
        head=Column("", "photo"), scope=scope, at=at, most_shown=MOST_SHOWN, most_on_page=100,
    )  # fmt: skip


def _look(pictures: Pictures | None) -> Iterator[Items]:
    """Show the properties of the readable photos."""
    if pictures is None:
        return
    look = pictures.look
    titles = {0.0: "minimum", 0.01: "quantile 0.01", 0.5: "median", 0.99: "quantile 0.99", 1.0: "maximum"}
    columns = (
        Column("mean", "mean", "short", is_main=True),
        Column("std", "std", "short"),
        *(
            Column(title.replace(" ", "_"), title, "short", field=f"quantiles.{QUANTILES.index(share)}")
            for share, title in titles.items()
        ),
        Column("", "spread", "spark", field="histogram.counts", on="terminal"),
    )
    at: tuple[str, ...] = ("pictures", "look")
    yield Table.of(
        look.spreads, columns, title=f"{look.photos:,} readable photos", head=Column("", "property"),
        scope="property", at=(*at, "spreads"),
    )  # fmt: skip
    if pictures.half:
        yield Note(
            "JPEGs were decoded at half their size: sharpness is that of the half, and can only be "
            "compared with other halves"
        )
    varied = (one for one in look.spreads if not one.is_constant)
    yield tuple(
        BarChart(one.name, one.name, "photos", one.histogram.edges, one.histogram.counts) for one in varied
    )
    yield page_note(
        "The outermost bars also count the half per cent of the photos beyond each end. Brightness and "
        "contrast are the mean and the standard deviation of the luma, from 0 to 1; sharpness is the "
        "variance of its Laplacian"
    )
    colours = (Column("mean", "mean"), Column("std", "std"))
    yield Table.of([look], colours, name="", scope="colour", on="programs")
    yield Note("For maskkit train:")
    mean, std = (",".join(decimal(value, 4) for value in values) for values in (look.mean, look.std))
    yield Note(f"--normalize {mean}/{std}", "code")
    photos = (Column("photos", "photos", "count", field="1", has_bar=True),)
    yield tuple(
        Table.of(
            counts, photos, name="0", title=f"{what}s", head=Column("", what), scope=what,
            at=(*at, f"{what}s"), most_shown=3, most_on_page=8,
        )
        for what, counts in (("size", look.sizes), ("format", look.formats))
    )  # fmt: skip
    if pictures.faults:
        yield _faults(pictures.faults, "unreadable photos", scope="unreadable", at=("pictures", "faults"))


def _duplicates(pictures: Pictures | None) -> Iterator[Item]:
    if pictures is not None:
        twins = pictures.twins
        yield Note(f"{twins.photos:,} photos are in {twins.groups:,} groups that look alike")
        yield from duplicates(twins.kinds, at=("pictures", "twins", "kinds"))


def duplicates(
    kinds: Sequence[DuplicatePairs], *, scope: str = "duplicates", suffix: str = "", at: tuple[str, ...] = ()
) -> Iterator[Item]:
    """Show how many duplicates there are of each kind, and examples of the kinds that should not be.

    The kinds are of one set, or, with a suffix of the measures' names, those between two; `at` is where they
    are in the JSON.
    """
    columns = (
        Column(f"exact{suffix}", "exact", "count", field="exact"),
        Column(f"near{suffix}", "near", "count", field="near"),
        Column("", "for example", wraps=True),
    )
    rows = []
    for one in kinds:
        named = () if one.name == "all" and len(kinds) > 1 else one.named[:MOST_NAMED]
        examples = "\n".join(f"{pair.one} {'=' if pair.is_exact else '~'} {pair.other}" for pair in named)
        rows.append(Row(one.name, (one.exact, one.near, examples), name="" if suffix else None))
    head = Column("", "pairs", wraps=True)
    yield Table(columns, tuple(rows), "pairs of duplicates", head=head, scope=scope, at=at)
    yield Note(
        "= the same bytes, ~ nearly the same picture: at most 32 of 256 bits of a perceptual hash differ. "
        "Mirrored and strongly cropped copies are not found"
    )
