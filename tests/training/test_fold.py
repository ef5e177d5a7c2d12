from pathlib import Path

import numpy as np
import pytest

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.options.values import LevelValue
from maskkit.training.fold import Fold


@pytest.fixture
def fold() -> Fold:
    return Fold(
        space=HOME,
        inputs=Photos([Path("photo.jpg")] * 6, Preprocess(8, 8, (0.5,), (0.5,), "bicubic")),
        target=np.array([0, 0, 2, 17, 17, -1]),
        numbers=np.full((6, 1), np.nan, np.float32),
        people=np.arange(6),
        weight=np.ones(6, np.float32),
        label=np.array([5, 5, 5, 5, 5, 5]),
        training=np.array([0, 1, 2]),
        held_out=np.array([3, 4]),
    )


def test_counts_the_classes_of_the_rows_trained_on_and_no_others(fold: Fold) -> None:
    assert fold.class_counts.tolist() == [2, 0, 1] + [0] * 15


def test_finds_the_rows_of_a_level_by_what_they_are_trained_as(fold: Fold) -> None:
    assert fold.has_level(LevelValue("age", "60plus", "")).tolist() == [False, False, True, True, True, False]
    assert fold.has_level(LevelValue("mask", "none", "")).tolist() == [False, False, False, True, True, False]
    assert fold.has_level(LevelValue("gender", "male", "")).tolist() == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(("factor", "level"), [("hat", "on"), ("age", "old")])
def test_a_level_that_does_not_exist_is_an_error_with_those_that_do(
    fold: Fold, factor: str, level: str
) -> None:
    with pytest.raises(MaskkitError) as caught:
        fold.has_level(LevelValue(factor, level, ""))
    assert ("mask, gender, age" if factor == "hat" else "under30, 30to59, 60plus") in caught.value.why
