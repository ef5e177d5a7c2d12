"""`maskkit lr-find`: what it prints to whom, and that what it wrote can be made again."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
from functools import partial
from pathlib import Path

import pytest
from commandline import COMMANDS, RISING, read_all, run
from forked import Forked

from maskkit.artifacts.header import Record
from maskkit.artifacts.history import damaged
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script


@pytest.fixture
def manifest(folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folds.write(tmp_path / "folds.parquet")
    monkeypatch.chdir(tmp_path)
    return "folds.parquet"


def test_a_pipe_gets_the_curve_and_people_the_suggestion(manifest: str) -> None:
    result = run("lr-find", manifest, *RISING.split())
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header == ["rate", "loss", "smoothed"]
    assert float(rows[0][0]) == 1e-6
    assert [float(row[0]) for row in rows] == sorted(float(row[0]) for row in rows)
    assert "a tenth of the rate at which the smoothed loss was lowest" in result.stderr
    assert "[train]\nlearning-rate = " in result.stderr


def test_its_recipe_sets_the_rate_of_a_training(manifest: str) -> None:
    result = run("lr-find", manifest, *RISING.split(), "--json")
    recipe = result.stderr[result.stderr.index("[train]") :]
    Path("recipe.toml").write_text(recipe)
    shown = run("train", manifest, "-o", "x.safetensors", "--recipe", "recipe.toml", "--dry-run").stdout
    assert f"learning-rate = {json.loads(result.stdout)['suggestion']:g}\n" in shown


def test_its_record_gives_the_command_that_makes_the_same(manifest: str) -> None:
    words = [*RISING.split(), "--fold", "1", "--optimizer", "sgd:layer_decay=0.9", "--start", "1e-4"]
    run("lr-find", manifest, *words, "--mix", "mixup", "--undersample", "mask=wear:2", "-o", "a.json")
    record = Record.from_json(
        json.loads(Path("a.json").read_text())["made_by"], partial(damaged, Path("a.json"))
    )
    typed = shlex.split(
        script([*Manifest.read(manifest).header.history, record], output="b.json").splitlines()[-1]
    )
    typed = typed[typed.index("maskkit") + 1 :]  # in front of it stands the number of threads
    typed[1] = manifest  # the manifest's own history names it otherwise
    made = run(*typed)
    assert made.stdout == "b.json\n", made.stderr
    assert Path("b.json").read_bytes() == Path("a.json").read_bytes()


def test_the_page_is_written_beside_the_numbers_and_never_over_anything(manifest: str) -> None:
    words = ["lr-find", manifest, *RISING.split(), "-o", "a.json", "--html", "a.html"]
    assert run(*words).exit_code == 0
    page = Path("a.html").read_text()
    assert f"{json.loads(Path('a.json').read_text())['suggestion']:g}" in page
    again = run(*words)
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    same = run("lr-find", manifest, "-o", "b.html", "--html", "b.html")
    assert same.exit_code == 2
    assert "is given to -o too" in same.stderr


def test_takes_every_option_of_a_step_and_none_of_a_whole_training() -> None:
    flags = {item.name for item in COMMANDS["lr-find"].params}
    assert {"optimizer", "batch_size", "mix", "loss", "freeze", "precision", "sampler"} <= flags
    assert not flags & {"epochs", "learning_rate", "schedule", "average", "resume"}


def test_a_terminal_shows_a_table_the_sentences_and_the_recipe(manifest: str) -> None:
    ours, theirs = pty.openpty()
    words = ["lr-find", manifest, *RISING.split(), "--quiet"]
    with Forked(
        *words, stdout=theirs, stderr=theirs, environment={"TERM": "dumb", "COLUMNS": "80"}
    ) as command:
        os.close(theirs)
        shown = read_all(ours)
        os.close(ours)
        assert command.wait() == 0
    assert "suggestion" in shown
    assert "lowest" in shown
    assert "The test ended because" in shown
    assert "[train]\r\nlearning-rate = " in shown
    assert "\t" not in shown


def test_ctrl_c_leaves_nothing(manifest: str, tmp_path: Path) -> None:
    words = [*RISING.split(), "--steps", "100000", "--end", "1e-5", "-o", "a.json", "--html", "a.html"]
    ours, theirs = pty.openpty()
    with (
        (tmp_path.parent / "printed").open("wb") as stdout,
        Forked(
            "lr-find", manifest, *words, stdout=stdout.fileno(), stderr=theirs, environment={"TERM": "xterm"}
        ) as command,
    ):
        os.close(theirs)
        shown = b""
        while b"learning rates" not in shown:
            shown += os.read(ours, 4096)
        os.killpg(command.pid, signal.SIGINT)
        rest = read_all(ours)
        os.close(ours)
        assert command.wait() == 130
    assert (tmp_path.parent / "printed").read_bytes() == b""
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert [path.name for path in tmp_path.iterdir()] == [manifest]
