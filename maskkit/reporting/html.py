"""Any report as a page: one file that loads nothing.

It has no font or link to elsewhere, and no picture unless the report has; it follows the reader's light or
dark theme, prints, and is the same bytes for the same report. Every name is escaped.

All that a page says it says without script. The script that is in it, the same in every page and the only one
that its policy lets run, by its digest, sorts, filters and opens what the report declares.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from functools import partial
from hashlib import sha256
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maskkit.artifacts.header import Record, damaged_header
from maskkit.plain_text import in_json, printable
from maskkit.reporting.plots import draw, draw_bars, ticks
from maskkit.reporting.report import Item, PhotoSheet, Report, Section, is_on
from maskkit.reporting.table import FEW_ROWS, Column, Table, Value
from maskkit.reporting.writing import percent, widths, written
from maskkit.scoring.results import Estimate
from maskkit.typed_json import decoded

DASH = "\N{EN DASH}"
OWN = ("report.css", "report.js")
MOST_OF_A_HEAD = 1 << 20  # bytes of a page in which its record is looked for
COLOURS = 10  # of lines, in report.css; more lines begin again
MOST_COMMANDS = 12  # lines that a page shows at once of how it was made
WIDEST_SHARES = 8  # columns of a heat map in which shares are written, not only shown when pointed at


def page(report: Report) -> str:
    """Return the page of a report.

    Raises:
        MaskkitError: If a chart has nothing to draw.
    """
    environment = Environment(
        loader=PackageLoader("maskkit.reporting", "."),
        autoescape=True,
        finalize=lambda value: printable(value, keep="\n\t") if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "written": _written, "plainly": _plainly, "sentence": _sentence, "percent": percent,
        "kind": lambda one: type(one).__name__, "on_page": lambda one: is_on(one, "page"),
    }  # fmt: skip
    environment.tests["interval"] = lambda one: isinstance(one, Estimate) and one.low is not None
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in OWN)
    sections = [section for section in report.sections if any(True for _ in section.on("page"))]
    items = [item for section in sections for item in section.on("page")]
    return (
        environment.get_template("report.html")
        .render(
            report=report,
            record="" if report.record is None else in_json(json.dumps(report.record.to_json())),
            sections=list(zip(_anchors(sections), sections, strict=True)),
            style=Markup(style),
            script=Markup(script),
            script_hash=f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}",
            colours=COLOURS,
            few_rows=FEW_ROWS,
            most_commands=MOST_COMMANDS,
            pictures=any(
                isinstance(one, PhotoSheet)
                or (isinstance(one, Table) and any(row.photos for row in one.rows))
                for one in items
            ),
            reach=_reach(items),
            draw=draw,
            draw_bars=draw_bars,
            widest_shares=WIDEST_SHARES,
            room=widths,
        )
        .lstrip()
    )


def made_by(page: Path) -> Record | None:
    """Return the record of the run that has made a page, None if it says nothing of one.

    Raises:
        MaskkitError: What it says is none.
    """
    with page.open("rb") as file:
        found = re.search(rb'<meta name="maskkit" content="([^"]*)">', file.read(MOST_OF_A_HEAD))
    if found is None:
        return None
    refuse = partial(damaged_header, str(page))
    return Record.from_json(decoded(unescape(found[1].decode()), dict[str, Any], refuse), refuse)


def _anchors(sections: list[Section]) -> list[str]:
    """Name each section for links to it, and no two alike."""
    found: list[str] = []
    for section in sections:
        name = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        found.append(name if name not in found else f"{name}-{len(found)}")
    return found


def _reach(items: list[Item]) -> float:
    """Return how far from 0 the axis of all differences goes."""
    ends = []
    for table in (item for item in items if isinstance(item, Table)):
        places = [at for at, column in table.columns_on("page") if column.kind == "difference"]
        estimates = [row.cells[at] for row in table.rows for at in places]
        for one in estimates:
            if isinstance(one, Estimate):
                ends += [abs(end) for end in (one.value, one.low, one.high) if end]
    return ticks(0, max(ends, default=0.01), about=4)[-1]


def _written(value: Value, column: Column) -> tuple[str, str]:
    """Write a value as a printer would: dashes between numbers and for what is undefined."""
    text, interval = written(value, column)
    if column.kind == "score":
        interval = interval.replace("-", DASH)
    return DASH if text == "-" else text, interval


def _plainly(value: Value) -> str:
    """Return a value as one to choose by."""
    return "" if value is None else str(value)


def _sentence(text: str) -> str:
    return text if text.endswith((".", ":", "?", "!")) else f"{text}."
