from pathlib import Path

import pytest
from browser import Browser, PageError

PAGE = """<!DOCTYPE html><title>t</title><p id=seen>nothing</p><input id=in>
<button onclick="seen.innerText = 'clicked ' + document.querySelector('#in').value">b</button>
<script>addEventListener('keydown', event => document.title += ' ' + event.key)</script>"""


@pytest.fixture
def address(tmp_path: Path) -> Path:
    file = tmp_path / "page.html"
    file.write_text(PAGE, encoding="utf-8")
    return file


def test_a_page_is_clicked_and_typed_at(browser: Browser, address: Path) -> None:
    tab = browser.open(address)
    tab.click("#in")
    tab.type("Ab 1")
    tab.click("button")
    assert tab.text("#seen") == "clicked Ab 1"
    tab.press("Escape")
    assert str(tab.run("document.title")).endswith(" Escape")
    assert tab.complaints() == []
    assert tab.asked_for() == [address.as_uri()]
    tab.close()


def test_what_fails_in_a_page_is_seen(browser: Browser, address: Path) -> None:
    tab = browser.open(address)
    tab.run("new Promise(done => setTimeout(() => { setTimeout(done); throw new Error('no') }))")
    tab.run("console.error('bad')")
    assert len(tab.complaints()) == 2
    with pytest.raises(PageError, match="there is no #other"):
        tab.click("#other")
    with pytest.raises(PageError, match="undefined_name"):
        tab.run("undefined_name")
    tab.close()


def test_a_page_without_script_runs_none(browser: Browser, address: Path) -> None:
    tab = browser.open(address)
    tab.without_script()
    tab.click("button")
    assert tab.text("#seen") == "nothing"
    tab.close()
