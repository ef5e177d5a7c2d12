"""What the script of a page does, in a browser: whatever a report declares, and nothing without script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, Tab
from test_curves import write_history
from test_evaluation_details import everything

from maskkit.reporting.curves import training_curves
from maskkit.reporting.evaluation_report import evaluation_report
from maskkit.reporting.html import page
from maskkit.reporting.pictured import Pictured
from maskkit.reporting.report import Report, Section
from maskkit.reporting.table import Column, Photo, Row, Table
from maskkit.scoring.evaluated import Evaluation
from maskkit.scoring.results import Estimate
from maskkit.scoring.shown_photos import ShownPhoto

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSu"
    "QmCC"
)


@pytest.fixture
def tab(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tab]:
    """A page of the report that the test is given, open; it must complain of nothing and load nothing."""
    file = tmp_path / "page.html"
    file.write_text(page(request.param()), encoding="utf-8")
    one = browser.open(file)
    yield one
    assert one.complaints() == []
    assert one.asked_for() == [file.as_uri()] * len(one.asked_for())
    one.close()


def columns_of(tab: Tab, place: int, *, table: str = "table") -> list[str]:
    return tab.texts(f"{table} tbody tr:not(.group) > :nth-child({place})")


def measures() -> Report:
    score = Column("score", "score", "score", has_bar=True)
    rows = [
        ("b 10", Estimate(0.9, 0.8, 1.0), 1200), ("a", Estimate(0.1, 0.0, 0.2), 7),
        ("b 9", Estimate(None, None, None), 85),
    ]  # fmt: skip
    cells = [Row(name, (value, count), group="all") for name, value, count in rows]
    table = Table(
        (score, Column("photos", "photos", "count")), (*cells, Row("sum", ("", 1292), is_foot=True)),
        head=Column("name", "name"),
    )  # fmt: skip
    return Report("A report", {}, (Section("Part", (table,)),))


@pytest.mark.parametrize("tab", [measures], indirect=True)
def test_a_click_on_a_heading_sorts_by_value_then_the_other_way_and_then_as_it_was(tab: Tab) -> None:
    as_it_was = columns_of(tab, 1)
    tab.click("thead th:nth-child(3) button")
    assert columns_of(tab, 3) == ["1,200", "85", "7", "1,292"]  # not by letters, and the sum last
    assert tab.run("document.querySelector('thead th:nth-child(3)').ariaSort") == "descending"
    tab.click("thead th:nth-child(3) button")
    assert columns_of(tab, 3) == ["7", "85", "1,200", "1,292"]
    tab.click("thead th:nth-child(3) button")
    assert columns_of(tab, 1) == as_it_was == ["b 10", "a", "b 9", "sum"]
    tab.click("thead th:nth-child(2) button")
    assert columns_of(tab, 1)[:3] == ["b 10", "a", "b 9"]  # what is undefined comes last
    tab.click("thead th:nth-child(2) button")
    assert columns_of(tab, 1)[:3] == ["a", "b 10", "b 9"]
    tab.click("thead th:nth-child(1) button")
    assert columns_of(tab, 1)[:3] == ["a", "b 9", "b 10"]  # numbers in names as numbers
    assert tab.texts("tr.group") == ["all"]


def findings() -> Report:
    columns = (Column("", "severity", "tag", is_choice=True), Column("", "photo"))
    rows = tuple(
        Row(
            f"Nr {'32211100000000'[place]}",
            (("high", "low")[place % 2], f"{chr(97 + place)}.jpg"),
            photos=(Photo(f"{chr(97 + place)}.jpg", PIXEL),),
        )
        for place in range(14)
    )
    return Report(
        "Findings", {}, (Section("Part", (Table(columns, rows, head=Column("", "person", is_shared=True)),)),)
    )


@pytest.mark.parametrize("tab", [findings], indirect=True)
def test_words_and_choices_show_the_rows_that_have_them_and_say_how_many(tab: Tab) -> None:
    tab.click(".tools input")
    tab.type("NR 1")
    assert tab.texts("tbody th") == ["Nr 1"] * 3
    assert tab.text(".tools [role=status]") == "3 of 14"
    assert len(tab.texts("tr.pictures")) == 3  # photos go with their rows
    for _ in "NR 1":
        tab.press("Backspace")
    tab.press("Tab")
    tab.type("h")  # which chooses
    assert tab.text(".tools [role=status]") == "7 of 14"
    assert set(tab.texts("tbody .tag")) == {"high"}
    tab.press("ArrowUp")  # to any
    assert tab.text(".tools [role=status]") == ""
    assert len(tab.texts("tbody .tag")) == 14


@pytest.mark.parametrize("tab", [findings], indirect=True)
def test_rows_of_a_person_are_put_together_the_largest_first_and_back(tab: Tab) -> None:
    before = tab.texts("tbody th[scope=row]")
    tab.click(".tools button")
    assert tab.texts("tr.together") == [
        "person Nr 0: 8",
        "person Nr 1: 3",
        "person Nr 2: 2",
        "person Nr 3: 1",
    ]
    assert tab.texts("tbody th[scope=row]") == sorted(before)
    tab.click(".tools button")
    assert tab.texts("tbody th[scope=row]") == before
    assert tab.texts("tr.together") == []


def unknown_people() -> Report:
    rows = tuple(Row(f"{place}.jpg", (None,), photos=(Photo(f"{place}.jpg", PIXEL),)) for place in range(3))
    cards = Table((Column("", "person", is_shared=True),), rows, look="cards")
    return Report("Photos", {}, (Section("Part", (cards,)),))


@pytest.mark.parametrize("tab", [unknown_people], indirect=True)
def test_nothing_is_offered_that_would_do_nothing(tab: Tab) -> None:
    assert tab.run("document.querySelectorAll('.tools').length") == 0


def mistaken(found: Evaluation) -> tuple[str, str]:
    """Return a truth and a prediction of another age that occurs."""
    names = [one.name for one in found.scores.classes]
    pairs = ((names[truth], names[answer]) for truth, answer in np.argwhere(found.scores.confusion))
    return next(
        (one, other)
        for one, other in pairs
        if one != other and one.rpartition("/")[0] == other.rpartition("/")[0]
    )


def album() -> Report:
    """Three mistakes of one kind by two people, and a right prediction."""
    found = everything()
    truth, answer = (tuple(name.split("/")) for name in mistaken(found))
    shown = [
        ShownPhoto(f"{name}.jpg", name[0], 1, truth, answer, 0.75, 0.1, {"camera": "old"})
        for name in ("a1", "b1", "a2")
    ]
    shown.append(ShownPhoto("c1.jpg", "c", 2, truth, truth, 0.5, 0.5, {"camera": "young"}))
    found = replace(found, shown=tuple(shown))
    return evaluation_report(
        found, manifest="folds", predictions="oof", thumbnails={one.path: PIXEL for one in shown},
        pictures={"a/mask1.jpg": Pictured(PIXEL)},
    )  # fmt: skip


MISTAKEN = "#confusion .heat a[data-rows='0 1 2']"


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_a_cell_of_the_confusion_matrix_opens_its_photos_and_a_photo_is_enlarged(tab: Tab) -> None:
    assert tab.texts("dialog[open]") == []
    tab.click(MISTAKEN)
    truth, answer = mistaken(everything())
    assert tab.text("dialog.behind h2").startswith(f"{truth} \N{RIGHTWARDS ARROW} {answer}: 3 of ")
    assert len(tab.texts("dialog.behind .card")) == 3
    assert tab.run("location.hash") == ""
    assert tab.run("document.querySelectorAll('#photo-0').length") == 1
    tab.click("dialog.behind .tools button")
    assert tab.texts("dialog.behind h4") == ["person a: 2", "person b: 1"]
    tab.click("dialog.behind .card img")
    assert tab.text("dialog.large h2") == "1 of 3"
    seen = tab.text("dialog.large .one")
    assert all(text in seen for text in ("a1.jpg", truth, answer, "0.750", "0.100"))
    tab.press("ArrowRight")
    assert "a2.jpg" in tab.text("dialog.large .one")
    tab.press("ArrowLeft")
    tab.press("ArrowLeft")
    assert "b1.jpg" in tab.text("dialog.large .one")
    tab.press("Escape")
    assert tab.texts("dialog.behind[open] h4") == ["person a: 2", "person b: 1"]
    tab.press("Escape")
    assert tab.texts("dialog[open]") == []


@pytest.mark.parametrize("tab", [album], indirect=True)
@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ("#slices tbody tr:nth-child(1) a", "by camera old: 3 of "),
        ("#folds tbody tr:nth-child(2) a", "held-out fold 1: 3 of "),
        ("#factors .measures a", "age "),
        ("#classes tbody a", "class "),
    ],
)
def test_slices_folds_levels_and_classes_open_their_mistakes(tab: Tab, cell: str, title: str) -> None:
    tab.click(cell)
    assert tab.text("dialog.behind h2").startswith(title)
    assert ": 3 of " in tab.text("dialog.behind h2")
    assert len(tab.texts("dialog.behind .card")) == 3


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_without_script_a_cell_leads_to_its_photos_in_the_page(tab: Tab) -> None:
    words = tab.run("document.querySelector('main').innerText.length")
    tab.without_script()
    assert tab.run("document.querySelectorAll('button, input, dialog').length") == 0
    assert tab.run("document.querySelector('main').innerText.length") <= words
    assert tab.texts("#photo-1 img") == []
    tab.click(MISTAKEN)
    assert tab.run("document.querySelector('#photo-0').closest('details').open")
    assert tab.texts("details[open] .card dd")[:2] == ["0.750", "a"]


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_a_photo_is_enlarged_by_the_keyboard(tab: Tab) -> None:
    tab.run("document.querySelector('#worst-mistakes img').focus()")
    tab.press("Enter")
    assert "a/mask1.jpg" in tab.text("dialog.large .one")
    assert tab.text("dialog.large h2") == "1 of 1"


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_pointing_at_a_cell_says_what_it_is(tab: Tab) -> None:
    tab.point_at("#factors .heat td.hit")
    assert tab.text(".tip").startswith("wear \N{RIGHTWARDS ARROW} wear: ")
    tab.point_at("h1")
    assert tab.texts(".tip") == []


def test_pointing_at_a_curve_says_the_values_of_all_lines_there(browser: Browser, tmp_path: Path) -> None:
    histories = [write_history(tmp_path / f"fold{fold}.history.csv", scores=(0.25, 0.5)) for fold in range(2)]
    chart = training_curves(histories)[1]
    file = tmp_path / "page.html"
    file.write_text(page(Report("Curves", {}, (Section("Curves", (chart,)),))), encoding="utf-8")
    tab = browser.open(file)
    tab.point_at(".band:nth-of-type(1) rect")
    assert tab.text(".tip").split("\n") == [
        "epoch 1", "fold0, training: 2", "fold0, held out: 1.5", "fold1, training: 2", "fold1, held out: 1.5",
    ]  # fmt: skip
    assert tab.complaints() == []
    tab.close()


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_no_other_script_runs_in_a_page(tab: Tab) -> None:
    tab.run(
        "(() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1'; "
        "document.body.append(one); })()"
    )
    assert tab.run("window.ran ?? 0") == 0
    refused = [text for text in tab.complaints() if "Content Security Policy" in text]
    assert len(refused) == 1
    tab._browser.events().clear()  # so that what was wanted is no complaint


@pytest.mark.parametrize("tab", [album, findings, measures], indirect=True)
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(tab: Tab, width: int) -> None:
    tab.resize(width, 800)
    assert tab.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("tab", [album], indirect=True)
def test_what_the_script_adds_is_not_printed(tab: Tab) -> None:
    tab.prefer(media="print")
    assert tab.texts(".tools") == []
