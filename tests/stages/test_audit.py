from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.auditing.findings import Audit, Finding
from maskkit.errors import MaskkitError, RefusedError
from maskkit.sources.layouts import STATES
from maskkit.stages import audit as stage
from maskkit.stages.audit import audit, corrections, flagged, pictures, record_of, refuse_leaks
from maskkit.stages.label import label
from maskkit.stages.split import split

PEOPLE = 24


def picture(seed: int) -> Image.Image:
    """A photo unlike every other."""
    coarse = np.random.default_rng(seed).uniform(40, 215, (9, 7, 3)).astype(np.float32)
    large = cv2.resize(coarse, (96, 128), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(large.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The competition's layout with photos that share nothing. Not to be changed by a test."""
    folder = tmp_path_factory.mktemp("album")
    rows = []
    for person in range(PEOPLE):
        gender, age = ("male", "female")[person % 2], 20 + 2 * person
        rows.append((f"{person:03d}", gender, "Asian", age, f"{person:03d}"))
        for index, state in enumerate(STATES):
            file = folder / "images" / f"{person:03d}" / f"{state}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(10 * person + index).save(file, quality=90)
    with (folder / "train.csv").open("w", newline="") as table:
        csv.writer(table).writerows([("id", "gender", "race", "age", "path"), *rows])
    return folder


@pytest.fixture
def own(album: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(album, tmp_path / "own"))


def photo(folder: Path, person: int, state: str) -> Path:
    return folder / "images" / f"{person:03d}" / f"{state}.jpg"


def knowing(manifest: Manifest, truth: NDArray[np.int64]) -> Predictions:
    """Out-of-fold probabilities of models that know the truth."""
    probs = np.full((len(manifest), len(manifest.space)), 0.05 / 17, np.float32)
    probs[np.arange(len(manifest)), truth] = 0.95
    names = tuple(manifest.space.names)
    header = Header("predictions", manifest.space)
    return Predictions(manifest.table["path"], truth, probs, names, header=header)


def test_nothing_is_found_where_nothing_is_wrong(album: Path) -> None:
    manifest = split(label(album), folds=3)
    result = audit(manifest, knowing(manifest, manifest.labels))
    assert result.findings == []
    assert result.checks == ("people", "labels", "photos")
    refuse_leaks(result.leaks)


def test_copies_under_other_people_are_leaks_until_a_split_keeps_them_together(own: Path) -> None:
    photo(own, 1, "mask1").write_bytes(photo(own, 2, "mask1").read_bytes())
    picture(55).save(photo(own, 8, "normal"), quality=80)  # 005/incorrect_mask
    manifest = label(own)
    result = audit(manifest)
    found = {(one.kind, one.person, one.other) for one in result.findings}
    assert found == {
        ("leak:people", "001", "002/mask1.jpg"),
        ("leak:people", "005", "008/normal.jpg"),
    }
    with pytest.raises(RefusedError, match="2 leak:people"):
        refuse_leaks(result.leaks)
    group = dict(
        zip(
            manifest.paths,
            flagged(result, record_of(manifest)).table["duplicate_group"].to_pylist(),
            strict=True,
        )
    )
    assert {path: name for path, name in group.items() if name} == {
        "001/mask1.jpg": "001/mask1.jpg", "002/mask1.jpg": "001/mask1.jpg",
        "005/incorrect_mask.jpg": "005/incorrect_mask.jpg", "008/normal.jpg": "005/incorrect_mask.jpg",
    }  # fmt: skip


def test_the_flagged_manifest_says_how_it_was_made(own: Path) -> None:
    photo(own, 1, "mask1").write_bytes(photo(own, 2, "mask1").read_bytes())
    manifest = label(own)
    made = flagged(audit(manifest), record_of(manifest, options={"no_photos": False}))
    row = made.paths.index("001/mask1.jpg")
    assert made.table["flags"][row].as_py() == ["leak:people:002/mask1.jpg"]
    assert made.table["flags"].null_count == len(made) - 1
    assert made.header.history[-1].stage == "audit"
    assert made.header.history[-1].inputs[0].made_by == manifest.header.history[-1].id
    assert Manifest.read(_written(made, own / "flagged.parquet")).table.equals(made.table)


def test_a_photo_of_the_test_set_is_a_leak(album: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture(900).save(tmp_path / "images" / "new.jpg")
    picture(31).save(tmp_path / "images" / "known.jpg", quality=80)
    (tmp_path / "info.csv").write_text("ImageID,ans\nnew.jpg,0\nknown.jpg,0\n")
    (found,) = audit(label(album), against=[label(tmp_path)]).findings
    assert (found.kind, found.person, found.other) == ("leak:against", "003", "known.jpg")


def test_a_person_in_two_folds_is_reported_instead_of_refused(album: Path, tmp_path: Path) -> None:
    manifest = split(label(album), folds=2)
    folds = manifest.folds.copy()
    folds[0] = 1 - folds[0]
    torn = manifest.then("split", {"fold": pa.array(folds.astype(np.int16))})
    with pytest.raises(RefusedError):
        Manifest.read(_written(torn, tmp_path / "torn.parquet"))
    (found,) = audit(Manifest.read(tmp_path / "torn.parquet", divided=True), no_photos=True).findings
    assert (found.kind, found.person) == ("leak:person", "000")


def test_proposed_corrections_are_a_table_for_people_and_for_label(album: Path) -> None:
    manifest = label(album)
    truth = manifest.labels.copy()
    names = manifest.space.names
    truth[:7] += names.index("wear/female/under30") - names.index("wear/male/under30")
    result = audit(manifest, knowing(manifest, truth), no_photos=True)
    (row,) = csv.DictReader(io.StringIO(corrections(result).decode()))
    wanted = {"path": "", "person_id": "000", "column": "gender", "value": "female", "from": "male"}
    assert row.items() >= wanted.items()
    assert row["evidence"].endswith("7 of 7 photos agree")


def test_unreadable_photos_are_findings(own: Path) -> None:
    manifest = label(own)
    photo(own, 3, "mask2").write_bytes(photo(own, 3, "mask2").read_bytes()[:-500])
    photo(own, 4, "mask2").unlink()
    found = {(one.kind, one.evidence) for one in audit(manifest).findings}
    assert found == {("photo:unreadable", "cut off"), ("photo:unreadable", "missing")}


@pytest.mark.parametrize("spoiled", ["answers", "classes", "paths"])
def test_predictions_that_do_not_fit_are_refused(album: Path, spoiled: str) -> None:
    manifest = label(album)
    good = knowing(manifest, manifest.labels)
    assert good.classes is not None
    answers: dict[str, Any] = {"path": good.path, "answer": good.answer}
    bad = {
        "answers": Predictions(**answers),
        "classes": replace(good, classes=good.classes[1:] + good.classes[:1]),
        "paths": replace(good, path=pa.chunked_array([[f"x{path}" for path in manifest.paths]])),
    }
    with pytest.raises(MaskkitError):
        audit(manifest, bad[spoiled], no_photos=True)


def test_predictions_by_models_that_know_the_people_are_refused(album: Path) -> None:
    manifest = label(album)
    good = knowing(manifest, manifest.labels)
    header = Header("predictions", manifest.space, facts={"leaked": 12})
    with pytest.raises(RefusedError, match="were trained on the people on 12 photos"):
        audit(manifest, Predictions(good.path, good.answer, good.probs, header=header), no_photos=True)


def _written(manifest: Manifest, path: Path) -> Path:
    manifest.write(path)
    return path


def test_incomplete_photos_are_listed(own: Path) -> None:
    manifest = label(own)
    file = photo(own, 3, "mask2")
    data = file.read_bytes()
    file.write_bytes(data[: 9 * len(data) // 10] + b"\xff\xd9")
    found = [one for one in audit(manifest).findings if one.kind == "photo:incomplete"]
    assert [(one.evidence, one.severity) for one in found] == [
        ("incomplete: its data end before its pixels do", "high")
    ]


def test_a_page_has_the_photos_of_the_first_findings_and_no_more_than_it_holds(
    folds: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = folds.people.names[:4]
    findings = [Finding("suspect:person", "high", "seen", person=one) for one in people]
    found = Audit(folds, findings, None, ("labels",))
    assert [len(one) for one in pictures(found)] == [7] * 4
    monkeypatch.setattr(stage, "MOST_PHOTOS", 20)
    assert [len(one) for one in pictures(found)] == [7, 7]
