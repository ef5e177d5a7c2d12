"""Predictions meet a manifest in `scoring.judged` alone: a second place would take what this one refuses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "maskkit"
JOIN = ("scoring/judged.py", "scoring/panel.py")
# What joins predictions, what says whom their models have seen, and where else it is used, of other things.
PIECES: dict[str, tuple[str, ...]] = {
    "trained_on": (),
    # Shown; whom folds may not know; said.
    "leaked": ("stages/show.py", "pseudo_labelling/ancestry.py", "training/distilling.py"),
    "index_in": (
        "artifacts/", "cache/", "labelling/", "sources/",  # values of columns
        # Photos of one manifest among another's
        "pseudo_labelling/added_rows.py", "stages/pseudo.py", "fitting/conformal.py",
        "reporting/pictured.py", "imaging/surveyed.py",
    ),
    "places_of": ("labelling/",),  # lines of corrections
    "same_space": (  # manifests, checkpoints and decisions with each other
        "predicting/adjustments.py", "reporting/pictured.py", "stages/compare.py", "stages/predict.py",
        "training/", "modeling/mean_weights.py", "stages/soup.py",
    ),
}  # fmt: skip


def used(name: str) -> Iterator[str]:
    """Yield the files that call it, or read it of another value."""
    for file in sorted(PACKAGE.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        names = {one.attr for one in nodes if isinstance(one, ast.Attribute)}
        names |= {ast.unparse(one.func) for one in nodes if isinstance(one, ast.Call)}
        if name in names:
            yield file.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("piece", PIECES)
def test_nothing_else_joins_predictions(piece: str) -> None:
    assert not [file for file in used(piece) if not file.startswith(JOIN + PIECES[piece])]


def test_predictions_alone_are_never_looked_up_by_path() -> None:
    """Of the exceptions above, none names the paths of predictions beside a search."""
    for file in used("index_in"):
        for node in ast.walk(ast.parse((PACKAGE / file).read_text())) if file not in JOIN else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("index_in"):
                assert "predictions" not in ast.unparse(node)


def test_nothing_else_compares_the_columns_of_predictions() -> None:
    comparing = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
        and any(
            isinstance(one, ast.Attribute) and one.attr == "classes" for one in (node.left, *node.comparators)
        )
    }
    assert comparing <= set(JOIN)


def test_leaks_are_looked_for_wherever_predictions_are_judged() -> None:
    """By `Judged.of(...).unseen(...)`; `pseudo` and --teacher decide by whom a fold holds out.

    See `ancestry` and `fold_rows`.
    """
    lacking = set()
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        if text.count("Judged.of(") > text.count(".unseen("):
            lacking.add(file.relative_to(PACKAGE).as_posix())
    assert lacking == {"stages/pseudo.py", "training/distilling.py"}
