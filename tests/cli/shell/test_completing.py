from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import APP, COMMANDS
from terminals import COMMANDS as SHELLS
from terminals import Shell

from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell.completing import answer, offers
from maskkit.cli.shell.completion_scripts import SCRIPTS

Completed = Callable[..., dict[str, str]]

ENDS = {
    "": "train", "maskkit spl": "split", "maskkit help spl": "split", "maskkit help train --los": "--loss",
    "maskkit train --loss ": "ce", "maskkit train --loss foc": "focal",
    "maskkit train --loss focal": "focal:", "maskkit train --loss focal:": "focal:gamma=",
    "maskkit train --loss focal:gamma=": "focal:gamma=2",
    "maskkit train --loss focal:gamma=3,": "focal:gamma=3,smoothing=",
    "maskkit train --loss=focal:ga": "--loss=focal:gamma=", "maskkit train --loss ce+": "ce+f1",
    "maskkit train --loss ce:smoothing=0.1+fo": "ce:smoothing=0.1+focal",
    "maskkit train --schedule cosine:keep=": "cosine:keep=best",
    "maskkit train --optimizer sgd:nesterov=": "sgd:nesterov=false", "maskkit train --optimizer lio": "lion",
    "maskkit train --optimizer lion:we": "lion:weight_decay=", "maskkit train --opt ada": "adamw",
    "maskkit train --model resnet1": "resnet18", "maskkit train --model resnet18.a1": "resnet18.a1_in1k",
    "maskkit train --model resnet18:": "resnet18:pool=",
    "maskkit train --model resnet18:pool=": "resnet18:pool=gem", "maskkit train --weights p": "package",
    "maskkit predict --device ": "cuda", "maskkit predict --tta h": "hflip",
    "maskkit train --track w": "wandb:", "maskkit train folds.parquet --fold ": "2",
    "maskkit train folds.parquet --fold a": "all", "maskkit lr-find folds.parquet --fold ": "0",
    "maskkit split labels.parquet --by ": "person", "maskkit split labels.parquet --by ma": "mask",
    "maskkit split labels.parquet --stratify age,": "age,mask",
    "maskkit split labels.parquet --stratify ": "gender",
    "maskkit evaluate folds.parquet --by br": "brightness",
    "maskkit evaluate folds.parquet --by gender,": "gender,mask",
    "maskkit train folds.parquet --over": "--oversample",
    "maskkit train folds.parquet --oversample age=6": "age=60plus:",
    "maskkit evaluate folds.parquet --tune ": "age", "maskkit evaluate folds.parquet --sets-per ": "class",
    "maskkit ensemble --vote st": "stacking", "maskkit predict fold": "folds.parquet",
    "maskkit predict ": "new/", "maskkit predict folds.parquet m": "m.safetensors",
    "maskkit train --recipe nowhere --loss po": "poly", "maskkit train 'folds.parquet' --fold ": "1",
    "maskkit train --precision=bf": "--precision=bfloat16", "maskkit train --loss zz": None,
    "maskkit nothing --x ": "train", "maskkit train --loss focal:zz=": None,
    "maskkit train --loss zz:": None, "maskkit --version ": "train",
    "maskkit train nowhere.parquet --oversample ": None, "maskkit train damaged.parquet --oversample ": None,
    "maskkit split text.parquet --stratify ": None, "maskkit predict nowhere/": None,
    "maskkit train 'folds.parquet --fo": None,
}  # fmt: skip


@pytest.fixture
def folder(folds: Manifest, labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folds.write(tmp_path / "folds.parquet")
    labels.write(tmp_path / "labels.parquet")
    whole = (tmp_path / "folds.parquet").read_bytes()
    (tmp_path / "damaged.parquet").write_bytes(whole[:-100] + bytes(96) + b"PAR1")
    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "m.safetensors").touch()
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", ENDS)
def test_a_line_is_completed_by_what_can_stand_there(line: str, folder: Path, completed: Completed) -> None:
    found = completed(line)
    expected = ENDS[line]
    assert expected in found if expected is not None else found == {}
    assert [value for value in found if " " in value] == []
    word = "" if line.endswith(" ") else line.rpartition(" ")[2]
    assert [value for value in found if not value.startswith(word)] == []


@pytest.fixture
def completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Completed:
    """Return what a shell is offered for a line, with what each does; nothing may be said beside it."""

    def complete(line: str, shell: str = "fish", **environment: str) -> dict[str, str]:
        given = {"_TYPER_COMPLETE_ARGS": line, "_MASKKIT_COMPLETE": f"complete_{shell}", **environment}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert answer(APP)
        said = capsys.readouterr()
        assert said.err == ""
        rows = (row.partition("\t") for row in said.out.splitlines())
        return {value: text for value, _, text in rows}

    return complete


