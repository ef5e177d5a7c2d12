"""Under which paths and in which rows photos join a manifest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.checks import COLUMNS
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.pseudo_labelling.added_rows import grown, origins, paths_under


def manifest(root: str, *paths: str, **columns: pa.Array) -> Manifest:
    rows = len(paths)
    table = {
        "path": pa.array(paths),
        "person_id": pa.array([f"p{row}" for row in range(rows)]),
        "label": pa.nulls(rows, COLUMNS["label"]),
        "target": pa.nulls(rows, COLUMNS["target"]),
        "weight": pa.array(np.ones(rows, np.float32)),
        "origin": origins("given", rows),
        **columns,
    }
    return Manifest(pa.table(table), Header("manifest", HOME, (Record("label", {"root": root}),)))


@pytest.mark.parametrize(
    ("root", "place", "path", "expected"),
    [
        ("photos/train", "photos/train", "a.jpg", "a.jpg"),
        ("photos/train", "./photos/train/", "a.jpg", "a.jpg"),
        ("photos/train", "photos/test/images", "a.jpg", "../test/images/a.jpg"),
        ("/photos/train", "/photos/test", "a.jpg", "../test/a.jpg"),
        ("photos", "photos/test", "a.jpg", "test/a.jpg"),
        (".", "test", "a.jpg", "test/a.jpg"),
        ("photos/train", "photos", "train/b/a.jpg", "b/a.jpg"),
        ("photos/train", "photos", "test/a.jpg", "../test/a.jpg"),
    ],
)
def test_a_path_leads_from_the_root_to_the_same_file(root: str, place: str, path: str, expected: str) -> None:
    found = paths_under(manifest(root, "x.jpg"), manifest(place, path)).to_pylist()
    assert found == [expected]
    assert os.path.normpath(Path(root) / expected) == os.path.normpath(Path(place) / path)


def test_no_path_leads_from_an_absolute_root_to_a_relative_one() -> None:
    with pytest.raises(MaskkitError, match="those of the manifest under photos"):
        paths_under(manifest("/data", "a.jpg"), manifest("photos", "b.jpg"))


def test_new_photos_follow_and_known_ones_stay_where_they_are() -> None:
    boxes = pa.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], COLUMNS["box"])
    given = manifest("r", "a.jpg", "b.jpg", box=boxes, score=pa.array([1, 2]))
    others = manifest("r", "c.jpg", "a.jpg", box=boxes)
    paths = pa.chunked_array([["c.jpg", "a.jpg"]])
    growing = grown(given, others, paths, np.array([0, 1]))
    assert growing.rows.tolist() == [2, 0]
    table = growing.set({"target": pa.array([7, 8]), "for_fold": pa.array([1, None], pa.int16())}).table
    assert table["path"].to_pylist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert table["target"].to_pylist() == [8, None, 7]
    assert table["for_fold"].to_pylist() == [None, None, 1]
    assert table["person_id"].to_pylist() == ["p0", "p1", "p0"]
    assert table["box"].to_pylist() == [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0.5, 0.5]]
    assert table["score"].to_pylist() == [1, 2, None]
    assert table["origin"].to_pylist() == ["given", "given", "pseudo"]
    assert table.schema.field("target").type == pa.int16()
