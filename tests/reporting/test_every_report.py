"""Every cell of every report is the same on a terminal, in TSV, in JSON and in a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from pages import Page, plain
from reports import terminal_of
from test_audit_report import audited
from test_blend_report import agreed, differing, tuned, weighted
from test_comparison_report import found as compared
from test_eda_report import compared_sets, described
from test_evaluation_details import everything as evaluated
from test_rates_report import rates
from test_stage_reports import FACTS, averaged, faces, known, speeds

from maskkit.cli.shell.show_report import tsv
from maskkit.reporting.audit_report import audit_report
from maskkit.reporting.comparison_report import comparison_report
from maskkit.reporting.eda_report import eda_report
from maskkit.reporting.evaluation_report import evaluation_report
from maskkit.reporting.html import page
from maskkit.reporting.pictured import Pictured
from maskkit.reporting.report import Report
from maskkit.reporting.shift_report import shift_report
from maskkit.reporting.stage_reports import artifact_report, folds_report
from maskkit.reporting.table import Column, Note, Place, Row, Table, Value, attribute
from maskkit.reporting.writing import written
from maskkit.scoring.results import Estimate, FoldSpread

ADJUSTED = {
    "consensus": {"by": "person", "factors": ["gender", "age"], "people": 40, "photos": 280},
    "decision": {"method": "age", "sha256": "abcdef0123456789"},
}
REPORTS: dict[str, Callable[[], Report]] = {
    "compare": lambda: comparison_report(compared()),
    "compare three": lambda: comparison_report(compared(3)),
    "evaluate": lambda: evaluation_report(evaluated(), manifest="folds", predictions="oof"),
    "evaluate with photos": lambda: evaluation_report(
        evaluated(), manifest="folds", predictions="oof", pictures={"a/mask1.jpg": Pictured(None)}
    ),
    "evaluate adjusted": lambda: evaluation_report(
        replace(evaluated(), adjusted=ADJUSTED), manifest="folds", predictions="oof"
    ),
    "audit": lambda: audit_report(audited()),
    "bench": speeds,
    "eda": lambda: eda_report(described()),
    "eda of two": lambda: shift_report(compared_sets()),
    "lr-find": rates,
    "show": lambda: artifact_report(FACTS),
    "split": lambda: folds_report(FACTS["held out"]),
    "crop": faces,
    "soup": averaged,
    "train --weights list": known,
    "ensemble": differing,
    "ensemble without truth": agreed,
    "ensemble with weights": weighted,
    "evaluate --tune": tuned,
}  # each report of a reporting command; those of a folder are made by its tests


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]()


def tables_of(report: Report, place: Place) -> list[Table]:
    return [item for section in report.sections for item in section.on(place) if isinstance(item, Table)]


def in_words(value: Value, column: Column) -> str:
    """Return how people read a cell, with one space between its parts, and dashes as a keyboard has them."""
    text, interval = written(value, column)
    return plain(f"{text} {interval}")


def ascii_dashes(text: str) -> str:
    return text.replace("\N{EN DASH}", "-")


def test_a_terminal_shows_every_cell_in_its_row_and_under_its_column(report: Report) -> None:
    lines = [plain(line) for line in terminal_of(report).splitlines()]
    for table in tables_of(report, "terminal"):
        columns = table.columns_on("terminal")
        if table.look == "facts":
            for row in table.rows:
                for at, column in columns:
                    text = f"{column.title} {in_words(row.cells[at], column)}"
                    assert row.cells[at] in ("", None) or any(text in line for line in lines), text
            continue
        heads = plain(" ".join((table.head.title, *(column.title for _, column in columns))))
        places = [at for at, line in enumerate(lines) if line == heads]
        assert places, heads
        expected = [_terminal_row(table, row, columns) for row in table.shown("terminal")]
        assert any(_in_order(expected, lines[at:]) for at in places), (table.title, expected)
        assert not table.more("terminal") or table.more("terminal") in lines


def _terminal_row(table: Table, row: Row, columns: list[tuple[int, Column]]) -> list[str]:
    title = plain(row.title + ("*" if row.is_marked and table.has_marks else ""))
    return [title, *(_first_line(row.cells[at], column) for at, column in columns)]


def _first_line(value: Value, column: Column) -> str:
    return in_words(value.split("\n")[0] if isinstance(value, str) else value, column)


def _in_order(rows: list[list[str]], lines: list[str]) -> bool:
    """Whether the lines hold the rows one after the other, each cell after the other but for bars."""
    left = iter(lines)
    return all(any(_holds(line, row) for line in left) for row in rows)


def _holds(line: str, row: list[str]) -> bool:
    drawn = str.maketrans("", "", "█▏▎▍▌▋▊▉")
    return plain(" ".join(row).translate(drawn)) == plain(line.translate(drawn))


def test_a_page_shows_every_cell_in_its_row_and_under_its_column(report: Report) -> None:
    html = page(report)
    found = Page(html)
    heat_maps_too = iter(found.tables)
    for table in tables_of(report, "page"):
        columns = table.columns_on("page")
        if table.look in ("facts", "cards"):
            text = ascii_dashes(plain(found.text))
            for row in table.shown("page"):
                before = f"{row.title} " if table.look == "facts" else ""
                for at, column in columns:
                    cell = plain(f"{before}{column.title}{in_words(row.cells[at], column)}")
                    assert row.cells[at] in ("", None) or cell in text, cell
                assert row.title in text
            continue
        shown = next(one for one in heat_maps_too if one[0] == _titles(table))
        rows = [row for row in shown[1:] if len(row) == len(columns) + 1]
        assert len(rows) == len(table.shown("page"))
        for row, cells in zip(table.shown("page"), rows, strict=True):
            assert cells[0].startswith(plain(row.title))
            for (at, column), cell in zip(columns, cells[1:], strict=True):
                seen, text = ascii_dashes(cell), in_words(row.cells[at], column)
                if table.look == "heat":
                    seen, text = seen.split()[0], text.split("/")[0]
                assert seen == text, (row.title, column.title)


def _titles(table: Table) -> list[str]:
    return [plain(table.head.title), *(plain(column.title) for _, column in table.columns_on("page"))]


def test_tsv_has_every_cell_and_nothing_else(report: Report) -> None:
    header, rows = tsv(report)
    left = [dict(zip(header, row, strict=True)) for row in rows]
    if report.header == "wide":
        values = [list(one.values()) for one in left]
        for table in tables_of(report, "tsv"):
            for row in table.rows:
                cells = [row.cells[at] for at, column in table.columns_on("tsv") if column.key]
                assert any(one[-len(cells) :] == cells for one in values)
        return
    for table in tables_of(report, "tsv"):
        for row in table.rows:
            for at, column in table.columns_on("tsv"):
                for fact in _facts(table, row, at, column):
                    wanted = {name: fact[name] for name in header if name in fact}
                    left.remove({name: wanted.get(name) for name in header})
    notes = {note.text for note in _notes(report) if note.key}
    assert {one["value"] for one in left} == notes


def _facts(table: Table, row: Row, at: int, column: Column) -> Iterator[dict[str, object]]:
    value = row.cells[at]
    if not column.key or value == "":
        return
    name = column.name or (row.title if row.name is None else row.name)
    where = {"scope": row.scope or column.scope or table.scope, "name": name, "run": name}
    measure = row.measure or column.key
    if isinstance(value, FoldSpread):
        yield {**where, "measure": f"{measure}_mean", "value": value.mean}
        yield {**where, "measure": f"{measure}_deviation", "value": value.deviation}
    elif isinstance(value, Estimate):
        yield {**where, "measure": measure, "value": value.value, "low": value.low, "high": value.high}
    else:
        yield {**where, "measure": measure, "value": value}


def _notes(report: Report) -> Iterator[Note]:
    yield from report.warnings
    for section in report.sections:
        for item in section.on("tsv"):
            if isinstance(item, Table):
                yield from item.notes
            elif isinstance(item, Note):
                yield item


def test_json_has_every_cell_where_the_table_says(report: Report) -> None:
    leaves = list(_leaves(report.data))
    for table in tables_of(report, "tsv"):
        for number, row in enumerate(table.rows):
            for at, column in table.columns_on("tsv"):
                value = row.cells[at]
                if not column.key or value == "":
                    continue
                if table.at and not row.is_foot:
                    path = ".".join(map(str, (*table.at, number, column.field or column.key)))
                    assert _same(_json_at(report.data, path), value), (table.title, path)
                else:
                    assert all(part in leaves for part in _parts(value)), (table.title, row.title, column.key)
    for note in _notes(report):
        assert not note.key or note.text in leaves


def _json_at(data: Any, path: str) -> Any:
    for name in path.split("."):
        data = data[int(name)] if isinstance(data, list | tuple) else attribute(data, name)
    return data


def _leaves(data: Any) -> Iterator[object]:
    if isinstance(data, dict):
        yield from data
        for one in data.values():
            yield from _leaves(one)
    elif isinstance(data, list | tuple):
        for one in data:
            yield from _leaves(one)
    else:
        yield data


def _parts(value: Value) -> list[object]:
    if isinstance(value, Estimate | FoldSpread):
        return list(vars(value).values())
    return list(value) if isinstance(value, tuple) else [value]


def _same(data: Any, value: Value) -> bool:
    if isinstance(value, Estimate | FoldSpread):
        return bool(data == vars(value))
    return data == value or (isinstance(value, float) and math.isnan(value) and math.isnan(data))


def test_what_every_reader_has_to_know_is_in_all_four() -> None:
    report = REPORTS["evaluate adjusted"]()
    header, rows = tsv(report)
    assert [note.text.partition(":")[0] for note in report.warnings] == ["consensus", "decision"]
    for note in report.warnings:
        assert note.text in plain(terminal_of(report))
        assert note.text in [row[header.index("value")] for row in rows]
        assert note.text in _leaves(report.data)
        assert note.text in Page(page(report)).text