def test_choices_come_with_what_they_do(folder: Path) -> None:
    assert dict(offers(APP, "maskkit train --loss fo"))["focal"].startswith("cross entropy that fades")
    assert dict(offers(APP, "maskkit train --mod"))["--model"].startswith("Any model of timm")
    assert (
        dict(offers(APP, "maskkit train --mix half:lo"))["half:low="] == "leftmost cut, of the width (0.46)"
    )
    assert set(dict(offers(APP, "maskkit "))) == set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "end", "expected"),
    [
        ("maskkit train --loss focal:ga", None, {"gamma="}),
        ("maskkit train --loss=focal:ga", None, {"gamma="}),
        ("maskkit train --schedule cosine:keep=", None, {"last", "best"}),
        ("maskkit train --loss poly --seed 3", 24, {"poly", "poly:"}),
        ("maskkit train --preview é.png --loss po", None, {"poly", "poly:"}),
        ("maskkit train --loss 'focal:ga", None, {"focal:gamma="}),
    ],
)
def test_bash_gets_what_it_replaces_of_a_word(
    line: str, end: int | None, expected: set[str], completed: Completed
) -> None:
    point = str(len(line.encode()) if end is None else end)
    found = completed("", "bash", COMP_LINE=line, COMP_POINT=point, COMP_WORDBREAKS=" \t\n\"'@><=;|&(:")
    assert set(found) == expected
    assert set(found.values()) == {""}


def test_what_fails_is_not_said_to_a_shell(completed: Completed) -> None:
    assert completed("", "bash", COMP_LINE="maskkit tr", COMP_POINT="none") == {}


def test_the_program_answers_a_shell_and_ends() -> None:
    environment = {**os.environ, "_TYPER_COMPLETE_ARGS": "maskkit spl", "_MASKKIT_COMPLETE": "complete_fish"}
    words = [sys.executable, "-m", "maskkit"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("split\tAssign photos to folds")
    assert done.stderr == ""


def test_what_is_written_already_is_not_offered_again(folder: Path) -> None:
    assert "ce+ce" not in dict(offers(APP, "maskkit train --loss ce+"))
    assert "focal:gamma=3,gamma=" not in dict(offers(APP, "maskkit train --loss focal:gamma=3,"))
    assert "age,age" not in dict(offers(APP, "maskkit split labels.parquet --stratify age,"))
    assert "all" not in dict(offers(APP, "maskkit lr-find folds.parquet --fold "))


def test_nothing_heavy_is_loaded_for_it(folder: Path) -> None:
    code = (
        "import sys; from maskkit.cli import app; from typer.main import get_command\n"
        "from maskkit.cli.shell.completing import offers\n"
        "lines = ['train --loss ', 'train --model res', 'train folds.parquet --fold ', 'predict ']\n"
        "assert all(offers(get_command(app), 'maskkit ' + line) for line in lines)\n"
        "print({'torch', 'timm', 'pandas', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    one = Shell(request.param, folder)
    yield one
    one.close()


def test_shells_complete_words_settings_names_and_columns_when_tab_is_pressed(shell: Shell) -> None:
    lines = {
        "maskkit spl": "maskkit split ",
        "maskkit train --loss focal:ga": "maskkit train --loss focal:gamma=",
        "maskkit train --loss=focal:ga": "maskkit train --loss=focal:gamma=",
        "maskkit train --schedule cosine:keep=b": "maskkit train --schedule cosine:keep=best ",
        "maskkit train --model vit_tiny_patch16_2": "maskkit train --model vit_tiny_patch16_224",
        "maskkit train folds.parquet --oversample age=6":
            "maskkit train folds.parquet --oversample age=60plus:",
        "maskkit split labels.parquet --stratify mask,ge":
            "maskkit split labels.parquet --stratify mask,gender ",
        "maskkit train fol": "maskkit train folds.parquet ",
        "maskkit train --preview ne": "maskkit train --preview new/",
        "maskkit predict folds.parquet m.": "maskkit predict folds.parquet m.safetensors ",
    }  # fmt: skip
    assert {line: shell.completed(line) for line in lines} == lines


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_script_of_a_shell_is_shown_and_installed_by_the_options_for_it(
    name: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}

    def ask(*words: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "maskkit", *words], env={**environment, **more}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return done.stdout

    script = ask(_MASKKIT_COMPLETE=f"source_{name}")
    assert f"_MASKKIT_COMPLETE=complete_{name}" in script
    assert ask("--show-completion", name) == script
    ask("--install-completion", name)
    assert any(path.read_text().strip() == script.strip() for path in tmp_path.rglob("*") if path.is_file())
