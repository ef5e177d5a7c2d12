"""Tables of a set of photos, for a terminal or flattened for pipes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from maskkit.cli.charts import MOST_NAMED, bar, pair_table, ratio, scale_note, short, spark
from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.describing.eda_results import Eda, Pictures
    from maskkit.describing.groups import Combination, Distribution, Group, Rare
    from maskkit.describing.photo_properties import Ages, Histogram

Fact = tuple[str, str, str, object]

MOST_ROWS = 40  # of classes and the like; JSON has all
MOST_RARE = 15
GROUP_MEASURES = (
    "photos",
    "people",
    "effective_photos",
    "effective_people",
    "photo_imbalance",
    "people_imbalance",
)


def eda_tables(found: Eda) -> Iterator[Table | str]:
    """Show who is in a set, what is rare, and what the photos are like; a text follows its table."""
    from maskkit.describing.groups import BETA

    yield _headline(found)
    groups = [one for one in (found.classes, *found.factors, found.folds) if one is not None]
    if groups:
        yield _group_table(groups)
        yield f"1:    the largest of its kind over this\neff.  the effective number, beta {BETA}"
    for table in found.tables:
        if not found.traits or all(name in found.traits for name in table.name.split(" x ")):
            yield _cross_table(table)
    for ages in found.ages:
        yield _age_table(ages)
        near = zip(ages.cuts, ages.near, strict=True)
        lines = [
            f"{cut:g}: {low} people less than 2 below, {high} less than 2 above" for cut, (low, high) in near
        ]
        yield "\n".join(lines)
    if found.rare is not None:
        yield _rare_table(found.rare)
        absent = sum(one.people == 0 for one in found.rare.found)
        if len(found.rare.found) > MOST_RARE:
            more = len(found.rare.found) - MOST_RARE
            yield f"and {more} more (--json has all); {absent} of all are of nobody"
    if found.left_out:
        yield _fault_table("photos left out by label", found.left_out)
    if found.pictures is not None:
        yield from _picture_tables(found.pictures)


def eda_facts(found: Eda) -> Iterator[Fact]:
    """Flatten what was found of a set to rows of scope, name, measure, value."""
    for name in ("photos", "labelled", "people", "alone"):
        yield "all", "", {"alone": "photos_without_person"}.get(name, name), getattr(found, name)
    for size, people in found.per_person:
        yield "photos per person", str(size), "people", people
    for table in (found.classes, *found.factors, *found.tables, found.folds):
        if table is not None:
            yield from _group_facts(table)
    for ages in found.ages:
        for name, (people, photos) in zip(_ranges(ages.people), _both(ages), strict=True):
            yield f"{ages.name} histogram", name, "people", people
            yield f"{ages.name} histogram", name, "photos", photos
    for one in found.rare.found if found.rare else ():
        yield "rare", _combination(one), "people", one.people
    for path, why in found.left_out:
        yield "left out", path, "why", why
    if found.pictures is not None:
        yield from _picture_facts(found.pictures)


def _group_facts(table: Distribution) -> Iterator[Fact]:
    for group in table.groups:
        for measure in GROUP_MEASURES:
            yield table.name, group.name, measure, getattr(group, measure)


def _headline(found: Eda) -> str:
    parts = [f"{escape(found.name)}: {found.photos:,} photos"]
    if found.people is not None:
        parts.append(f"{found.people:,} people")
    parts.append(f"{found.labelled:,} labelled")
    if found.alone:
        parts.append(f"{found.alone:,} of unknown people, each counted as a person")
    line = ", ".join(parts)
    if not found.per_person:
        return line
    usual = sorted(found.per_person, key=lambda one: -one[1])[:MOST_NAMED]
    shown = ", ".join(f"{size} ({people:,} people)" for size, people in usual)
    others = len(found.per_person) - len(usual)
    return f"{line}\nphotos per person: {shown}{f' and {others} other numbers' if others else ''}"


def _group_table(tables: Sequence[Distribution]) -> Table:
    shown = new_table(
        "people and photos per class and factor",
        "", "people", "", "1:", "eff.", "photos", "1:", "eff.",
    )  # fmt: skip
    shown.columns[2].justify = "left"
    for place, table in enumerate(tables):
        if place:
            shown.add_section()
        most = max((group.people for group in table.groups), default=0)
        for group in table.groups[:MOST_ROWS]:
            name = group.name if table.name == "class" else f"{table.name} {group.name}"
            shown.add_row(escape(name), *_cells(group, most))
        if len(table.groups) > MOST_ROWS:
            shown.add_row(f"and {len(table.groups) - MOST_ROWS} more")
        if table.unknown_photos:
            shown.add_row(f"{escape(table.name)} unknown", "", "", "", "", f"{table.unknown_photos:,}")
    return shown


def _cells(group: Group, most: int) -> list[str]:
    return [
        f"{group.people:,}",
        bar(group.people / max(1, most)),
        ratio(group.people_imbalance),
        f"{group.effective_people:.0f}",
        f"{group.photos:,}",
        ratio(group.photo_imbalance),
        f"{group.effective_photos:.0f}",
    ]


def _cross_table(table: Distribution) -> Table:
    columns = table.shape[-1]
    names = [group.name.split("/") for group in table.groups]
    shown = new_table(
        f"people/photos, {escape(table.name)}", "", *(escape(name[-1]) for name in names[:columns])
    )
    for start in range(0, min(len(names), MOST_ROWS * columns), columns):
        row = table.groups[start : start + columns]
        shown.add_row(escape(names[start][0]), *(f"{group.people:,}/{group.photos:,}" for group in row))
    return shown


def _age_table(ages: Ages) -> Table:
    shown = new_table(f"{escape(ages.name)}, with the edges of its levels", ages.name, "people", "", "photos")
    shown.columns[2].justify = "left"
    most = max(ages.people.counts)
    for place, (name, (people, photos)) in enumerate(zip(_ranges(ages.people), _both(ages), strict=True)):
        if place and ages.people.edges[place] in ages.cuts:
            shown.add_section()
        shown.add_row(name, f"{people:,}", bar(people / max(1, most), 24), f"{photos:,}")
    return shown


def _rare_table(rare: Rare) -> Table | str:
    if not rare.found:
        return f"no combination of factors has fewer than {rare.under} people"
    shown = new_table(f"combinations that fewer than {rare.under} people have", "", "people", "photos")
    for one in rare.found[:MOST_RARE]:
        shown.add_row(escape(_combination(one)), f"{one.people:,}", f"{one.photos:,}")
    return shown


def _picture_tables(pictures: Pictures) -> Iterator[Table | str]:
    look = pictures.look
    shown = new_table(
        f"{look.photos:,} readable photos{scale_note(pictures.half)}",
        "", "mean", "std", "1 %", "median", "99 %", "spread",
    )  # fmt: skip
    for one in look.spreads:
        values = [one.mean, one.std, *(one.quantile(share) for share in (0.01, 0.5, 0.99))]
        shown.add_row(one.name, *map(short, values), spark(one))
    yield shown
    yield f"for train: {colour_option(look.mean, look.std)}"
    yield _most_frequent("size", look.sizes) + "\n" + _most_frequent("format", look.formats)
    if pictures.faults:
        yield _fault_table("unreadable photos", pictures.faults)
    yield pair_table(pictures.twins.kinds)


def _fault_table(what: str, faults: Sequence[tuple[str, str]]) -> Table:
    shown = new_table(f"{len(faults):,} {what}", "path", "")
    for path, why in faults[:MOST_ROWS]:
        shown.add_row(escape(path), escape(why))
    if len(faults) > MOST_ROWS:
        shown.add_row(f"and {len(faults) - MOST_ROWS:,} more")
    return shown


def _most_frequent(title: str, counts: Sequence[tuple[str, int]]) -> str:
    most = ", ".join(f"{name} ({count:,})" for name, count in counts[:MOST_NAMED])
    more = f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else ""
    return f"{title}: {most}{more}"


def _picture_facts(pictures: Pictures) -> Iterator[Fact]:
    look = pictures.look
    for one in look.spreads:
        yield "property", one.name, "mean", one.mean
        yield "property", one.name, "std", one.std
        for share in (0.0, 0.01, 0.5, 0.99, 1.0):
            yield "property", one.name, f"quantile_{share:g}", one.quantile(share)
    yield "colour", "", "mean", ",".join(f"{value:.4f}" for value in look.mean)
    yield "colour", "", "std", ",".join(f"{value:.4f}" for value in look.std)
    for scope, counts in (("size", look.sizes), ("format", look.formats)):
        for name, count in counts:
            yield scope, name, "photos", count
    for path, why in pictures.faults:
        yield "unreadable", path, "why", why
    for kind in pictures.twins.kinds:
        yield "duplicates", kind.name, "exact", kind.exact
        yield "duplicates", kind.name, "near", kind.near


def colour_option(mean: Sequence[float], std: Sequence[float]) -> str:
    """Write the colour of photos as an option of `train`."""
    return "--normalize " + "/".join(",".join(f"{value:.4f}" for value in values) for values in (mean, std))


def _combination(one: Combination) -> str:
    return ", ".join(f"{factor} {level}" for factor, level in one.levels)


def _ranges(histogram: Histogram) -> list[str]:
    edges = histogram.edges
    whole = all(float(edge).is_integer() for edge in edges)
    return [
        f"{low:g}" if whole and high == low + 1 else f"{low:g}-{high - 1 if whole else high:g}"
        for low, high in pairwise(edges)
    ]


def _both(ages: Ages) -> list[tuple[int, int]]:
    return list(zip(ages.people.counts, ages.photos.counts, strict=True))
