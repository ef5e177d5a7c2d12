"""The example of another task works from its table to a trained model, with photos drawn here."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent / "cli"))  # where the tests of commands keep how to run one

from commandline import QUICK, run

HELMETS = Path(__file__).parents[1] / "examples" / "helmets"


@pytest.fixture
def helmets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example beside photos: yellow above is a helmet, brighter is taller."""
    random = np.random.default_rng(0)
    for name in ("task.toml", "photos.csv"):
        (tmp_path / name).write_bytes((HELMETS / name).read_bytes())
    with (HELMETS / "photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        pixels = np.full((32, 24, 3), 3 * (float(row["height"]) - 140)) + random.normal(0, 5, (32, 24, 3))
        if row["helmet"] == "worn":
            pixels[:12] = (250, 220, 0)
        path = tmp_path / row["path"]
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_task_is_labelled_split_trained_and_scored(helmets: Path) -> None:
    words = "label photos.csv --task task.toml --train-cuts height=160,175,195 --ignore height=159-160"
    assert run(*words.split(), "-o", "labels.parquet").exit_code == 0
    assert run(*["split", "labels.parquet", "--folds", "3", "-o", "folds.parquet"]).exit_code == 0
    facts = json.loads(run("show", "folds.parquet", "--json").stdout)
    assert (facts["photos"], facts["people"], facts["classes"], facts["labelled"]) == (48, 24, 8, 48)
    assert facts["factors"] == {"helmet": "worn, off", "height": "small, medium, tall, giant"}
    assert set(facts["photos per class"].values()) == {6}
    assert facts["never trained on (weight 0)"] == 2 * 6
    assert facts["trained as"] == {"worn/giant > worn/tall": 3, "off/giant > off/tall": 3}
    trained = run("train", "folds.parquet", *QUICK.split(), "--fold", "0", "-o", "fold0.safetensors")
    assert trained.exit_code == 0, trained.stderr
    predicted = run("predict", "folds.parquet", "fold0.safetensors", "--oof", "--workers", "0", "-o", "oof")
    assert predicted.exit_code == 0, predicted.stderr
    scored = run("evaluate", "folds.parquet", "oof", "--json")
    assert scored.exit_code == 0, scored.stderr
    scores = json.loads(scored.stdout)
    assert len(scores["classes"]) == 8


def test_its_history_makes_it_again(helmets: Path) -> None:
    (helmets / "fix.csv").write_text("path,column,value,from\nworker00/off.jpg,helmet,worn,off\n")
    words = "label photos.csv --task task.toml --train-cuts height=160,175,195 --ignore height=159-160,201"
    words += " --train-spread height=5 --ignore helmet=off --corrections fix.csv -o a.parquet"
    assert run(*words.split()).exit_code == 0
    script = run("show", "a.parquet", "--history").stdout
    (line,) = [line for line in script.splitlines() if line.startswith("maskkit ")]
    before = (helmets / "a.parquet").read_bytes()
    assert run(*line.split()[1:], "--force").exit_code == 0
    assert (helmets / "a.parquet").read_bytes() == before
    for part in ("--corrections fix.csv", "--train-cuts height=160,175,195", "--ignore helmet=off"):
        assert part in line
    assert "--train-spread height=5" in line


def test_the_task_is_printed_and_can_be_read_back(helmets: Path) -> None:
    printed = run("label", "--print-task", "--task", "task.toml")
    assert printed.exit_code == 0
    (helmets / "again.toml").write_text(printed.stdout)
    assert run("label", "--print-task", "--task", "again.toml").stdout == printed.stdout
    home = run("label", "--print-task").stdout
    assert 'levels = ["wear", "incorrect", "none"]' in home
    for name in ("ok", "scratched"):
        (helmets / "my parts" / name).mkdir(parents=True)
        shutil.copy(helmets / "worker00" / "off.jpg", helmets / "my parts" / name)
    printed = run("label", "my parts", "--print-task")
    assert printed.stdout == '[[factors]]\nname = "class"\nlevels = ["ok", "scratched"]\n'
    assert printed.stderr == ""
    for words in (["photos.csv"], ["-o", "x"], [".", "--task", "task.toml"]):
        assert run("label", "--print-task", *words).exit_code == 2
