"""Recipes: any option from a TOML file, nothing of it silently ignored."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import error_parts, run

from maskkit.artifacts.manifest import Manifest


@pytest.fixture
def manifest(labels: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    labels.write(tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    return "labels.parquet"


def _recipe(text: str) -> str:
    Path("recipe.toml").write_text(text)
    return "recipe.toml"


def test_its_values_are_used_and_recorded(manifest: str) -> None:
    recipe = _recipe('[split]\nfolds = 4\nseed = 7\noutput = "made.parquet"\n')
    assert run("split", manifest, "--recipe", recipe).stdout == "made.parquet\n"
    options = Manifest.read("made.parquet").header.history[-1].options
    assert (options["folds"], options["seed"], options["by"]) == (4, 7, "person")


def test_the_command_line_wins(manifest: str) -> None:
    recipe = _recipe("[split]\nfolds = 4\nseed = 7\n")
    shown = run("split", manifest, "--folds", "5", "--recipe", recipe, "--dry-run").stdout
    assert "folds = 5" in shown
    assert "seed = 7" in shown


def test_one_recipe_serves_all_stages(manifest: str) -> None:
    recipe = _recipe("[train]\nepochs = 3\n[split]\nfolds = 4\n[predict]\ntta = 'hflip'\n")
    assert "folds = 4" in run("split", manifest, "--recipe", recipe, "--dry-run").stdout


def test_quiet_in_a_recipe_is_quiet_and_on_the_command_line_too(manifest: str) -> None:
    assert (
        run("split", manifest, "--recipe", _recipe("[split]\nquiet = true\n"), "-o", "1.parquet").stderr == ""
    )
    loud = _recipe("[split]\nquiet = false\n")
    assert run("split", manifest, "--quiet", "--recipe", loud, "-o", "2.parquet").stderr == ""
    assert run("split", manifest, "--recipe", loud, "-o", "3.parquet").stderr != ""


def test_numbers_fit_where_texts_are_taken(manifest: str) -> None:
    recipe = _recipe("[train]\nsize = 48\nfold = 1\nlearning-rate = 1\n")
    run("split", manifest, "-o", "folds.parquet")
    shown = run("train", "folds.parquet", "-o", "x.safetensors", "--recipe", recipe, "--dry-run")
    assert 'size = "48"' in shown.stdout
    assert 'fold = "1"' in shown.stdout
    assert "learning-rate = 1.0" in shown.stdout


def test_underscores_are_as_good_as_hyphens(manifest: str) -> None:
    recipe = _recipe("[split]\ndry_run = true\n")
    assert run("split", manifest, "--recipe", recipe).stdout.startswith("[split]\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[split]\nfold = 4\n", "did you mean folds? Others are by, check, dry-run, force"),
        ("[split]\nn_folds = 4\n", "did you mean folds?"),
        ("[split]\nrecipe = 'x'\n", "sets recipe, which maskkit split does not have"),
        ("[split]\nmanifest = 'x'\n", "sets manifest, which maskkit split does not have"),
        (
            "[splt]\nfolds = 4\n",
            "label, lr-find, predict, pseudo, review, show, soup, split, train",
        ),  # an unknown table: all that are
        ("folds = 4\n", "under [split]"),
        ("[split]\nfolds = true\n", "sets folds to True"),
        ("[split]\nfolds = [4]\n", "it takes one text or number"),
        ("[split]\nfolds = 'four'\n", "valid integer"),
        ("[split]\nfolds = 4.5\n", "valid integer"),
        ("[split]\nfolds = 1\n", "greater than or equal to 2"),
        ("[split]\nseed = -1\n", "greater than or equal to 0"),
        ("[split]\nholdout = nan\n", "holdout to nan"),
        ("[split]\nby = 2020-01-01\n", "it takes one text or number"),
        ("[split]\ncheck = 'yes'\n", "it is true or false"),
        ("[split]\ncheck = 1\n", "it is true or false"),
        ("[split\n", "cannot be read as TOML"),
        ("[split]\nfolds = 3\nfolds = 4\n", "cannot be read as TOML"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_what_would(manifest: str, text: str, expected: str) -> None:
    result = run("split", manifest, "-o", "made.parquet", "--recipe", _recipe(text))
    assert (result.exit_code, result.stdout) == (1, "")
    assert error_parts(result.stderr) == ["error", "why", "fix"]
    assert "recipe.toml" in result.stderr
    assert expected in result.stderr
    assert not Path("made.parquet").exists()


def test_an_unknown_choice_is_an_error_that_lists_the_choices(manifest: str) -> None:
    result = run("ensemble", "a.csv", "--recipe", _recipe("[ensemble]\nvote = 'loud'\n"))
    assert result.exit_code == 1
    assert "'hard', 'soft'" in result.stderr
    typed = run("ensemble", "a.csv", "--vote", "loud", COLUMNS="200")
    assert typed.exit_code == 2
    assert "it is one of hard, soft" in typed.stderr


@pytest.mark.parametrize("path", ["nowhere.toml", "."])
def test_a_recipe_that_cannot_be_read_is_named(manifest: str, path: str) -> None:
    result = run("split", manifest, "--recipe", path)
    assert result.exit_code == 1
    assert f"cannot read the recipe {path}" in result.stderr
    assert "Errno" not in result.stderr


def test_a_list_is_given_as_one(manifest: str) -> None:
    recipe = _recipe("[evaluate]\ncurves = ['a.csv', 'b.csv']\nhtml = 'page.html'\n")
    result = run("evaluate", manifest, "nowhere", "--recipe", recipe)
    assert "cannot read nowhere" in result.stderr  # and nothing about the curves
    bad = run("evaluate", manifest, "nowhere", "--recipe", _recipe("[evaluate]\ncurves = [true]\n"))
    assert "it takes a list of texts" in bad.stderr


def test_a_dry_run_quotes_what_needs_it(manifest: str) -> None:
    strange = 'a "quoted" \\ folder\twith ümlauts'
    shown = run("label", manifest, "--root", strange, "--dry-run").stdout
    again = run("label", manifest, "--recipe", _recipe(shown), "--dry-run").stdout
    assert again == shown
    assert "ümlauts" in shown
