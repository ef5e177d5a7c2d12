from __future__ import annotations

from pathlib import Path

import pytest
from commandline import error_parts, run

from maskkit.cli.shell.mixed_up import kind_of

SWAPPED = {
    "evaluate oof.parquet folds.parquet": "maskkit evaluate folds.parquet oof.parquet",
    "evaluate fold0.safetensors oof.parquet --json": None,
    "audit oof.parquet folds.parquet --no-photos": "maskkit audit folds.parquet oof.parquet --no-photos",
    "pseudo oof.parquet folds.parquet -o x.parquet": "maskkit pseudo folds.parquet oof.parquet -o x.parquet",
    "predict fold0.safetensors folds.parquet -o x.parquet":
        "maskkit predict folds.parquet fold0.safetensors -o x.parquet",
    "predict fold0.safetensors fold1.safetensors folds.parquet -o x.parquet":
        "maskkit predict folds.parquet fold0.safetensors fold1.safetensors -o x.parquet",
    "predict labels.parquet fold0.safetensors --calibrate folds.parquet --on oof.parquet -o x.parquet":
        "maskkit predict labels.parquet fold0.safetensors --calibrate oof.parquet --on folds.parquet"
        " -o x.parquet",
    "evaluate oof.parquet folds.parquet --against again.parquet":
        "maskkit evaluate folds.parquet oof.parquet --against again.parquet",
    "ensemble oof.parquet --fit folds.parquet --on again.parquet -o x.parquet":
        "maskkit ensemble oof.parquet --fit again.parquet --on folds.parquet -o x.parquet",
    "soup folds.parquet fold1.safetensors --on fold0.safetensors -o x.safetensors":
        "maskkit soup fold1.safetensors fold0.safetensors --on folds.parquet -o x.safetensors",
}  # fmt: skip


@pytest.mark.parametrize("typed", SWAPPED)
def test_files_in_each_others_place_are_answered_with_the_line_that_works(typed: str, work: Path) -> None:
    result = run(*typed.split())
    assert (result.exit_code, result.stdout) == (1, "")
    assert error_parts(result.stderr) == ["error", "why", "fix"]
    assert " is a " in result.stderr
    line = SWAPPED[typed]
    assert ("fix: write: " in result.stderr) == (line is not None)
    assert line is None or f"fix: write: {line}\n" in result.stderr
    assert not list(work.glob("x.*"))


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("export folds.parquet -o x.onnx", ["is a manifest", "takes a checkpoint", "`maskkit train` makes"]),
        ("train fold0.safetensors -o x.safetensors",
         ["is a checkpoint", "takes a manifest", "`maskkit label"]),
        ("ensemble folds.parquet oof.parquet -o x.parquet", ["is a manifest", "give folds.parquet as --on"]),
    ],
)  # fmt: skip
def test_a_file_of_a_kind_that_the_command_does_not_take_there_is_named(
    typed: str, parts: list[str], work: Path
) -> None:
    result = run(*typed.split())
    assert result.exit_code == 1
    assert [part for part in parts if part not in result.stderr] == []


def test_photos_that_are_not_listed_yet_are_answered_with_the_line_that_lists_them(work: Path) -> None:
    (work / "my train.csv").write_text("id,gender\n")
    (work / "photos").mkdir()
    made = run("train", "my train.csv", "-o", "x.safetensors")
    assert "fix: write: maskkit label 'my train.csv' -o labels.parquet\n" in made.stderr
    assert "photos is a folder, and no manifest yet" in run("split", "photos", "-o", "x.parquet").stderr


def test_a_file_of_the_right_kind_keeps_its_own_error(work: Path) -> None:
    damaged = (work / "folds.parquet").read_bytes()
    (work / "damaged.parquet").write_bytes(damaged[:2000] + b"x" + damaged[2001:])
    (work / "text.parquet").write_text("no artifact")
    assert "damaged" in run("split", "damaged.parquet", "-o", "x.parquet").stderr
    assert "text.parquet is not a Parquet file" in run("split", "text.parquet", "-o", "x.parquet").stderr
    assert "cannot read nowhere" in run("evaluate", "nowhere", "folds.parquet").stderr

    assert "labels.parquet has no fold" in run("train", "labels.parquet", "-o", "x.safetensors").stderr


def test_an_option_that_is_given_already_is_not_advised(work: Path) -> None:
    result = run("ensemble", "folds.parquet", "--fit", "oof.parquet", "--on", "truth", "-o", "x.parquet")
    assert "folds.parquet is a manifest, where maskkit ensemble takes a table of predictions" in result.stderr
    assert "as --on" not in result.stderr


def test_kinds_are_told_by_content(work: Path) -> None:
    (work / "answers.csv").write_text("ImageID,ans\na.jpg,1\n")
    kinds = {name: kind_of(name) for name in ("truth", "oof.parquet", "fold0.safetensors", "answers.csv")}
    assert list(kinds.values()) == ["manifest", "predictions", "checkpoint", "predictions"]
    assert kind_of("labels.toml") is None
    assert kind_of("nowhere") is None
    assert kind_of(".") is None
