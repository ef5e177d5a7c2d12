"""`maskkit review` from the shell, where it needs no browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commandline import run
from reviewing.desks import decided, fixes
from typer.testing import Result

from maskkit.artifacts.manifest import Manifest
from maskkit.stages.label import label


@pytest.fixture
def place(train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    label(train_csv).write("folds.parquet")
    Path("fixes.csv").write_bytes(fixes().data.to_pybytes())
    return tmp_path


def reviewed(*words: str) -> Result:
    return run("review", "folds.parquet", "fixes.csv", *words)


def annotate() -> None:
    """Choose in Label Studio what is proposed, but for the last task."""
    tasks = json.loads(Path("tasks.json").read_text())
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"]}]
    tasks[-1]["annotations"] = []
    Path("export.json").write_text(json.dumps(tasks))


def test_by_way_of_label_studio_to_corrected_labels(place: Path, train_csv: Path) -> None:
    made = reviewed("--label-studio", "tasks.json")
    assert (made.exit_code, made.stdout) == (0, "tasks.json\ntasks.xml\n")
    annotate()
    back = reviewed("--annotations", "export.json", "-o", "reviewed.csv")
    assert (back.exit_code, back.stdout) == (0, "reviewed.csv\n")
    assert "3 of 4 labels are decided: 3 confirmed, 0 changed, 0 struck" in back.stderr
    assert [value for _, value, _ in decided(Path("reviewed.csv"))] == ["female", "60plus", "none"]
    again = run(
        "label", str(train_csv), "--no-check", "--corrections", "reviewed.csv", "-o", "corrected.parquet"
    )
    assert again.exit_code == 0, again.stderr
    assert Manifest.read("corrected.parquet").table["origin"].to_pylist().count("corrected") == 8
    record = json.loads(run("show", "corrected.parquet", "--history", "--json").stdout)[-1]
    assert record["found"] == {"reviewed": {"confirmed": 3}}


def test_a_page_without_a_port_is_one_file_with_its_photos_that_may_load_nothing(place: Path) -> None:
    made = reviewed("--html", "page.html")
    assert (made.exit_code, made.stdout) == (0, "")
    assert "it holds the photos" in made.stderr
    page = Path("page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 21
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    named = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]*)""", page.partition("<script")[0])
    assert [one for one in named if not one.startswith("data:")] == []
    assert "https://" not in page


def test_the_page_is_the_same_bytes_each_time(place: Path) -> None:
    reviewed("--html", "page.html")
    reviewed("--html", "again.html")
    first, second = (Path(name).read_text() for name in ("page.html", "again.html"))
    assert first == second.replace("again.csv", "page.csv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "give a file for the decisions"),
        ("-o -", "every decision is saved as it is made"),
        ("--html page.html -o reviewed.csv", "save nothing by themselves"),
        ("--label-studio tasks.json -o reviewed.csv", "save nothing by themselves"),
        ("--annotations export.json", "it is where decisions go"),
        ("--html page.html --resume", "give one with -o"),
        ("--html page.html --port 80", "is served"),
        ("-o reviewed.csv --port 65536", "65535"),
    ],
)
def test_what_would_do_nothing_is_wrong_usage(place: Path, words: str, said: str) -> None:
    result = reviewed(*words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_file_in_the_place_of_the_manifest_is_an_error_with_a_fix(place: Path) -> None:
    for words, fix in (
        (["fixes.csv"], "maskkit review folds.parquet fixes.csv -o reviewed.csv"),
        (["fixes.csv", "mine.parquet"], "maskkit review mine.parquet fixes.csv -o reviewed.csv"),
    ):
        result = run("review", *words, "-o", "reviewed.csv")
        assert result.exit_code == 1
        assert f"write: {fix}" in result.stderr
    assert not Path("reviewed.csv").exists()


def test_decisions_are_gone_on_with_or_replaced_but_never_lost_unasked(place: Path) -> None:
    reviewed("--label-studio", "tasks.json")
    annotate()
    words = ("--annotations", "export.json", "-o", "reviewed.csv")
    reviewed(*words)
    refused = reviewed(*words)
    assert refused.exit_code == 1
    assert "reviewed.csv exists already" in refused.stderr
    assert "use --resume to go on with it" in refused.stderr
    with Path("reviewed.csv").open("a") as file:
        file.write(",000009,age,61,,,,,,\n")  # a line of somebody's own
    assert reviewed(*words, "--resume").exit_code == 0
    assert "000009" in Path("reviewed.csv").read_text()
    assert reviewed(*words, "--force").exit_code == 0
    assert "000009" not in Path("reviewed.csv").read_text()
