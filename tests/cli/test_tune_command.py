"""`maskkit evaluate --tune`."""

import json
import os
import pty
import re
from pathlib import Path

import pytest
from commandline import error_parts, read_all, run, start
from trainings import oof_of, write_oof, write_run

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.seen import Seen

TUNE = ("evaluate", "folds.parquet", "oof.parquet", "--tune")


@pytest.fixture(autouse=True)
def work(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with predictions, some of them of people whom the models have seen."""
    folds.write(tmp_path / "folds.parquet")
    paths = write_run(tmp_path / "run", folds)
    write_oof(tmp_path / "oof.parquet", oof_of(folds, paths))
    seen = [Seen.of({folds.people.names[0]}, salt="x").to_json()]
    write_oof(tmp_path / "leaky.parquet", oof_of(folds, paths, seen=seen))
    monkeypatch.chdir(tmp_path)


def test_writes_the_decision_and_prints_the_scores_as_ever() -> None:
    plain = run(*TUNE[:-1])
    tuned = run(*TUNE, "factors", "--decision", "new/decide.json")
    assert tuned.exit_code == 0, tuned.stderr
    assert tuned.stdout == plain.stdout
    decision = Decision.read("new/decide.json")
    assert decision.measured["sentence"] in tuned.stderr
    assert "age 60plus" in tuned.stderr
    assert "the decision is new/decide.json" in tuned.stderr


def test_a_second_run_gives_the_same_bytes_if_it_may() -> None:
    assert run(*TUNE, "classes", "--decision", "decide.json").exit_code == 0
    made = Path("decide.json").read_bytes()
    again = run(*TUNE, "classes", "--decision", "decide.json")
    assert again.exit_code == 1
    assert "decide.json exists already" in again.stderr
    forced = run(*TUNE, "classes", "--decision", "decide.json", "--force", "--quiet")
    assert (forced.exit_code, forced.stderr) == (0, "")
    assert Path("decide.json").read_bytes() == made


def test_shows_what_a_decision_would_bring_without_writing_one() -> None:
    result = run(*TUNE, "temperature", "--json")
    assert result.exit_code == 0
    assert "macro_f1" in json.loads(result.stdout)
    assert "tuned temperature: cross entropy" in result.stderr


def test_a_person_sees_the_offsets_and_the_verdict_within_the_terminal() -> None:
    inner, outer = pty.openpty()
    process = start(*TUNE, "age", stdout=outer, stderr=outer, NO_COLOR="1")
    os.close(outer)
    shown = read_all(inner)
    assert process.wait() == 0
    os.close(inner)
    for text in ("age 60plus", "tuned on 4 of 5 parts", "own people", "tuned age: macro-F1"):
        assert text in shown
    tables = shown.split("tuned age: macro-F1")[0].partition("offsets of log")[2].splitlines()
    assert len(tables) > 5
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()) for line in tables) <= 80


def test_show_says_what_it_is() -> None:
    run(*TUNE, "age", "--decision", "decide.json")
    facts = json.loads(run("show", "decide.json", "--json").stdout)
    assert (facts["kind"], facts["tuned"], facts["people"]) == ("decision", "age", 24)
    assert set(facts["offsets"]) == {"age 30to59", "age 60plus"}
    assert {"plain", "in_sample", "nested", "gain", "gain low", "gain high"} == set(facts["macro_f1"])
    assert run("show", "decide.json", "--history").stdout.endswith("--decision decide.json\n")
    assert run("show", "decide.json").exit_code == 0


def test_other_json_is_no_artifact() -> None:
    Path("other.json").write_text("{}")
    result = run("show", "other.json")
    assert result.exit_code == 1
    assert error_parts(result.stderr) == ["error", "why", "fix"]


def test_people_whom_the_models_have_seen_are_the_answer_no() -> None:
    words = ("evaluate", "folds.parquet", "leaky.parquet", "--tune", "age", "--decision", "decide.json")
    result = run(*words)
    assert result.exit_code == 3
    assert not Path("decide.json").exists()
    assert run(*words, "--allow-leak").exit_code == 0


def test_an_unknown_method_is_told_with_those_there_are() -> None:
    result = run(*TUNE, "thresholds")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "classes, factors, temperature, and a factor: mask, gender, age" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--decision", "decide.json"),
        ("--tune", "age", "--decision", "x", "-o", "x"),
        ("--tune", "age", "--decision", "x.html", "--html", "x.html"),
    ],
)
def test_a_decision_that_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    result = run(*TUNE[:-1], *words)
    assert result.exit_code == 2
    assert "--decision" in result.stderr


def test_an_input_is_never_replaced_by_a_decision() -> None:
    before = Path("oof.parquet").read_bytes()
    result = run(*TUNE, "age", "--decision", "oof.parquet", "--force")
    assert result.exit_code == 1
    assert "is read by this command" in result.stderr
    assert Path("oof.parquet").read_bytes() == before


def test_a_reader_that_leaves_early_does_not_cost_the_decision() -> None:
    process = start(*TUNE, "age", "--decision", "decide.json")
    assert process.stdout is not None
    process.stdout.close()
    process.communicate()
    assert Decision.read("decide.json").method == "age"
