"""The files for DVC and Snakemake, run by them where they are installed, as `make test-workflows` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import QUICK

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = {"dvc": EXAMPLES / "dvc" / "dvc.yaml", "snakemake": EXAMPLES / "snakemake" / "Snakefile"}
BEGIN = {"dvc": ["git init -q", "dvc init -q"], "snakemake": []}
AGAIN = {"dvc": "dvc repro", "snakemake": "snakemake --cores 1 --rerun-triggers mtime code input params"}
IN_STEP = {"dvc": "Data and pipelines are up to date", "snakemake": "Nothing to be done"}
MADE = ["labels.parquet", "folds.parquet", "run/fold0.safetensors", "run/fold1.safetensors", "oof.parquet"]


@pytest.fixture(params=FILES)
def program(request: pytest.FixtureRequest) -> str:
    """A program of workflows, or a skip."""
    for needed in {"dvc": ["dvc", "git"], "snakemake": ["snakemake"]}[request.param]:
        if shutil.which(needed) is None:
            pytest.skip(f"there is no {needed} here")
    return str(request.param)


@pytest.fixture
def folder(program: str, train_csv: Path, tmp_path: Path) -> Path:
    """Photos and the example, of two folds and a small model; `maskkit` is the one that is tested."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "train").symlink_to(train_csv.parent)
    text = FILES[program].read_text().replace("range(5)", "range(2)").replace("0, 1, 2, 3, 4", "0, 1")
    text = text.replace("--by person", "--by person --folds 2")
    (tmp_path / FILES[program].name).write_text(text.replace("--resume", f"--resume {QUICK}"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "maskkit").write_text(f'#!/bin/sh\nexec {sys.executable} -m maskkit "$@"\n')
    (tmp_path / "bin" / "maskkit").chmod(0o755)
    return tmp_path


def ran(line: str, folder: Path) -> str:
    """Run a line of a shell in the folder, and return what it prints."""
    of_the_tests = str(EXAMPLES.parent)
    more = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": of_the_tests,
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(
        line.split(), check=False, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_workflow_goes_from_photos_to_scores_and_makes_again_what_has_changed(
    program: str, folder: Path
) -> None:
    for line in (*BEGIN[program], AGAIN[program]):
        ran(line, folder)
    assert (folder / "scores.json").stat().st_size
    before = {name: (folder / name).read_bytes() for name in MADE}
    assert IN_STEP[program] in ran(AGAIN[program], folder)
    file = folder / FILES[program].name
    file.write_text(file.read_text().replace("--by person", "--by person --seed 5"))
    ran(AGAIN[program], folder)
    changed = [name for name in MADE if (folder / name).read_bytes() != before[name]]
    assert changed == MADE[1:]
