import json
import os
import pty
import re
from pathlib import Path

import pytest
from commandline import read_all, run, start
from trainings import oof_of, write_fold, write_oof, write_run

from maskkit.artifacts.manifest import Manifest


@pytest.fixture(autouse=True)
def work(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with the runs a and [b], and the truth."""
    folds.write(tmp_path / "folds.parquet")
    for name, right in (("a", 0.5), ("[b]", 0.8)):
        paths = write_run(tmp_path / name, folds, macro_f1=right, note=name)
        write_oof(tmp_path / name / "oof.parquet", oof_of(folds, paths, right=right))
    monkeypatch.chdir(tmp_path)


def rows_of(stdout: str) -> dict[tuple[str, str, str], list[str]]:
    lines = [line.split("\t") for line in stdout.splitlines()]
    assert lines[0] == ["run", "scope", "measure", "value", "low", "high"]
    return {(line[0], line[1], line[2]): line[3:] for line in lines[1:]}


def test_prints_a_table_for_programs_and_the_verdict_for_people() -> None:
    result = run("compare", "a", "[b]", "--on", "folds.parquet")
    assert result.exit_code == 0, result.stderr
    rows = rows_of(result.stdout)
    value, low, high = map(float, rows["[b]", "less a", "macro_f1"])
    assert 0 < low < value < high
    assert rows["a", "option train", "note"][0] == "a"
    assert float(rows["[b]", "folds", "macro_f1_mean"][0]) > float(rows["a", "fold 0", "macro_f1"][0])
    assert rows["[b]", "verdict", "is_noise"][0] == "False"
    assert int(rows["[b]", "beside a", "second"][0]) > int(rows["[b]", "beside a", "first"][0])
    assert result.stderr.startswith(f"[b] is {value:.3f} better than a (95 % interval")


def test_the_page_and_the_json_say_the_same() -> None:
    result = run(
        "compare", "a", "[b]", "--on", "folds.parquet", "--json", "--html", "c.html"
    )  # fmt: skip
    (sentence,) = json.loads(result.stdout)["sentences"]
    assert sentence in Path("c.html").read_text()
    again = run("compare", "a", "[b]", "--html", "c.html")
    assert again.exit_code == 1
    assert "c.html exists already" in again.stderr


def test_a_person_sees_tables_with_the_names_as_they_are() -> None:
    inner, outer = pty.openpty()
    process = start(
        "compare", "a", "[b]", "--on", "folds.parquet", stdout=outer, stderr=outer,
        NO_COLOR="1",
    )  # fmt: skip
    os.close(outer)
    shown = read_all(inner)
    assert process.wait() == 0
    os.close(inner)
    for text in (
        "What differs",
        "note    a  [b]",
        "macro-F1 per fold, of predictions",
        "on the same 168 photos of 24 people",
        "less a, 95% interval",
        "[b] is 0.",
    ):
        assert text in shown
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= 80
    assert "Bonferroni" not in shown


def test_checkpoints_of_a_shell_pattern_are_one_run_each() -> None:
    words = [str(path) for folder in ("a", "[b]") for path in sorted(Path(folder).glob("*.safetensors"))]
    result = run("compare", *words)
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[-1].startswith("[b] is 0.300 better than a (95 % interval")


def test_folds_that_differ_are_refused_unless_it_is_asked_for(folds: Manifest) -> None:
    other = folds.then("edit", {"fold": folds.table["fold"]})
    path = str(write_fold(Path("c"), other, 0))
    refused = run("compare", "a/fold0.safetensors", path)
    assert refused.exit_code == 1
    assert "--on" in refused.stderr
    assert run("compare", "a/fold0.safetensors", path, "--allow-different-folds").exit_code == 0
    assert run("compare", "a/fold0.safetensors", path, "--on", "folds.parquet").exit_code == 0


def test_standard_input_is_read_once() -> None:
    result = run("compare", "-", "a", "--on", "-", stdin=Path("folds.parquet"))
    assert result.exit_code == 2
    assert "standard input can be read once" in result.stderr
    piped = run("compare", "a", "-", "--on", "folds.parquet", "--json", stdin=Path("[b]/oof.parquet"))
    assert json.loads(piped.stdout)["runs"][1]["label"] == "standard input"


def test_the_best_is_told_and_needs_the_truth() -> None:
    shown = run("compare", "a", "[b]", "--on", "folds.parquet", "--best")
    assert shown.exit_code == 0, shown.stderr
    assert "[b] is the best of 2 with 0." in shown.stderr
    assert "best\tworth" in shown.stdout
    for words in (["--best"], ["--on", "folds.parquet", "--seed", "1"]):
        assert run("compare", "a", "[b]", *words).exit_code == 2
