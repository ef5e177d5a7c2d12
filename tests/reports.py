"""What readers of a report see, read back from the four forms it is shown in."""

import re
from io import StringIO
from typing import Any

from pages import Page
from rich.console import Console

from maskkit.cli.shell.show_report import renderables, tsv
from maskkit.reporting.html import page
from maskkit.reporting.report import Report

INTERVAL = re.compile(r"[+-]?\d[\d.]*(-| to )[+-]?\d[\d.]*|± [\d.]+")


def terminal_of(report: Report, *, width: int = 2000) -> str:
    """Return all that a terminal shows, by default one which is wide enough."""
    console = Console(file=StringIO(), width=width, no_color=True, highlight=False)
    for shown in renderables(report):
        console.print(shown, markup=not isinstance(shown, str))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def terminal_table(report: Report, *heads: str) -> dict[str, dict[str, str]]:
    """Return the rows of the table whose headings begin so by their titles, values without intervals."""
    lines = [re.sub("[█▏▎▍▌▋▊▉]", "", line).rstrip() for line in terminal_of(report).splitlines()]
    cut = [re.split(r"\s{2,}", line.strip()) for line in lines]
    start = next(at for at, cells in enumerate(cut) if tuple(cells[: len(heads)]) == heads)
    rows = {}
    for line, found in zip(lines[start + 2 :], cut[start + 2 :], strict=True):
        cells = [cell for cell in found if not INTERVAL.fullmatch(cell)]
        if not 1 < len(cells) <= len(cut[start]) and not line.startswith(" "):
            break
        if not line.startswith(" "):  # the rest of a long cell
            rows[cells[0].removesuffix("*")] = dict(zip(cut[start][1:], cells[1:], strict=False))
    return rows


def page_table(report: Report, *heads: str) -> dict[str, dict[str, str]]:
    """Return the rows of the page's table whose headings begin so, the same way."""
    tables = Page(page(report)).tables
    table = next(one for one in tables if tuple(one[0][: len(heads)]) == heads)
    return {
        re.sub(r" (rare|few people)$", "", row[0]): {
            head: cell.split(" ")[0] for head, cell in zip(table[0][1:], row[1:], strict=True)
        }
        for row in table[1:]
        if len(row) == len(table[0])
    }


def tsv_values(report: Report) -> dict[tuple[object, ...], Any]:
    """Return the values of a long TSV by scope, name and measure."""
    return {tuple(row[:3]): row[3] for row in tsv(report)[1]}
