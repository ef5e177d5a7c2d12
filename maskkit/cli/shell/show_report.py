"""Showing any report: tables on a terminal, tab-separated values in a pipe, JSON, and a page in a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from maskkit.cli.shell import terminal
from maskkit.cli.shell.streams import (
    OutputTarget,
    SideFile,
    as_json,
    print_json,
    print_tsv,
    stdout_is_for_people,
    stdout_is_terminal,
)
from maskkit.cli.shell.terminal import escape
from maskkit.reporting.report import Report, is_on
from maskkit.reporting.table import Column, Note, Row, Table
from maskkit.reporting.writing import widths, written
from maskkit.scoring.results import Estimate, FoldSpread

if TYPE_CHECKING:
    from rich.table import Table as RichTable

BAR = 10  # characters
WIDTH = 80  # columns of a terminal that bars are left out for
LONG_HEADERS = {
    "long": ("scope", "name", "measure", "value", "low", "high"),
    "facts": ("scope", "name", "measure", "value"),
    "runs": ("run", "scope", "measure", "value", "low", "high"),
}
TAGS = {"high": "red", "medium": "yellow"}

Fact = dict[str, object]


def show_report(
    report: Report, *, json: bool = False, html: SideFile | None = None, to: OutputTarget | None = None
) -> None:
    """Write the page, if one is wanted, and show the report to whoever reads standard output.

    Programs get the numbers and people the tables, which share a terminal but never a pipe: beside a pipe,
    the brief parts go to standard error. With `json`, JSON goes to programs instead of tab-separated values,
    and to a terminal too; `to` takes the JSON instead of standard output.
    """
    write_page(report, html)
    if to is None and not json and stdout_is_for_people():
        show_tables(report)
        return
    if to is not None:
        to.write(as_json(report.data))
    elif json:
        print_json(report.data)
        if stdout_is_terminal():
            return
    else:
        print_tsv(*tsv(report))
    note_report(report, brief=True)


def show_tables(report: Report) -> None:
    """Show a report to people on standard output, its parts a line apart."""
    for number, shown in enumerate(renderables(report)):
        if number:
            terminal.show("")
        terminal.show(escape(shown) if isinstance(shown, str) else shown)


def write_page(report: Report, html: SideFile | None) -> None:
    """Write the page, if one is wanted."""
    if html is not None:
        from maskkit.reporting.html import page

        html.write(page(report).encode(), "the page is")


def note_report(report: Report, *, brief: bool = False) -> None:
    """Show a report to people on standard error, unless quiet."""
    for shown in () if terminal.is_quiet() else renderables(report, brief=brief):
        terminal.note(shown)


def renderables(report: Report, *, brief: bool = False) -> Iterator[RichTable | str]:
    """Yield what a terminal shows, the verdict last; `brief` leaves out sections that are not."""
    for note in report.warnings:
        yield _line(note)
    for section in report.sections:
        if section.is_brief or not brief:
            for item in section.on("terminal"):
                if isinstance(item, Note):
                    yield _line(item)
                elif isinstance(item, Table):
                    title = item.title or section.title
                    yield "\n".join(_facts(item)) if item.look == "facts" else _table(item, title)
    if verdict := [_line(note) for note in report.verdict if is_on(note, "terminal")]:
        yield "\n".join(verdict)


def _line(note: Note) -> str:
    return f"{note.lead} {note.text}".strip()


def _facts(table: Table) -> Iterator[str]:
    for row in table.rows:
        facts = (
            f"{column.title} {' '.join(filter(None, written(row.cells[at], column)))}".strip()
            for at, column in table.columns_on("terminal")
            if row.cells[at] not in ("", None)
        )
        yield f"{row.title + ': ' if row.title else ''}{', '.join(facts)}"
    yield from (_line(note) for note in table.notes if is_on(note, "terminal"))


def _table(table: Table, title: str) -> RichTable:
    """Lay a table out, with bars if it then fits."""
    from rich.console import Console

    drawn = _laid_out(table, title, has_bars=True)
    if Console(width=terminal.WIDEST).measure(drawn).maximum <= WIDTH:
        return drawn
    return _laid_out(table, title, has_bars=False)


def _laid_out(table: Table, title: str, *, has_bars: bool) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable

    columns = table.columns_on("terminal")
    lines = [table.more("terminal"), *(_line(note) for note in table.notes if is_on(note, "terminal"))]
    if table.mark_note:
        lines.append(f"{'* ' if table.has_marks else ''}{table.mark_note}")
    laid = RichTable(
        title=escape(title), title_justify="left", caption_justify="left",
        caption=escape("\n".join(filter(None, lines))) or None,
        box=SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False, show_edge=False,
    )  # fmt: skip
    laid.add_column(escape(table.head.title), no_wrap=not table.head.wraps)
    wraps = any(column.wraps for column in (table.head, *table.columns))
    for at, column in columns:
        justify: Literal["left", "right"] = "left" if column.is_left or widths(table, at)[1] else "right"
        laid.add_column(escape(column.title), justify=justify, no_wrap=not wraps, overflow="fold")
        if has_bars and column.has_bar:
            laid.add_column("", no_wrap=not wraps)
    group, above = "", None
    for row in table.shown("terminal"):
        if row.group != group:
            laid.add_section()
            laid.add_row(escape(row.group), style="bold")
            group = row.group
        if row.is_foot and not (above and above.is_foot):
            laid.add_section()
        above = row
        name = escape(row.title + ("*" if row.is_marked and table.has_marks else ""))
        laid.add_row(name, *_cells(table, row, columns, has_bars))
    return laid


def _cells(table: Table, row: Row, columns: list[tuple[int, Column]], has_bars: bool) -> Iterator[str]:
    for at, column in columns:
        value, interval = written(row.cells[at], column)
        if column.kind == "bar":
            yield bar(table.bar(row, at))
        elif column.kind == "tag" and value in TAGS:
            yield f"[{TAGS[value]}]{value}[/]"
        else:
            wide, wider = widths(table, at)
            yield escape(f"{value:>{wide}}  {interval:>{wider}}".rstrip() if wider else value)
        if has_bars and column.has_bar:
            yield bar(table.bar(row, at))


def bar(share: float) -> str:
    """Draw a share of 1 in eighths of a character; what is more than nothing is seen."""
    eighths = max(round(share * BAR * 8), 1 if share > 0 else 0)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def tsv(report: Report) -> tuple[tuple[str, ...], list[list[object]]]:
    """Return the header and the rows: of a wide report its tables', else one row per cell."""
    if report.header in LONG_HEADERS:
        names = LONG_HEADERS[report.header]
        return names, [[fact.get(name) for name in names] for fact in long_rows(report)]
    tables = [item for section in report.sections for item in section.on("tsv") if isinstance(item, Table)]
    columns = [column for _, column in tables[0].columns_on("tsv") if column.key]
    header = (*([tables[0].head.key] if tables[0].head.key else []), *(column.key for column in columns))
    wide: list[list[object]] = []
    for table in tables:
        places = [at for at, column in table.columns_on("tsv") if column.key]
        for row in table.rows:
            title = [row.title if row.name is None else row.name] if table.head.key else []
            wide.append([*title, *(row.cells[at] for at in places)])
    return header, wide


