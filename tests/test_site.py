"""The site of docs/ is built without a warning, has what is declared, and is read without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from browser import Browser
from declarations import TABLES, choices_text, command_text, filled, literal
from one_host import asked_by_style, asked_elsewhere

from maskkit.cli import app
from maskkit.options import techniques

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made anew."""
    pytest.importorskip("furo", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    words = ["-q", "-W", "--keep-going", "-c", "docs/site", "-d", str(folder / "doctrees"), "."]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(folder / "html")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_it_is_built_without_a_warning(site: Path) -> None:
    assert (site / "docs" / "index.html").exists()
    assert {path.stem for path in (site / "docs" / "commands").glob("*.html")} == set(COMMANDS)


def test_texts_of_help_are_shown_as_they_are(site: Path) -> None:
    page = (site / "docs" / "commands" / "train.html").read_text()
    assert "A &lt;choice&gt; is a name" in page
    assert literal("run/*_a <b> `x*y` [c]") == r"run/\*\_a \<b> `x*y` \[c]"


def test_each_page_of_the_project_is_reached_from_its_front_page(site: Path) -> None:
    front = (site / "docs" / "index.html").read_text()
    pages = {path.relative_to(site) for path in site.rglob("*.html")} - {Path("genindex.html")}
    linked = {Path("docs") / name for name in re.findall(r'href="([^"#]+\.html)"', front)}
    reached = {(site / page).resolve() for page in linked}
    lacking = [page for page in pages if (site / page).resolve() not in reached and page.stem != "index"]
    assert [page for page in lacking if page != Path("search.html")] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_its_pages_ask_no_other_host_and_fit_the_window(site: Path, browser: Browser, width: int) -> None:
    for page in ("index", "commands/train", "choices", "results", "recipes"):
        tab = browser.open(site / "docs" / f"{page}.html", width=width)
        assert tab.run("document.documentElement.scrollWidth") <= width, page
        assert tab.complaints() == []
        assert [address for address in tab.asked_for() if not address.startswith("file:")] == []
        tab.close()


def test_words_are_found_without_a_server(site: Path, browser: Browser) -> None:
    tab = browser.open(site / "search.html")
    tab.go((site / "search.html").as_uri() + "?q=pseudo")
    tab.wait_for("document.querySelectorAll('ul.search li').length > 2")
    assert any("pseudo" in text for text in tab.texts("ul.search li"))
    tab.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_a_command_has_every_option_and_nothing_else(name: str) -> None:
    page = filled((ROOT / "docs" / "commands" / f"{name}.md").read_text())
    assert command_text(name) in page
    listed = {
        flag
        for line in re.findall(r"^(`-.*)$", page, re.MULTILINE)
        for flag in re.findall(r"`(-[\w-]+)`", line)
    }
    wanted = {
        flag
        for item in COMMANDS[name].params
        for flag in (*item.opts, *item.secondary_opts)
        if flag[0] == "-"
    }
    assert listed == wanted - {"--help", "-h"}


def test_every_table_of_techniques_is_shown() -> None:
    declared = {
        name: value
        for name, value in vars(techniques).items()
        if name[0].isalpha() and name.isupper() and isinstance(value, dict)
    }
    shown = [settings for table in TABLES.values() for settings in table.values()]
    lacking = [
        name
        for name, value in declared.items()
        if value not in shown and not all(one in shown for one in value.values())
    ]
    assert len(declared) > 12
    assert lacking == []
    text = choices_text()
    for name, settings in techniques.SCHEDULES.items():
        assert f"| `{name}` |" in text
        assert all(f"| `{key}` |" in text for key in settings)


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        "<link rel='stylesheet' href='//fonts.example/css'>",
        '<img src="http://example.org/a.png">',
    ],
)
def test_what_a_browser_would_fetch_from_elsewhere_ends_the_build(page: str) -> None:
    assert len(asked_elsewhere(page)) == 1


def test_links_that_people_follow_are_allowed() -> None:
    assert asked_elsewhere('<a href="https://example.org">x</a><img src="_static/a.png">') == []
    assert asked_by_style("a { background: url(data:x) } @font-face { src: url('f.woff') }") == []
    assert len(asked_by_style("@import 'https://fonts.example/a.css';")) == 1
