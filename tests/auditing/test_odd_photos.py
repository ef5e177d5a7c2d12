from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from auditing_data import manifest_of, photos_of

from maskkit.artifacts.checks import BOX
from maskkit.auditing.odd_photos import faceless, odd_photos
from maskkit.imaging.survey import PROPERTIES, Survey


@pytest.fixture
def looks() -> np.ndarray:
    """What 28 ordinary photos look like."""
    random = np.random.default_rng(0)
    looks = np.zeros(28, PROPERTIES)
    looks["width"], looks["height"] = 384, 512
    looks["brightness"] = random.normal(0.5, 0.02, 28)
    looks["contrast"] = random.normal(0.25, 0.01, 28)
    looks["sharpness"] = random.lognormal(4, 0.2, 28)
    looks["mean"] = random.normal(0.5, 0.02, (28, 3))
    looks["std"] = random.normal(0.25, 0.01, (28, 3))
    return looks


def kinds(looks: np.ndarray, faults: dict[int, str] | None = None) -> list[tuple[str, int | None]]:
    found = odd_photos(manifest_of(photos_of(4)), Survey(looks, faults or {}, 2))
    return [(one.kind, one.row) for one in found]


def test_ordinary_photos_are_not_reported(looks: np.ndarray) -> None:
    assert kinds(looks) == []


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("brightness", 0.03, "photo:dark"),
        ("sharpness", 2.0, "photo:blurred"),
        ("width", 60, "photo:tiny"),
        ("contrast", 0.9, "photo:outlier"),
        ("mean", (0.5, 0.5, 0.95), "photo:outlier"),
    ],
)
def test_one_that_is_far_from_the_rest_is_reported_once(
    looks: np.ndarray, name: str, value: object, kind: str
) -> None:
    looks[name][11] = value
    assert kinds(looks) == [(kind, 11)]


def test_an_unreadable_photo_is_reported_and_not_measured(looks: np.ndarray) -> None:
    looks[5] = 0
    assert kinds(looks, {5: "cut off"}) == [("photo:unreadable", 5)]


def test_equal_photos_have_no_outliers(looks: np.ndarray) -> None:
    looks[:] = looks[0]
    assert kinds(looks) == []


def test_photos_without_a_box_are_faceless_if_faces_were_looked_for() -> None:
    manifest = manifest_of(photos_of(1))
    assert not list(faceless(manifest))
    boxes = pa.array([[0.1, 0.1, 0.9, 0.9]] * 6 + [None], BOX)
    (found,) = faceless(manifest.then("crop", {"box": boxes}))
    assert (found.kind, found.row, found.person) == ("photo:faceless", 6, "000")
