"""The page as people use it, in a browser: every key and button, two windows, and no server any more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, Tab

from maskkit.artifacts.manifest import Manifest
from maskkit.reviewing.review_page import lone_page
from maskkit.reviewing.server import Served, serving
from reviewing.desks import PROPOSED, decided, desk_of, fixes, rows_of

Open = Callable[..., Tab]
OWN = ("http://127.0.0.1:", "blob:", "file:")


@pytest.fixture
def served(labels: Manifest, tmp_path: Path) -> Iterator[Served]:
    with serving(desk_of(labels, tmp_path / "reviewed.csv")) as one:
        yield one


@pytest.fixture
def window(browser: Browser) -> Iterator[Open]:
    """Open pages; none may be refused anything, nor ask for what is not its own."""
    tabs: list[Tab] = []
    expected: list[str] = []

    def opened(address: str | Path, *, complains: str = "", **size: int) -> Tab:
        tab = browser.open(address, **size)
        tabs.append(tab)
        expected.append(complains)
        tab.wait_for("document.querySelector('figure img') !== null")
        return tab

    yield opened
    for tab, complaint in zip(tabs, expected, strict=True):
        said = [one for one in tab.complaints() if not complaint or complaint not in one]
        assert said == []
        assert [one for one in tab.asked_for() if not one.startswith(OWN)] == []
        tab.run("localStorage.clear()")
        tab.close()


@pytest.fixture
def download(browser: Browser) -> Iterator[Callable[[Tab], bytes]]:
    """Save the CSV of a page that has no server, and return its bytes."""
    browser.downloads.mkdir(exist_ok=True)
    place = browser.downloads / "reviewed.csv"

    def saved(tab: Tab) -> bytes:
        tab.click("#finish")
        says(tab, "in the folder of your downloads")
        tab.wait_for("new Promise((done) => setTimeout(() => done(true), 0))")
        for _ in range(3000):
            if place.exists() and not list(browser.downloads.glob("*.crdownload")):
                break
            tab.run("new Promise((done) => setTimeout(done, 10))")
        return place.read_bytes()

    yield saved
    place.unlink(missing_ok=True)


def says(tab: Tab, text: str) -> None:
    """Wait until the page says something."""
    tab.wait_for(f"document.getElementById('status').textContent.includes({json.dumps(text)})")


def counts(tab: Tab, text: str) -> None:
    """Wait until the page counts so many decisions."""
    tab.wait_for(f"document.getElementById('counts').textContent === {json.dumps(text)}")


def asked(tab: Tab) -> str:
    """Return what is asked now."""
    return tab.text("article.now")


def is_visible(tab: Tab, selector: str) -> bool:
    return bool(tab.texts(selector))


def test_all_labels_are_decided_by_keys_and_each_is_saved_at_once(
    served: Served, window: Open, tmp_path: Path
) -> None:
    tab = window(served.address)
    assert tab.text("#whose") == "Person 000001"
    assert len(tab.texts("figure")) == 7
    assert "gender: male → female ?" in asked(tab)
    tab.press("c")
    says(tab, "gender is female, confirmed, saved")
    assert decided(tmp_path / "reviewed.csv") == [("gender", "female", "confirmed")]
    tab.press("x")
    says(tab, "age is 19, struck, saved")
    assert tab.text("#whose") == "Person 000002"
    assert len(tab.texts("figure.meant")) == 1
    tab.press("2")
    says(tab, "mask is incorrect, changed, saved")
    tab.press("n")
    tab.type("31")
    tab.press("Enter")
    says(tab, "age is 31, changed, saved")
    counts(tab, "4 of 4 decided")
    assert "1 confirmed, 2 changed, 1 struck" in tab.text("#done")
    tab.type("x1s")  # one key too many
    tab.press("ArrowLeft")
    assert "age: 27 → 30to59 ?" in asked(tab)
    assert "changed: 31" in asked(tab)
    assert decided(tmp_path / "reviewed.csv") == [
        ("gender", "female", "confirmed"), ("age", "19", "struck"), ("mask", "incorrect", "changed"),
        ("age", "31", "changed"),
    ]  # fmt: skip


def test_all_of_it_is_done_by_buttons_too(served: Served, window: Open, tmp_path: Path) -> None:
    tab = window(served.address)
    tab.click("#confirm")
    says(tab, "confirmed")
    tab.click("#strike")
    says(tab, "struck")
    tab.click("#levels button:nth-child(2)")
    says(tab, "mask is incorrect, changed")
    tab.click("#skip")
    says(tab, "Skipped")
    tab.click("#number input")
    tab.type("33")
    tab.press("Enter")
    says(tab, "age is 33")
    tab.click("#undo")
    says(tab, "Undone")
    counts(tab, "3 of 4 decided")
    tab.click("#finish")
    says(tab, "this window can be closed")
    assert served.ended.is_set()
    assert [word for *_, word in decided(tmp_path / "reviewed.csv")] == ["confirmed", "struck", "changed"]


def test_a_skipped_label_comes_again_at_the_end(served: Served, window: Open, tmp_path: Path) -> None:
    tab = window(served.address)
    tab.press("s")
    counts(tab, "0 of 4 decided, 1 skipped")
    tab.press("ArrowRight")
    tab.press("ArrowRight")
    tab.press("c")  # the last of them; the first was skipped, so that the second is next
    counts(tab, "1 of 4 decided, 1 skipped")
    assert "age: 19 → 60plus ?" in asked(tab)
    tab.type("cc")
    counts(tab, "3 of 4 decided, 1 skipped")
    assert "gender: male → female ?" in asked(tab)
    assert [column for column, *_ in decided(tmp_path / "reviewed.csv")] == ["age", "mask", "age"]


def test_undo_goes_back_step_by_step_to_what_was_decided_before(
    served: Served, window: Open, tmp_path: Path
) -> None:
    tab = window(served.address)
    tab.press("c")
    says(tab, "confirmed")
    tab.press("ArrowLeft")
    tab.press("x")
    says(tab, "gender is male, struck")
    tab.press("u")
    says(tab, "Undone")
    assert decided(tmp_path / "reviewed.csv") == [("gender", "female", "confirmed")]
    tab.press("Control+z")
    counts(tab, "0 of 4 decided")
    assert decided(tmp_path / "reviewed.csv") == []
    tab.press("u")
    says(tab, "nothing to undo")


def test_keys_that_are_typed_faster_than_the_disk_are_none_of_them_lost(
    served: Served, window: Open, tmp_path: Path
) -> None:
    tab = window(served.address)
    tab.run(
        "[...'cxcx'].forEach((key) => dispatchEvent(new KeyboardEvent('keydown', {key, code: `Key${key}`})))"
    )
    counts(tab, "4 of 4 decided")
    words = [word for *_, word in decided(tmp_path / "reviewed.csv")]
    assert words == ["confirmed", "struck", "confirmed", "struck"]


def test_a_key_that_is_held_down_decides_once(served: Served, window: Open) -> None:
    tab = window(served.address)
    what = {"key": "c", "text": "c", "windowsVirtualKeyCode": 67}
    for is_repeated in (False, True, True, True):
        tab.send("Input.dispatchKeyEvent", type="keyDown", autoRepeat=is_repeated, **what)
    tab.send("Input.dispatchKeyEvent", type="keyUp", **what)
    tab.press("s")
    says(tab, "Skipped")
    counts(tab, "1 of 4 decided, 1 skipped")


def test_keys_are_known_by_their_place_where_another_script_is_typed(served: Served, window: Open) -> None:
    tab = window(served.address)
    tab.send("Input.dispatchKeyEvent", type="keyDown", key="ㅊ", code="KeyC", text="ㅊ")
    says(tab, "gender is female, confirmed")


def test_a_level_that_holds_the_number_there_is_keeps_the_number(
    served: Served, window: Open, tmp_path: Path
) -> None:
    tab = window(served.address)
    tab.press("ArrowRight")
    tab.press("1")  # under30, and the age is 19
    says(tab, "age is 19, struck")
    assert decided(tmp_path / "reviewed.csv") == [("age", "19", "struck")]


def test_what_another_window_has_decided_is_not_overwritten_by_one_that_has_not_seen_it(
    served: Served, window: Open, tmp_path: Path
) -> None:
    first, second = window(served.address), window(served.address, complains="409")
    first.press("c")
    says(first, "confirmed")
    second.press("x")
    says(second, "Another window has decided this meanwhile")
    assert "confirmed: female" in asked(second)
    assert decided(tmp_path / "reviewed.csv") == [("gender", "female", "confirmed")]
    second.press("x")  # now it has been seen
    says(second, "gender is male, struck")
    assert decided(tmp_path / "reviewed.csv") == [("gender", "male", "struck")]


def test_a_photo_is_enlarged_and_closed_and_keys_decide_nothing_meanwhile(
    served: Served, window: Open
) -> None:
    tab = window(served.address)
    tab.click("figure button")
    tab.wait_for("document.querySelector('dialog').open")
    tab.press("c")
    tab.press("Escape")
    tab.wait_for("!document.querySelector('dialog').open")
    tab.press("s")
    counts(tab, "0 of 4 decided, 1 skipped")


def test_a_window_says_when_nothing_is_saved_any_more(window: Open, labels: Manifest, tmp_path: Path) -> None:
    with serving(desk_of(labels, tmp_path / "reviewed.csv")) as served:
        tab = window(served.address, complains="Failed to load resource")
        tab.press("c")
        says(tab, "saved")
    tab.press("c")
    says(tab, "This decision is not saved")
    counts(tab, "1 of 4 decided")
    assert decided(tmp_path / "reviewed.csv") == [("gender", "female", "confirmed")]


def test_texts_of_files_are_texts_on_the_page(window: Open, labels: Manifest, tmp_path: Path) -> None:
    odd = '<img src=x onerror="document.title=1"></script><b>'
    rows = [(*PROPOSED[0][:5], odd, "", odd), *PROPOSED[1:]]
    desk = desk_of(labels, tmp_path / "reviewed.csv", fixes=fixes(rows))
    (tmp_path / "page.html").write_text(lone_page(desk, saved_as="reviewed.csv"))
    with serving(desk) as served:
        for address in (served.address, tmp_path / "page.html"):
            tab = window(address, complains="410")
            assert odd in asked(tab)
            assert tab.run("document.querySelector('article img') === null")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_wide_window_and_a_phone_in_both_themes(
    served: Served, window: Open, width: int, scheme: str
) -> None:
    tab = window(served.address, width=width, height=840)
    tab.prefer(scheme=scheme)
    assert tab.run("document.documentElement.scrollWidth") <= width
    boxes = tab.run(
        "[...document.querySelectorAll('#actions button')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert all(box["left"] >= 0 and box["right"] <= width for box in boxes)
    assert all(box["height"] >= 32 for box in boxes)
    colours = tab.run("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (paper > ink) == (scheme == "light")


def test_a_page_without_a_server_saves_the_same_bytes_by_a_download(
    window: Open, labels: Manifest, tmp_path: Path, download: Callable[[Tab], bytes]
) -> None:
    desk = desk_of(labels, tmp_path / "kept.csv")
    (tmp_path / "page.html").write_text(lone_page(desk, saved_as="reviewed.csv"))
    tab = window(tmp_path / "page.html")
    tab.type("cx2n31")
    tab.press("Enter")
    counts(tab, "4 of 4 decided")
    for number, value in enumerate(("female", "19", "incorrect", "31")):
        desk.decisions.decide(number, value, seen=number)
    assert download(tab) == (tmp_path / "kept.csv").read_bytes()


def test_a_page_without_a_server_keeps_what_was_decided_when_it_is_opened_again(
    window: Open, labels: Manifest, tmp_path: Path, download: Callable[[Tab], bytes]
) -> None:
    (tmp_path / "page.html").write_text(lone_page(desk_of(labels), saved_as="reviewed.csv"))
    tab = window(tmp_path / "page.html")
    tab.press("c")
    counts(tab, "1 of 4 decided")
    assert len(rows_of(download(tab))) == 1  # else it would ask whether to leave
    tab.run("window.isBefore = true")
    tab.go(tmp_path / "page.html")
    tab.wait_for("!window.isBefore && document.querySelector('figure img') !== null")
    counts(tab, "1 of 4 decided")
    assert "age: 19 → 60plus ?" in asked(tab)


def test_letters_beyond_ascii_are_marked_alike_by_both(
    window: Open, labels: Manifest, tmp_path: Path, download: Callable[[Tab], bytes]
) -> None:
    rows = [(*PROPOSED[0][:7], 'says "여성", surely'), *PROPOSED[1:]]
    desk = desk_of(labels, tmp_path / "kept.csv", fixes=fixes(rows))
    (tmp_path / "page.html").write_text(lone_page(desk, saved_as="reviewed.csv"))
    tab = window(tmp_path / "page.html")
    tab.press("c")
    counts(tab, "1 of 4 decided")
    desk.decisions.decide(0, "female", seen=0)
    saved = download(tab)
    assert saved == (tmp_path / "kept.csv").read_bytes()
    assert saved.startswith(b"\xef\xbb\xbf")
