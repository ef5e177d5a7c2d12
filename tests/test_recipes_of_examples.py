"""The recipes of examples/: each can be read, and sets nothing that does not exist."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from maskkit.options.train_options import TrainOptions

RECIPES = sorted((Path(__file__).parents[1] / "examples" / "recipes").glob("*.toml"))


def options_of(path: Path) -> dict[str, Any]:
    table = tomllib.loads(path.read_text())["train"]
    return {name.replace("-", "_"): value for name, value in table.items()}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_trained(path: Path) -> None:
    options = options_of(path)
    made = TrainOptions(**options)
    assert {name for name in options if getattr(made, name) is None} == set()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_says_where_it_is_from_and_what_it_reached(path: Path) -> None:
    comments = "\n".join(line for line in path.read_text().splitlines() if line.startswith("#"))
    assert "macro-F1" in comments
    assert "maskkit train" in comments or "benchmarks/variants.py" in comments


def test_the_default_is_what_it_says() -> None:
    (default,) = [path for path in RECIPES if path.stem == "default"]
    assert TrainOptions(**options_of(default)) == TrainOptions()
