from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from maskkit.cache.records import RecordsInMemory
from maskkit.errors import MaskkitError
from maskkit.imaging.dataset import batches, varied
from maskkit.imaging.sampling import balanced
from maskkit.labels import HOME
from maskkit.training import smote as module
from maskkit.training.features import DrawnView, Features
from maskkit.training.fold import Fold
from maskkit.training.smote import smote, with_synthetic

COUNTS = [40, 12, 4, 2, 1]
CLASSES = np.repeat([0, 3, 7, 8, 16], COUNTS)


def features(count: int = 59, width: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def test_makes_every_class_as_frequent_as_the_largest() -> None:
    made, classes = smote(features(), CLASSES)
    assert made.dtype == np.float32
    assert made.shape == (len(classes), 6)
    together = np.bincount(np.concatenate([CLASSES, classes]), minlength=18)
    assert together[[0, 3, 7, 8, 16]].tolist() == [40] * 5
    assert together.sum() == 200


def on_a_line(point: np.ndarray, ends: np.ndarray) -> bool:
    """Whether a point lies between two of these, (N, F)."""
    for first in ends:
        way = ends - first
        length = np.maximum((way**2).sum(1), 1e-12)
        share = (way @ (point - first)) / length
        near = np.abs(first + share[:, None] * way - point).max(1) < 1e-4
        if (near & (share >= -1e-5) & (share <= 1 + 1e-5)).any():
            return True
    return False


def test_what_is_made_up_lies_between_two_rows_of_the_class() -> None:
    given = features()
    made, classes = smote(given, CLASSES)
    for one in (3, 7, 8):
        assert all(on_a_line(point, given[one == CLASSES]) for point in made[classes == one])
    assert not any(on_a_line(point, given[CLASSES == 0]) for point in made[classes == 3])


def test_lines_lead_to_the_nearest_neighbours_only() -> None:
    given = np.concatenate([np.zeros((9, 1)), [[0], [1], [10], [11]]]).astype(np.float32)
    made, _ = smote(given, np.repeat([0, 1], [9, 4]), neighbors=1)
    assert (((made >= 0) & (made <= 1)) | ((made >= 10) & (made <= 11))).all()


def test_a_class_of_one_row_is_repeated() -> None:
    given = features()
    made, classes = smote(given, CLASSES)
    assert (made[classes == 16] == given[-1]).all()


def test_a_class_of_few_rows_has_fewer_neighbours_without_a_complaint() -> None:
    made, classes = smote(features(), CLASSES, neighbors=50)
    assert (classes == 8).sum() == 38
    assert np.isfinite(made).all()


def test_the_seed_decides_all() -> None:
    first, again, other = (smote(features(), CLASSES, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("counts", [[5, 5], [5], []])
def test_nothing_is_made_up_if_all_classes_are_as_frequent(counts: list[int]) -> None:
    made, classes = smote(features(sum(counts)), np.repeat(np.arange(len(counts)), counts))
    assert made.shape == (0, 6)
    assert classes.tolist() == []


def test_says_how_to_install_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "imblearn" else real(name))
    with pytest.raises(MaskkitError) as caught:
        smote(features(), CLASSES)
    assert "imbalanced-learn" in (caught.value.why or "")
    assert "pip install imbalanced-learn" in (caught.value.fix or "")


def fold(**changes: Any) -> Fold:
    """A fold of features in three views; the last ten of its 69 rows are held out."""
    values = np.stack([features(69), features(69, seed=1), features(69, seed=2)], axis=1)
    target = np.concatenate([CLASSES, np.full(10, 5)])
    return Fold(
        space=HOME,
        inputs=Features(RecordsInMemory(values, np.arange(69))),
        target=target,
        numbers=np.full((69, 1), 30, np.float32),
        people=np.arange(69) // 7,
        weight=np.where(target == 3, 0.5, 1).astype(np.float32),
        label=target.copy(),
        training=np.arange(59),
        held_out=np.arange(59, 69),
        vary=DrawnView(3),
        **changes,
    )


def test_a_fold_is_enlarged_by_rows_that_are_trained_on_and_never_scored() -> None:
    given = fold()
    larger = with_synthetic(given, neighbors=5, seed=0)
    count = len(larger.training) - 59
    assert count == 200 - 59
    assert len(larger.inputs) == 69 + count
    assert np.array_equal(larger.held_out, given.held_out)
    assert np.array_equal(larger.training[59:], np.arange(69, 69 + count))
    for name in ("target", "numbers", "people", "weight", "label"):
        first, enlarged = getattr(given, name), getattr(larger, name)
        assert np.array_equal(enlarged[:69], first)
        assert enlarged.dtype == first.dtype
        assert len(enlarged) == 69 + count
    assert larger.class_counts[[0, 3, 7, 8, 16]].tolist() == [40] * 5
    assert larger.class_counts[5] == 0  # held out: not to be known
    made = slice(69, None)
    assert np.isnan(larger.numbers[made]).all()
    assert set(larger.people[made].tolist()) == {-1}
    assert set(larger.weight[made][larger.target[made] == 3].tolist()) == {0.5}


def test_what_is_made_up_has_a_class_and_photos_keep_their_probabilities() -> None:
    given = fold()
    soft = np.full((len(given.target), 18), np.nan, np.float32)
    soft[3] = 1 / 18
    larger = with_synthetic(replace(given, soft=soft), neighbors=5, seed=0)
    assert larger.soft is not None
    assert len(larger.soft) == len(larger.target)
    assert np.array_equal(larger.soft[: len(soft)], soft, equal_nan=True)
    assert np.isnan(larger.soft[len(soft) :]).all()


def test_photos_keep_their_features_and_made_up_ones_come_of_the_first_view_in_every_view() -> None:
    given = fold()
    larger = with_synthetic(given, neighbors=5, seed=0)
    rows = np.array([70, 3, 100, 68, 69])
    values = larger.inputs.take(rows)
    assert np.array_equal(values[[1, 3]], given.inputs.take(np.array([3, 68])))
    expected, _ = smote(given.inputs.take(np.arange(59))[:, 0], CLASSES)
    for view in range(3):
        assert np.array_equal(values[[4, 0, 2], view], expected[[0, 1, 31]])
    assert larger.inputs.take(np.array([69])).shape == (1, 3, 6)


def test_an_epoch_of_it_is_the_same_whatever_the_number_of_workers() -> None:
    larger = with_synthetic(fold(), neighbors=5, seed=0)
    random = np.random.default_rng(0)
    drawn = balanced(larger.training, larger.target[larger.training], random)
    order = varied(drawn, larger.vary, random)
    runs = [list(batches(larger.inputs, order, batch_size=16, workers=workers)) for workers in (0, 1, 4)]
    for run in runs[1:]:
        for (rows, values), (first_rows, first_values) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(values, first_values)
            assert values.shape[1:] == (6,)
