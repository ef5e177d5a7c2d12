"""What a command imports before it has to: help must come at once, and small stages need no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import networks
import pyarrow as pa

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions

HEAVY = [
    "maskkit.reporting",
    "maskkit.stages",
    "torch",
    "timm",
    "pandas",
    "pyarrow",
    "sklearn",
    "albumentations",
    "cv2",
    "PIL",
    "simplejpeg",
    "numpy",
    "jinja2",
    "msgspec",
]
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


def test_commands_over_tables_never_import_pandas(folds: Manifest, train_csv: Path, tmp_path: Path) -> None:
    manifest, votes = tmp_path / "folds.parquet", tmp_path / "votes.csv"
    folds.write(manifest)
    votes.write_bytes(Predictions(folds.table["path"], folds.labels).encode("submission"))
    others = tmp_path / "others.csv"
    others.write_bytes(votes.read_bytes())
    words = [
        ["ensemble", str(votes), str(votes), "-o", str(tmp_path / "voted.csv")],
        ["label", str(train_csv), "-o", str(tmp_path / "labels.parquet")],
        ["split", str(manifest), "-o", str(tmp_path / "split.parquet")],
        ["evaluate", str(manifest), str(votes), "-o", str(tmp_path / "scores.json")],
        ["compare", str(votes), str(others), "--on", str(manifest)],
        ["show", str(manifest)],
        ["show", str(votes)],
    ]
    loaded = _loaded_after(words, ["pandas", "sklearn"])
    assert loaded == {" ".join(line): [] for line in words}


def test_a_vote_over_submissions_loads_neither_parquet_nor_the_functions_of_arrow(
    folds: Manifest, tmp_path: Path
) -> None:
    votes = tmp_path / "votes.csv"
    ids = pa.array([f"{row:040x}.jpg" for row in range(len(folds))])
    votes.write_bytes(Predictions(ids, folds.labels).encode("submission"))
    words = ["ensemble", str(votes), str(votes), "-o", str(tmp_path / "voted.csv"), "--quiet"]
    loaded = _loaded_after([words], ["pyarrow.parquet", "pyarrow.compute", "rich"])
    assert loaded == {" ".join(words): []}


def test_pandas_and_arrow_work_together_after_a_lean_start() -> None:
    code = (
        "from maskkit.cli.shell.startup import prepare_for_tables; prepare_for_tables();"
        "import sys; assert 'pandas' not in sys.modules;"
        "import pandas as pd, pyarrow as pa; t = pa.table({'a': [1, None]});"
        "assert t.to_pandas()['a'].isna().tolist() == [False, True]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_table_out_of_the_ordinary_is_labelled_without_pandas(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('path, site,\n"a,b.jpg", "Seoul, Korea",\nc.jpg,,\n')
    words = ["label", str(tmp_path / "t.csv"), "--no-check", "-o", str(tmp_path / "labels.parquet")]
    assert _loaded_after([words], ["pandas"]) == {" ".join(words): []}
    table = Manifest.read(tmp_path / "labels.parquet").table
    assert table["path"].to_pylist() == ["a,b.jpg", "c.jpg"]
    assert table["site"].to_pylist() == ["Seoul, Korea", None]


def test_stages_without_a_model_never_import_torch(
    folds: Manifest, labels: Manifest, checkpoints: list[Path], tmp_path: Path
) -> None:
    manifest, votes = tmp_path / "folds.parquet", tmp_path / "votes.csv"
    folds.write(manifest)
    detector = tmp_path / "detector"
    detector.write_bytes(networks.centerface())
    votes.write_bytes(Predictions(folds.table["path"], folds.labels).encode("submission"))
    others = tmp_path / "others.csv"
    others.write_bytes(votes.read_bytes())
    words = [
        ["show", str(manifest)],
        ["show", str(checkpoints[0])],
        ["show", str(votes), "--history"],
        ["split", str(manifest), "-o", str(tmp_path / "split.parquet")],
        ["crop", str(manifest), "--detector", str(detector), "-o", str(tmp_path / "cropped.parquet")],
        ["ensemble", str(votes), str(votes), "-o", str(tmp_path / "voted.csv")],
        ["evaluate", str(manifest), str(votes), "-o", str(tmp_path / "scores.json")],
        ["compare", str(votes), str(others), "--on", str(manifest)],
    ]
    loaded = _loaded_after(words, ["torch", "timm", "albumentations"])
    assert loaded == {" ".join(line): [] for line in words}
    assert {"split.parquet", "cropped.parquet", "voted.csv", "scores.json"} <= {
        path.name for path in tmp_path.iterdir()
    }
