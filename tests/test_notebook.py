"""The notebook of the examples runs from its first cell to its last, as its reader would run it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "pipeline.ipynb"
TINY = {
    "model": "test_efficientnet", "weights": "none", "size": "32", "epochs": 1, "workers": 0, "device": "cpu",
    "batch_size": 60,
}  # fmt: skip


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell, and return the value of its last line, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # type: ignore[attr-defined]


def test_it_holds_no_output_and_names_what_may_be_changed_first() -> None:
    assert [cell["outputs"] for cell in cells() if cell["outputs"]] == []
    assert cells()[0]["metadata"] == {"tags": ["parameters"]}


def test_each_cell_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    sources = ["".join(cell["source"]) for cell in cells()]
    run(sources[0], names)
    assert set(names) >= {"people", "options", "folder"}
    names |= {"people": 12, "options": TINY}
    shown = [repr(run(source, names)) for source in sources[1:]]
    printed = capsys.readouterr().out
    assert any(text.startswith("<Evaluation: macro-F1 0.") for text in shown)
    assert printed.count("epoch 1: macro-F1 ") == 3
    assert "show people that a model was trained on" in printed
    assert (tmp_path / "demo-notebook" / "submission.csv").read_text().startswith("ImageID,ans\n")
