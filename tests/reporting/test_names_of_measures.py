"""What is measured has one name, on a terminal, in a page, in TSV and in JSON."""

from __future__ import annotations

import re

import pytest
from test_every_report import REPORTS, tables_of

from maskkit.reporting.report import Report
from maskkit.reporting.table import Column, Table

# What a reader of papers does not expect, and what such a reader does.
NOT_OF_THE_FIELD = {
    r"answers?|answered|said": "prediction, predicted, confidence",
    r"light": "brightness; `light` is an augmentation",
    r"images?": "photo",
}


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]()


def named(report: Report) -> list[tuple[Table, Column]]:
    """Return the columns that programs and people both see."""
    shown = {id(table) for place in ("terminal", "page") for table in tables_of(report, place)}
    tables = [table for table in tables_of(report, "tsv") if id(table) in shown]
    return [(table, one) for table in tables for one in table.columns if one.key and one.on != "programs"]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9.]+", text.lower())) - {"is", "a", "of", "the"}


def test_the_name_of_a_measure_is_part_of_the_title_of_its_column_or_the_other_way(report: Report) -> None:
    wrong = []
    for table, column in named(report):
        if column.title in (column.scope, column.name):  # columns of one measure, such as that of each fold
            continue
        parts = " mean deviation" if column.kind == "spread" else ""
        title, key = words(column.title), words(column.key.replace("_", " ") + parts)
        if not (title and (title <= key or key <= title)):
            wrong.append((table.title, column.key, column.title))
    assert wrong == []


def test_the_key_in_json_is_the_measure_in_tsv(report: Report) -> None:
    for _, column in named(report):
        last = column.field.rpartition(".")[2]
        if not last.isdigit():  # a place in a list has no name
            assert words(last.replace("_", " ")) <= words(column.key.replace("_", " ")), column


def test_no_table_has_a_title_twice(report: Report) -> None:
    for place in ("terminal", "page"):
        for table in tables_of(report, place):
            columns = [table.head, *(column for _, column in table.columns_on(place))]
            titles = [column.title for column in columns if column.title]
            assert len(set(titles)) == len(titles), (table.title, titles)


@pytest.mark.parametrize("word", NOT_OF_THE_FIELD)
def test_reports_have_the_words_of_the_field(report: Report, word: str) -> None:
    wrong = re.compile(rf"\b(?:{word})\b", re.IGNORECASE)
    texts = [report.title, *(note.text for note in (*report.warnings, *report.verdict))]
    for section in report.sections:
        texts.append(section.title)
        for item in section.items:
            for one in item if isinstance(item, tuple) else (item,):
                if isinstance(one, Table):
                    texts += [one.title, one.head.title, *(column.title for column in one.columns)]
                    texts += [column.key for column in one.columns]
                    texts += [note.text for note in one.notes]
                else:
                    texts.append(getattr(one, "text", "") or getattr(one, "title", ""))
    assert [text for text in texts if wrong.search(text)] == [], NOT_OF_THE_FIELD[word]
