import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import escape

import pytest
from pages import Page, words

from maskkit.reporting.html import page
from maskkit.reporting.plots import BarChart, Chart, PlotLine
from maskkit.reporting.report import Item, PhotoSheet, Report, Section
from maskkit.reporting.table import Column, Kind, Note, Photo, Row, Table, Value
from maskkit.scoring.results import Estimate

HOSTILE = "<script>alert('1')</script>&\""
PICTURE = "data:image/jpeg;base64,AAAA"
ESTIMATE = Estimate(0.5, 0.4, 0.6)


def of(*items: Item) -> Report:
    return Report("A report", {}, (Section("Part", items),))


def table(kind: Kind, *values: Value) -> Table:
    return Table((Column("a", "a", kind),), tuple(Row("row", (value,)) for value in values))


def test_every_name_is_escaped() -> None:
    column = Column(HOSTILE, HOSTILE)
    photo = Photo(HOSTILE, PICTURE, HOSTILE)
    row = Row(HOSTILE, (HOSTILE,), group=HOSTILE, is_marked=True, photos=(photo,))
    whole = Table(
        (column,), (row, row), HOSTILE, column, mark=(HOSTILE, HOSTILE), most_on_page=1, rest=HOSTILE
    )
    items: tuple[Item, ...] = (
        Note(HOSTILE, "note", HOSTILE), Note(HOSTILE, "noise"), Note(HOSTILE, "verdict"),
        Note(HOSTILE, "code"),
        whole, replace(whole, look="facts"), replace(whole, look="cards"),
        Table((Column("", HOSTILE, "count"),), (Row(HOSTILE, (1,)),), HOSTILE, column, look="heat"),
        Chart(HOSTILE, HOSTILE, (PlotLine(HOSTILE, [0, 1], [0, 1]),)),
        BarChart(HOSTILE, HOSTILE, HOSTILE, (0, 1, 2), (1, 2)),
        PhotoSheet(HOSTILE, (photo,)),
    )  # fmt: skip
    html = page(
        Report(
            HOSTILE, {}, (Section(HOSTILE, items),), (Note(HOSTILE, "warning"),), (Note(HOSTILE, "verdict"),),
            ((HOSTILE, ESTIMATE, column),), {HOSTILE: HOSTILE}, HOSTILE,
        )
    )  # fmt: skip
    assert html.count("<script") == 1 == Page(html).tags.count("script")  # its own
    assert Page(html).text.count(HOSTILE) > 40
    assert escape(HOSTILE)[:11] in html


def test_loads_nothing_and_shows_pictures_only_if_it_has_some() -> None:
    html = page(of(Note("a note"), table("score", ESTIMATE)))
    shown = Page(html)
    assert not {"img", "link", "iframe", "object", "image", "use"} & set(shown.tags)
    assert not {"src", "xlink:href", "srcset", "onload"} & {name for name, _ in shown.attributes}
    assert not re.search(r"url\(|@import|https?:", html)
    assert "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline';" in html
    assert "img-src" not in html
    pictured = page(of(PhotoSheet("sheet", (Photo("a.jpg", PICTURE), Photo("b.jpg", None)))))
    assert "img-src data:" in pictured
    assert pictured.count(PICTURE) == 1
    assert "The photo cannot be read" in pictured


def test_the_only_script_that_may_run_is_the_one_of_every_page() -> None:
    one, other = page(of(Note("a note"))), page(of(table("score", ESTIMATE)))
    (script,), (same,) = (re.findall(r"<script>(.*?)</script>", html, re.DOTALL) for html in (one, other))
    assert script == same
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in one or f"script-src 'sha256-{digest}'" in one
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\b|fetch\(|XMLHttp", script)


def test_bars_and_whiskers_stand_where_the_values_are() -> None:
    drawn = Table((Column("a", "a", "score", has_bar=True),), (Row("row", (ESTIMATE,)),))
    html = page(of(drawn))
    assert '<i class="fill" style="width:50.00%">' in html
    assert '<i class="whisker" style="left:40.00%;width:20.00%">' in html
    counts = Table((Column("a", "a", "count", has_bar=True),), (Row("x", (1,)), Row("y", (4,))))
    assert re.findall(r'"fill" style="width:([\d.]+)%"', page(of(counts))) == ["25.00", "100.00"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("count", 1234, "1,234"),
        ("share", 0.5, "50.0%"),
        ("share", 0.0001, "<0.1%"),
        ("share", 0.9999, ">99.9%"),
        ("decimal", -0.0001, "0.000"),
        ("signed", 0.25, "+0.250"),
        ("short", 1234.5, "1,234"),
        ("chance", 0.00001, "< 0.0001"),
        ("flag", True, "yes"),
        ("pair", (1200, 3), "1,200/3"),
        ("score", ESTIMATE, "0.500 0.400\N{EN DASH}0.600"),
        ("score", Estimate(None, None, None), "\N{EN DASH}"),
        ("difference", Estimate(0.1, -0.02, 0.2), "+0.100 -0.020 to +0.200"),
        ("decimal", None, "\N{EN DASH}"),
    ],
)
def test_writes_each_kind_of_value(kind: Kind, value: Value, text: str) -> None:
    assert Page(page(of(table(kind, value)))).tables[0][1][1] == text


def test_names_what_it_leaves_out_and_links_to_each_section() -> None:
    many = Table((Column("a", "a", "count"),), tuple(Row("x", (n,)) for n in range(5)), most_on_page=2)
    html = page(Report("A", {}, tuple(Section(title, (many,)) for title in ("Part 1", "Part 1", "B"))))
    assert "and 3 more, in the JSON output" in words(html)
    links = [value for name, value in Page(html).attributes if name == "href"]
    anchors = ["#" + str(value) for name, value in Page(html).attributes if name == "id"]
    assert links == anchors
    assert len(set(anchors)) == 3


def test_heat_maps_show_shares_of_the_row_and_what_is_right() -> None:
    columns = (Column("", "a", "count"), Column("", "b", "count"), Column("", "photos", "total"))
    counts = Table(columns, (Row("a", (3, 1, 4)), Row("b", (0, 0, 0))), look="heat")
    html = page(of(counts))
    assert re.findall(r'<td class="(.*?)"', html) == ["hit", "miss", "total", "zero", "zero right", "total"]
    assert re.findall(r"--depth:([\d.]+)", html) == ["0.866", "0.500"]
    assert Page(html).tables[0][1] == ["a", "3 75%", "1 25%", "4"]
    pairs = Table(
        (Column("", "a", "pair"), Column("", "b", "pair")), (Row("a", ((4, 9), (1, 2))),), look="heat"
    )
    html = page(of(pairs))
    assert re.findall(r"--depth:([\d.]+)", html) == ["1.000", "0.500"]
    assert Page(html).tables[0][1] == ["a", "4 9", "1 2"]
