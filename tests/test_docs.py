"""The documents say only what is so."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer.main

from maskkit.cli import app
from maskkit.labels import LabelSpace

ROOT = Path(__file__).parents[1]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
PAGES = [
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("**/*.md")),
]  # fmt: skip
# The changelog names options that were, and benchmarks what others have.
DOCUMENTS = [
    *(page for page in PAGES if page not in ("CHANGELOG.md", "benchmarks/README.md")),
    "examples/Makefile", "examples/best.mk", "examples/decisions.mk",
]  # fmt: skip


def _flags(name: str) -> set[str]:
    return {flag for item in COMMANDS[name].params for flag in (*item.opts, *item.secondary_opts)} | {
        "--help",
        "-h",
    }


def _typed_commands(text: str) -> list[list[str]]:
    """Return every `maskkit COMMAND ...` of a text, up to a pipe or redirection, as words."""
    text = text.replace("\\\n", " ").replace("$(MASKKIT)", "maskkit")
    found = re.findall(r"maskkit ([a-z][a-z-]*(?:[^\S\n]+[^\n|>`]*)?)", text)
    return [shlex.split(line, comments=True) for line in found if line.split()[0] in COMMANDS]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_only_options_that_exist(document: str) -> None:
    typed = _typed_commands((ROOT / document).read_text())
    unknown = [
        (words[0], word)
        for words in typed
        for word in words[1:]
        if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in _flags(words[0])
    ]
    assert not unknown


def test_commands_are_found_in_the_documents_that_teach_them() -> None:
    found = {name: len(_typed_commands((ROOT / name).read_text())) for name in DOCUMENTS}
    assert sum(found.values()) > 150
    assert all(
        found[name] for name in ("README.md", "docs/commands.md", "docs/training.md", "docs/photos.md")
    )


@pytest.mark.parametrize(
    ("rules", "goal"), [("Makefile", "all"), ("Makefile", "pseudo"), ("decisions.mk", "all")]
)
def test_rules_run_commands_with_options_that_exist(rules: str, goal: str, tmp_path: Path) -> None:
    for name in ("train.csv", "info.csv"):
        (tmp_path / name).touch()
    words = ["make", "-n", "-f", str(ROOT / "examples" / rules), "TRAIN=train.csv", "TEST=info.csv", goal]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    typed = _typed_commands(done.stdout)
    assert {"label", "split", "train", "predict", "ensemble"} <= {command for command, *_ in typed}
    flags = {(command, word) for command, *words in typed for word in words if word.startswith("-")}
    assert [(command, flag) for command, flag in flags if flag not in _flags(command)] == []


def test_the_page_of_commands_lists_every_command_and_no_other() -> None:
    table = re.findall(r"^\| \[`([a-z][a-z-]*)`\]", (ROOT / "docs/commands.md").read_text(), re.MULTILINE)
    assert table == list(COMMANDS)


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`{name}`" not in readme] == []


def test_the_task_file_on_the_page_of_photos_is_one() -> None:
    (task,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/photos.md").read_text(), re.DOTALL)
    assert len(LabelSpace.from_toml(task)) == 4


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", PAGES)
def test_links_lead_to_files_and_headings_that_exist(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", (ROOT / document).read_text())
    for name, anchor in links:
        page = (ROOT / document).parent / name if name else ROOT / document
        assert page.exists(), name
        assert not anchor or anchor in _anchors(page), f"{name}#{anchor}"


def test_the_scores_of_recipes_are_those_that_the_recipes_say() -> None:
    page = (ROOT / "docs/recipes.md").read_text()
    rows = re.findall(r"^\| \[([\w-]+)\]\((.+?)\) \| .+? \| (\S+).*? \| ([^\s|]*)", page, re.MULTILINE)
    files = sorted(path.stem for path in (ROOT / "examples" / "recipes").glob("*.toml"))
    assert sorted(name for name, *_ in rows) == files
    for _, link, score, beside in rows:
        recipe = (ROOT / "docs" / link).read_text()
        assert score in recipe
        assert beside in recipe


def test_each_error_that_is_explained_is_one_that_is_raised() -> None:
    errors = (ROOT / "docs/questions.md").read_text().partition("## Errors")[2]
    titles = [title for title in re.findall(r"^### (.+)$", errors, re.MULTILINE) if "..." in title]
    constants = [
        node.value
        for path in (ROOT / "maskkit").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    parts = [part.strip(" :") for title in titles for part in title.split("...")]
    assert len(titles) > 15
    assert [part for part in parts if not any(part in text for text in constants)] == []


def test_each_entry_of_the_changelog_begins_with_a_command() -> None:
    entries = re.findall(r"^- (.+?):", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert entries
    named = [name.strip("`") for entry in entries if entry != "all commands" for name in entry.split(", ")]
    assert [name for name in named if name not in COMMANDS] == []


def test_each_promise_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "promises.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 30
    lacking = [name for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert lacking == []


@pytest.mark.parametrize("document", ["README.md", "docs/promises.md"])
def test_each_promise_is_held_by_a_test(document: str) -> None:
    section = (ROOT / document).read_text().partition("# What cannot go wrong here")[2].partition("\n## ")[0]
    promised = re.findall(r"^- \*\*(.+?)\.?\*\*", section, re.MULTILINE)
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "promises.md").read_text(), re.MULTILINE)
    assert len(promised) > 8
    assert [one for one in promised if not any(row.startswith(one) for row in rows)] == []
