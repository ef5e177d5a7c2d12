"""What a command imports before it has to: help must come at once, and small stages need no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions

HEAVY = ["torch", "timm", "pandas", "pyarrow", "sklearn", "albumentations", "cv2", "PIL", "numpy", "jinja2"]
PROBE = """
import contextlib, io, json, sys
import typer.main
from maskkit.cli import app
command = typer.main.get_command(app)
loaded = {}
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        with contextlib.suppress(SystemExit):
            command.main(words, prog_name="maskkit")
    loaded[" ".join(words)] = sorted(set(json.loads(sys.argv[2])) & set(sys.modules))
print(json.dumps(loaded))
"""


def _loaded_after(commands: list[list[str]], modules: list[str]) -> dict[str, list[str]]:
    """Run commands one after another in a fresh interpreter; return what each has left loaded."""
    words = [sys.executable, "-c", PROBE, json.dumps(commands), json.dumps(modules)]
    done = subprocess.run(words, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    loaded: dict[str, list[str]] = json.loads(done.stdout)
    return loaded


def test_help_imports_nothing_heavy() -> None:
    import typer.main

    from maskkit.cli import app

    names = list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    words = [["--help"], ["--version"], ["trian"], *([name, "--help"] for name in names)]
    loaded = _loaded_after(words, HEAVY)
    assert loaded == {" ".join(line): [] for line in words}


def test_stages_without_a_model_never_import_torch(
    folds: Manifest, labels: Manifest, checkpoints: list[Path], tmp_path: Path
) -> None:
    manifest, votes = tmp_path / "folds.parquet", tmp_path / "votes.csv"
    folds.write(manifest)
    votes.write_bytes(Predictions(folds.table["path"], folds.labels).encode("submission"))
    words = [
        ["show", str(manifest)],
        ["show", str(checkpoints[0])],
        ["show", str(votes), "--history"],
        ["split", str(manifest), "-o", str(tmp_path / "split.parquet")],
        ["ensemble", str(votes), str(votes), "-o", str(tmp_path / "voted.csv")],
        ["evaluate", str(manifest), str(votes), "-o", str(tmp_path / "scores.json")],
    ]
    loaded = _loaded_after(words, ["torch", "timm", "albumentations"])
    assert loaded == {" ".join(line): [] for line in words}
    assert {"split.parquet", "voted.csv", "scores.json"} <= {path.name for path in tmp_path.iterdir()}