def long_rows(report: Report) -> Iterator[Fact]:
    """Flatten a report: a row of each cell, and of each note with a key."""
    for note in report.warnings:
        yield from _note_rows(note, "")
    for section in report.sections:
        for item in section.on("tsv"):
            if isinstance(item, Table):
                yield from _table_rows(item)
            elif isinstance(item, Note):
                yield from _note_rows(item, "")


def _table_rows(table: Table) -> Iterator[Fact]:
    for row in table.rows:
        name = row.title if row.name is None else row.name
        for at, column in table.columns_on("tsv"):
            value, measure = row.cells[at], row.measure or column.key
            if not column.key or value == "":
                continue
            scope = row.scope or column.scope or table.scope
            where: Fact = {"scope": scope, "name": column.name or name, "run": column.name or name}
            if isinstance(value, FoldSpread):
                yield {**where, "measure": f"{measure}_mean", "value": value.mean}
                yield {**where, "measure": f"{measure}_deviation", "value": value.deviation}
            else:
                ends = vars(value) if isinstance(value, Estimate) else {"value": value}
                yield {**where, "measure": measure, **ends}
    for note in table.notes:
        yield from _note_rows(note, table.scope)


def _note_rows(note: Note, scope: str) -> Iterator[Fact]:
    if note.key:
        name = {"name": note.name, "run": note.name}
        yield {"scope": note.scope or scope, **name, "measure": note.key, "value": note.text}
