"""The recipes of examples/: each can be read, and sets nothing that does not exist."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from maskkit.config import TrainOptions

RECIPES = sorted((Path(__file__).parents[1] / "examples" / "recipes").glob("*.toml"))


def options_of(path: Path) -> dict[str, Any]:
    table = tomllib.loads(path.read_text())["train"]
    return {name.replace("-", "_"): value for name, value in table.items()}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_trained(path: Path) -> None:
    options = options_of(path)
    made = TrainOptions(**options)
    assert {name for name in options if getattr(made, name) is None} == set()


def test_the_default_is_what_it_says() -> None:
    (default,) = [path for path in RECIPES if path.stem == "default"]
    assert TrainOptions(**options_of(default)) == TrainOptions(weights="package")
