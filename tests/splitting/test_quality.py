import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskkit.splitting import quality as quality_module
from maskkit.splitting.quality import fold_table

ROWS = st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 3), st.integers(0, 6)), max_size=40)


def columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0].astype(np.int16), table[:, 1].astype(np.int16), table[:, 2]


def test_counts_people_once_per_class_and_images_each() -> None:
    # (fold, class, person): person 0 has three images in fold 0, person 1 two in fold 1.
    fold, label, person = columns([(0, 0, 0), (0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 0, 1)])
    quality = fold_table(fold, label, person, folds=2, classes=3)
    assert quality.images.tolist() == [[2, 2], [1, 0], [0, 0]]
    assert quality.people.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert quality.people_per_fold.tolist() == [1, 1]
    assert quality.images_per_fold.tolist() == [3, 2]


def test_deviations_are_relative_to_the_mean_fold() -> None:
    fold, label, person = columns([(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 3), (0, 1, 0), (1, 1, 3)])
    quality = fold_table(fold, label, person, folds=2, classes=3)
    assert quality.ideal.tolist() == [2, 1, 0]
    assert quality.deviation.tolist() == [[0.5, -0.5], [0, 0], [0, 0]]
    assert quality.max_deviation == 0.5
    assert quality.mean_deviation == 0.25  # the class without images does not dilute it
    assert quality.size_deviation == pytest.approx([1 / 3, -1 / 3])


def test_images_never_held_out_are_not_counted() -> None:
    fold, label, person = columns([(0, 0, 0), (1, 0, 1), (-1, 0, 2), (-1, 1, 2)])
    quality = fold_table(fold, label, person, folds=2, classes=2)
    assert quality.images.tolist() == [[1, 1], [0, 0]]
    assert quality.people_per_fold.tolist() == [1, 1]
    assert quality.max_deviation == 0


def test_a_holdout_is_compared_with_its_share_of_each_class() -> None:
    # A quarter of the eight images is held out, but half of the four of class 1.
    rows = [(0, 1, 0), (0, 1, 0), (-1, 1, 1), (-1, 1, 1), (-1, 0, 2), (-1, 0, 2), (-1, 0, 3), (-1, 0, 3)]
    quality = fold_table(*columns(rows), folds=1, classes=2)
    assert quality.ideal.tolist() == [1, 1]
    assert quality.deviation.tolist() == [[-1], [1]]
    assert quality.size_deviation.tolist() == [0]


def test_no_images_deviate_by_nothing() -> None:
    for folds in (1, 3):
        quality = fold_table(*columns([]), folds=folds, classes=2)
        assert (quality.max_deviation, quality.mean_deviation) == (0, 0)
        assert quality.images.shape == (2, folds)


@pytest.mark.parametrize("table", [0, 16])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_counts_agree_with_sets_of_people(
    monkeypatch: pytest.MonkeyPatch, rows: list[tuple[int, int, int]], table: int
) -> None:
    monkeypatch.setattr(quality_module, "TABLE", table)
    quality = fold_table(*columns(rows), folds=3, classes=4)
    for number in range(3):
        inside = [(label, person) for fold, label, person in rows if fold == number]
        assert quality.people_per_fold[number] == len({person for _, person in inside})
        for label in range(4):
            people = [person for one, person in inside if one == label]
            assert quality.images[label, number] == len(people)
            assert quality.people[label, number] == len(set(people))


def test_people_numbered_beyond_32_bits_are_told_apart() -> None:
    person = np.array([0, 2**31, 2**32, 2**40, 2**40])
    fold, label = np.array([0, 0, 1, 1, 1], np.int16), np.zeros(5, np.int16)
    quality = fold_table(fold, label, person, folds=2, classes=18)
    assert quality.people[0].tolist() == [2, 2]
    assert quality.people_per_fold.tolist() == [2, 2]


def test_the_table_as_json_names_the_classes() -> None:
    fold, label, person = columns([(0, 0, 0), (0, 0, 0), (1, 0, 1), (1, 1, 1)])
    table = fold_table(fold, label, person, folds=2, classes=2).to_json(["a", "b"])
    assert (table["people"], table["photos"], table["deviation"]) == ([1, 1], [2, 2], [0, 0])
    assert table["classes"]["a"] == {
        "people": [1, 1], "photos": [2, 1], "deviation": [pytest.approx(1 / 3), pytest.approx(-1 / 3)],
    }  # fmt: skip
    assert table["max_class_deviation"] == 1  # the one image of b is in one fold
    assert table["mean_class_deviation"] == pytest.approx(2 / 3)
    assert json.loads(json.dumps(table)) == table
