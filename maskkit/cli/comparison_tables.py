"""Tables of two sets of photos compared, for a terminal or flattened for pipes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from maskkit.cli.charts import bar, pair_table, scale_note, short
from maskkit.cli.shell.terminal import escape
from maskkit.cli.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.describing.set_comparison import Comparison, Share
    from maskkit.describing.two_sample import TwoSample

Fact = tuple[str, str, str, object]

MOST_ROWS = 40  # of classes, sizes and the like; JSON has all


def comparison_tables(found: Comparison) -> Iterator[Table | str]:
    """Show how two sets differ."""
    first, second = (escape(name) for name in found.names)
    counts = [
        f"{one:,} photos" + (f", {bad} unreadable" if bad else "")
        for one, bad in zip(found.photos, found.faults, strict=True)
    ]
    yield f"first: {first}, {counts[0]}\nsecond: {second}, {counts[1]}"
    table = new_table(
        "the photos" + scale_note(found.half),
        "property", "first", "second", "d", "AUC", "",
    )  # fmt: skip
    for one in found.differences:
        shift = "-" if one.standardised is None else f"{one.standardised:+.2f}"
        table.add_row(
            one.name,
            short(one.first),
            short(one.second),
            shift,
            f"{one.auc:.2f}",
            bar(abs(2 * one.auc - 1)),
        )
    yield table
    yield "d: difference in standard deviations\nAUC: of a photo of each set, how often the second has more"
    for title, shares in (("sizes", found.sizes), ("formats", found.formats), ("classes", found.classes)):
        if shares:
            yield _share_table(title, shares)
    yield pair_table([found.duplicates])
    if found.two_sample is not None:
        test = found.two_sample
        table = new_table("a classifier of the sets", "feature", "AUC lost without it", "")
        table.columns[2].justify = "left"
        for name, loss in test.losses:
            table.add_row(name, f"{loss:.3f}", bar(max(0.0, loss) / 0.5))
        yield table
        yield _test_lines(test)


def _test_lines(test: TwoSample) -> str:
    interval = "" if test.low is None else f", 95 % interval {test.low:.3f}-{test.high:.3f}"
    chance = "" if test.p is None else f", p {_chance(test.p)}"
    lines = [
        f"AUC {test.auc:.3f}{interval}{chance}",
        f"{test.photos:,} photos in {test.groups:,} groups (people, near-copies), {test.folds} folds",
    ]
    if test.same is not None:
        of = "the set of known people" if test.same.is_of_one_set else "all people"
        lines.append(
            f"without a difference: {test.same.mean:.3f}, at most {test.same.highest:.3f} "
            f"({test.same.divisions} divisions of {of})"
        )
    return "\n".join(lines)


def comparison_facts(found: Comparison) -> Iterator[Fact]:
    """Flatten a comparison to rows of scope, name, measure, value."""
    for place, name in enumerate(("first", "second")):
        yield "photos", name, "photos", found.photos[place]
        yield "photos", name, "unreadable", found.faults[place]
    for one in found.differences:
        for measure in ("first", "second", "standardised", "auc"):
            yield "property", one.name, measure, getattr(one, measure)
    for scope, shares in (("size", found.sizes), ("format", found.formats), ("class", found.classes)):
        for share in shares:
            yield scope, share.name, "first", share.first
            yield scope, share.name, "second", share.second
    yield "in both", "", "people", len(found.people)
    yield "in both", "", "exact_duplicates", found.duplicates.exact
    yield "in both", "", "near_duplicates", found.duplicates.near
    if found.two_sample is not None:
        for measure in ("auc", "low", "high", "p", "photos", "groups"):
            yield "two-sample test", "", measure, getattr(found.two_sample, measure)
        for name, loss in found.two_sample.losses:
            yield "two-sample test", name, "auc_lost_without", loss


def _share_table(title: str, shares: Sequence[Share]) -> Table:
    shown = new_table(f"{title}: share of each set", "", "first", "", "second", "")
    for column in (2, 4):
        shown.columns[column].justify = "left"
    for one in shares[:MOST_ROWS]:
        shown.add_row(
            escape(one.name), f"{one.first:.1%}", bar(one.first), f"{one.second:.1%}", bar(one.second)
        )
    if len(shares) > MOST_ROWS:
        shown.add_row(f"and {len(shares) - MOST_ROWS} more")
    return shown


def _chance(value: float | None) -> str:
    return "-" if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"
