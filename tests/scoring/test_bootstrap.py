import numpy as np
import pytest

from maskkit.errors import MaskkitError
from maskkit.scoring import bootstrap, metrics
from maskkit.scoring.bootstrap import Bootstrap
from maskkit.scoring.metrics import Floats, Integers


def accuracies(
    truth: Integers, answer: Integers, person: Integers | None, *, count: int = 400, seed: int = 0
) -> Floats:
    cell = metrics.cells(truth, answer, classes=2)
    kinds = bootstrap.kinds_of_people(cell, bootstrap.number_people(person, rows=len(truth)))
    drawn = Bootstrap(count, seed).redrawn(kinds, 4)
    return np.concatenate([metrics.accuracy(counts.reshape(-1, 2, 2)) for counts in drawn])  # (count,)


def test_numbers_people_and_makes_each_unknown_a_person_of_its_own() -> None:
    person = bootstrap.number_people(np.array([70, -1, 5, 70, -1]), rows=5)
    assert person.tolist() == [1, 2, 0, 1, 3]
    assert bootstrap.number_people(None, rows=3).tolist() == [0, 1, 2]


def test_groups_people_whose_photos_count_in_the_same_cells() -> None:
    cell = np.array([3, 0, 0, 3, 1, 3, 3])
    person = np.array([0, 0, 1, 1, 2, 3, 3])  # 0 and 1 alike; 2 has one photo; 3 has a cell twice
    kinds = bootstrap.kinds_of_people(cell, person)
    assert sorted(kinds.people.tolist()) == [1, 1, 2]
    rows = kinds.people[kinds.kind] * kinds.photos
    assert np.bincount(kinds.cell, weights=rows).tolist() == [2, 1, 0, 4]


def test_draws_whole_people() -> None:
    truth = np.zeros(12, dtype=np.int64)
    person = np.repeat(np.arange(3), 4)
    kinds = bootstrap.kinds_of_people(metrics.cells(truth, person % 2, classes=2), person)
    (counts,) = Bootstrap(50).redrawn(kinds, 4)
    assert (counts % 4 == 0).all()
    assert (counts.sum(axis=1) == 12).all()
    assert len(np.unique(counts, axis=0)) > 1


def test_spreads_as_drawing_people_one_by_one_does() -> None:
    generator = np.random.default_rng(3)
    person = np.repeat(np.arange(60), generator.integers(1, 8, size=60))
    truth = np.zeros(len(person), dtype=np.int64)
    answer = (generator.random(len(person)) < generator.random(60)[person]).astype(np.int64)
    right, photos = np.bincount(person, weights=answer == 0), np.bincount(person)
    drawn = generator.integers(0, 60, size=(20_000, 60))
    expected = right[drawn].sum(axis=1) / photos[drawn].sum(axis=1)
    found = accuracies(truth, answer, person, count=20_000)
    assert found.mean() == pytest.approx(expected.mean(), abs=0.002)
    assert found.std() == pytest.approx(expected.std(), rel=0.03)


def test_is_wider_over_people_than_over_photos_when_photos_of_a_person_agree() -> None:
    person = np.repeat(np.arange(50), 9)
    truth = np.zeros(450, dtype=np.int64)
    answer = (person % 4 == 0).astype(np.int64)  # all nine photos are right, or all are wrong
    by_person = accuracies(truth, answer, person).std()
    by_photo = accuracies(truth, answer, None).std()
    assert by_person == pytest.approx(3 * by_photo, rel=0.15)  # the square root of nine


def test_depends_on_the_seed_and_neither_on_row_order_nor_on_the_numbers_of_people() -> None:
    generator = np.random.default_rng(5)
    truth, answer = generator.integers(0, 2, size=(2, 300))
    person = generator.integers(0, 80, size=300)
    first = accuracies(truth, answer, person)
    shuffled = generator.permutation(300)
    renamed = generator.permutation(80)[person]
    again = accuracies(truth[shuffled], answer[shuffled], renamed[shuffled])
    assert np.array_equal(first, again)
    assert not np.array_equal(first, accuracies(truth, answer, person, seed=1))


def test_draws_the_same_in_chunks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, answer = np.random.default_rng(6).integers(0, 2, size=(2, 60))
    at_once = accuracies(truth, answer, np.arange(60) // 3)
    monkeypatch.setattr(bootstrap, "_CHUNK", 100)
    assert np.array_equal(at_once, accuracies(truth, answer, np.arange(60) // 3))


def test_holds_the_true_accuracy_about_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(7)
    held = 0
    for trial in range(200):
        skill = generator.beta(8, 2, size=80)  # true accuracy 0.8
        person = np.repeat(np.arange(80), 7)
        answer = (generator.random(560) > skill[person]).astype(np.int64)
        found = accuracies(np.zeros(560, dtype=np.int64), answer, person, count=300, seed=trial)
        low, high = Bootstrap().interval(found[:, None])
        held += int(low[0] <= 0.8 <= high[0])
    assert 180 <= held <= 198  # 190 expected


def test_passes_over_replicates_that_leave_a_measure_undefined() -> None:
    values = np.array([[0.2, np.nan], [np.nan, np.nan], [0.4, np.nan]])
    low, high = Bootstrap(confidence=0.5).interval(values)
    assert (low[0], high[0]) == pytest.approx((0.25, 0.35))
    assert np.isnan([low[1], high[1]]).all()


def test_refuses_no_replicates_and_a_confidence_that_is_no_share() -> None:
    with pytest.raises(MaskkitError, match="0 bootstrap replicates"):
        Bootstrap(0)
    with pytest.raises(MaskkitError, match="95"):
        Bootstrap(confidence=95)


def test_one_person_has_measures_without_intervals() -> None:
    cell, nobody = np.array([0, 1, 3]), np.zeros(3, np.int64)
    alone, together = (
        Bootstrap(20).estimates(cell, people, cells=4, measure=lambda counts: counts / 3)
        for people in (nobody, np.arange(3))
    )
    assert [one.value for one in alone] == [one.value for one in together] == [1 / 3, 1 / 3, 0, 1 / 3]
    assert {(one.low, one.high) for one in alone} == {(None, None)}
    assert all(one.low is not None for one in together)


def test_means_over_redrawn_people_are_those_of_their_photos(monkeypatch: pytest.MonkeyPatch) -> None:
    person = np.array([0, 0, 1, 2, 2, 2])
    values = np.random.default_rng(0).normal(size=(6, 2))
    found = Bootstrap(50, 3).redrawn_means(values, person)
    drawn = np.random.default_rng(3).multinomial(3, np.full(3, 1 / 3), size=50)
    for people, means in zip(drawn, found, strict=True):
        photos = np.repeat(np.arange(6), people[person])
        assert means == pytest.approx(values[photos].mean(axis=0))
    monkeypatch.setattr(bootstrap, "_CHUNK", 7)
    assert Bootstrap(50, 3).redrawn_means(values, person) == pytest.approx(found)
