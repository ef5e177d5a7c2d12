"""Tables for people: what the stages found, laid out for a terminal, and flattened for pipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from maskkit.cli.shell.terminal import escape

if TYPE_CHECKING:
    from rich.table import Table

    from maskkit.scoring.results import Estimate
    from maskkit.stages.bench import Bench
    from maskkit.stages.crop import Cropped


def fold_table(quality: Mapping[str, Any]) -> Table:
    """Show people and images of each class in each fold, and how far from even they are.

    Args:
        quality: As `FoldQuality.to_json` returns it.
    """
    columns = ["class", *(f"fold {fold}" for fold in range(len(quality["images"]))), "off by"]
    table = new_table("people/photos held out per class and fold", *columns)
    for name, row in quality["classes"].items():
        table.add_row(escape(name), *_fold_cells(row))
    table.add_section()
    table.add_row("all", *_fold_cells(quality))
    return table


def face_table(cropped: Cropped) -> Table:
    """Show in how many photos a face was found, and why not in the others."""
    table = new_table("photos with a face, by level", "", "photos", "found", "share", "none", "misplaced")
    factor = ""
    for tally in cropped.tallies:
        if tally.factor != factor:
            table.add_section()
            factor = tally.factor
        name = escape(f"{tally.factor} {tally.level}".strip())
        none = tally.photos - tally.found - tally.misplaced
        share = f"{tally.share:.2%}" if tally.photos else "-"
        table.add_row(name, str(tally.photos), str(tally.found), share, str(none), str(tally.misplaced))
    return table


def agreement_table(agreement: Any, names: Sequence[str]) -> Table:
    """Show the share of images on which two files answer alike."""
    table = new_table("answered alike", "file", *(str(index + 1) for index in range(len(names))))
    for index, name in enumerate(names):
        table.add_row(f"{index + 1} {escape(name)}", *(f"{share:.4f}" for share in agreement[index]))
    return table


def speed_table(bench: Bench) -> Table:
    """Show photos per second of each part of training."""
    table = new_table("photos per second, each part by itself", "part", "", "photos/s")
    table.columns[1].justify = "left"
    for number, speed in enumerate(bench.speeds):
        if number and speed.part != bench.speeds[number - 1].part:
            table.add_section()
        table.add_row(speed.part, escape(speed.setting), f"{speed.photos_per_second:,.0f}")
    return table


def facts_table(facts: Mapping[str, Any]) -> Table:
    """Show what an artifact is."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if isinstance(value, Mapping):
            inner = "\n".join(f"{key}: {_shown(item)}" for key, item in value.items())
            table.add_row(escape(name), escape(inner))
        else:
            table.add_row(escape(name), escape(_shown(value)))
    return table


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Flatten nested facts to a name with dots and a value; a list is numbered from 0."""
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from flat({str(index): item for index, item in enumerate(value)}, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def new_table(title: str, *columns: str) -> Table:
    """Return a table whose class names and intervals fit into 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", caption_justify="left",
        box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False,
    )  # fmt: skip
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    return table


def _fold_cells(row: Mapping[str, Any]) -> Iterator[str]:
    for people, images in zip(row["people"], row["images"], strict=True):
        yield f"{people}/{images}"
    yield f"{max(map(abs, row['deviation']), default=0.0):.1%}"


def interval(estimate: Estimate, digits: int = 4, *, signed: bool = False) -> str:
    """Write a measure and its interval, or a difference and its interval with their signs."""
    value = number(estimate.value, digits, signed=signed)
    if estimate.low is None or estimate.high is None:
        return value
    low, high = (number(end, digits, signed=signed) for end in (estimate.low, estimate.high))
    return f"{value}  {low}{' to ' if signed else '-'}{high}"


def spread(mean: float, deviation: float | None, digits: int = 4) -> str:
    """Write a mean and its standard deviation."""
    return f"{mean:.{digits}f}" if deviation is None else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def number(value: float | None, digits: int, *, signed: bool = False) -> str:
    """Write a measure, and an undefined one as a dash."""
    if value is None:
        return "-"
    sign = "+" if signed and round(value, digits) else ""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0: never -0.000


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
