"""`maskkit audit` as a person uses it: read the page, confirm corrections, label again."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from commandline import run

from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.stages.label import label


@pytest.fixture
def place(train_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest, and predictions that disagree with the gender of its first person."""
    monkeypatch.chdir(tmp_path)
    manifest = label(train_csv, no_check=True)
    manifest.write("labels.parquet")
    truth = manifest.labels.copy()
    names = manifest.space.names
    truth[:7] += names.index("wear/female/under30") - names.index("wear/male/under30")
    probs = np.full((len(manifest), len(manifest.space)), 0.05 / 17, np.float32)
    probs[np.arange(len(manifest)), truth] = 0.95
    oof = Predictions(
        manifest.table["path"], truth, probs, tuple(names), header=Header("predictions", manifest.space)
    )
    Path("oof.parquet").write_bytes(oof.encode("parquet"))
    return tmp_path


def test_confirmed_corrections_make_the_labels_that_models_saw(place: Path, train_csv: Path) -> None:
    given = run("audit", "labels.parquet", "oof.parquet", "--no-photos", "--corrections", "fixes.csv")
    assert given.exit_code == 0, given.stderr
    with Path("fixes.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["column"], row["from"], row["value"]) == ("gender", "male", "female")
    again = run("label", str(train_csv), "--no-check", "--corrections", "fixes.csv", "-o", "new.parquet")
    assert again.exit_code == 0, again.stderr
    corrected = Manifest.read("new.parquet")
    assert np.array_equal(corrected.labels, Predictions.read("oof.parquet").answer)
    assert corrected.table["origin"].to_pylist().count("corrected") == 7
    # Where the labels say what models see, nothing is doubted any more.
    last = run("audit", "new.parquet", "oof.parquet", "--no-photos", "--json")
    assert json.loads(last.stdout)["findings"] == []
    assert "nothing is wrong with 168 photos" in last.stderr


def test_the_page_holds_photos_only_if_asked(place: Path) -> None:
    words = ["audit", "labels.parquet", "oof.parquet", "--no-photos", "--html", "page.html", "--force"]
    assert run(*words).exit_code == 0
    page = Path("page.html").read_text()
    assert "data:image" not in page
    assert "gender male" in page
    assert re.search(r"7 of 7 photos agree", page)
    assert run(*words, "--photos").exit_code == 0
    assert Path("page.html").read_text().count("data:image/jpeg;base64") == 7


@pytest.mark.parametrize(
    "words",
    [
        "labels.parquet --photos",
        "labels.parquet --against labels.parquet --no-photos",
        "- -",
    ],
)
def test_what_would_do_nothing_is_wrong_usage(place: Path, words: str) -> None:
    assert run("audit", *words.split()).exit_code == 2


def test_the_written_manifest_has_its_command_in_its_history(place: Path) -> None:
    made = run("audit", "labels.parquet", "oof.parquet", "--no-photos", "-o", "flagged.parquet")
    assert made.stdout == "flagged.parquet\n"
    shown = run("show", "flagged.parquet", "--history").stdout.splitlines()
    assert shown[-1] == (
        "maskkit audit labels.parquet oof.parquet --no-photos --sureness 0.95 -o flagged.parquet"
    )
    flags = Manifest.read("flagged.parquet").table["flags"].to_pylist()
    assert flags[:8] == [["suspect:person:gender=female"]] * 7 + [None]
    facts = json.loads(run("show", "flagged.parquet", "--json").stdout)
    assert facts["flags"] == {"suspect:person": 7}
