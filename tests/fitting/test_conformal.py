from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from members import judged_of
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import Promise
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError
from maskkit.fitting.conformal import NEW, Calibrated, least_probability, people_needed
from maskkit.labels import HOME, LabelSpace
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import Panel

TASK = LabelSpace(HOME.factors[1:])  # gender and age: six classes


def drawn(people: int, *, seed: int = 0, photos: int = 3) -> Judged:
    """Predictions of people of whom some are harder than others, the tenth of the last age most."""
    random = np.random.default_rng(seed)
    age = random.choice(3, people, p=[0.5, 0.4, 0.1])
    truth = np.repeat(random.integers(0, 2, people) * 3 + age, photos)
    skill = np.repeat(random.normal(2, 1, people) - 2 * (age == 2), photos)[:, None]
    logits = skill * np.eye(6)[truth] + random.normal(0, 1, (people * photos, 6))
    probs = np.exp(logits)
    probs = (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)
    return judged_of(
        Panel([probs.argmax(1)], [probs], 6), truth, np.repeat(np.arange(people), photos), space=TASK
    )


def covered(found: Calibrated) -> NDArray[np.bool_]:
    return found.sets_of_others().holds(found.truth)


def test_the_threshold_counts_people_and_one_to_come_who_is_missed() -> None:
    """By hand: down to 0.6 are all of three people and a third of one, of five with the one to come."""
    own = np.array([0.9, 0.8, 0.2, 0.1, 0.7, 0.6])
    person = np.array([0, 1, 1, 1, 2, 3])
    found = [least_probability(own, person, share) for share in (0.2, 0.66, 0.67, 0.8, 0.81)]
    assert found == [0.9, 0.6, 0.2, 0.1, None]


@pytest.mark.parametrize("people", [9, 12, 30])
def test_people_to_come_are_held_as_often_as_promised_whatever_photos_they_have(people: int) -> None:
    """The score of a person is even between 0 and 1, so 1 less the threshold is how many are held.

    Those who are easy have ten photos: did photos count alike, too few others would be held.
    """
    random = np.random.default_rng(0)
    held = []
    for _ in range(3000):
        score = random.random(people)
        photos = np.where(score > 0.5, 10, 1)
        least = least_probability(np.repeat(score, photos), np.repeat(np.arange(people), photos), 0.9)
        assert least is not None
        held.append(1 - least)
    exact = ceil(0.9 * (people + 1) - 1e-9) / (people + 1)
    assert np.mean(held) == pytest.approx(exact, abs=4 * np.std(held) / np.sqrt(3000))
    assert exact >= 0.9


def test_too_few_people_promise_nothing() -> None:
    assert [people_needed(share) for share in (0.5, 0.8, 0.9, 0.95)] == [1, 4, 9, 19]
    scores = np.arange(9) / 10
    assert least_probability(scores, np.arange(9), 0.9) == 0
    assert least_probability(scores[:8], np.arange(8), 0.9) is None


@pytest.mark.parametrize("per", [None, "class", "age"])
def test_sets_of_other_people_keep_the_promise(per: str | None) -> None:
    found = Calibrated.of(drawn(900), Promise(0.9, per))
    held = covered(found)
    age = found.truth % 3
    assert held.mean() == pytest.approx(0.9, abs=0.015)
    each = [held[age == level].mean() for level in range(3)]
    spread = max(each) - min(each)
    assert spread < 0.06 if per else spread > 0.1
    if per == "class":
        assert [held[found.truth == one].mean() for one in range(6)] == pytest.approx([0.9] * 6, abs=0.06)


def test_levels_of_factors_have_sets_of_their_own() -> None:
    found = Calibrated.of(drawn(900), Promise(0.9, "age"))
    sets = found.sets_of_others()
    gender, age = np.unravel_index(found.truth, TASK.shape)
    rows = np.arange(len(gender))
    assert [part.shape[1] for part in sets.levels] == [2, 3]
    assert sets.levels[0][rows, gender].mean() == pytest.approx(0.9, abs=0.02)
    for level in range(3):
        assert sets.levels[1][rows, age][age == level].mean() == pytest.approx(0.9, abs=0.05)


def test_the_answer_is_in_its_set_however_unsure() -> None:
    judged = drawn(200)
    found = Calibrated.of(judged, Promise(0.5))
    assert found.sets_of_others().classes[np.arange(len(judged.answer)), judged.answer].all()


def test_a_fold_is_calibrated_on_the_others_and_new_people_on_all() -> None:
    found = Calibrated.of(drawn(60), Promise(0.8))
    sets = found.sets(found.probs, found.part)
    one = found.part == found.part[0]
    others = replace(
        found,
        truth=found.truth[~one],
        probs=found.probs[~one],
        person=found.person[~one],
        part=found.part[~one],
    )
    new = np.full(int(one.sum()), NEW)
    assert np.array_equal(sets.classes[one], others.sets(found.probs[one], new).classes)
    assert not np.array_equal(sets.classes[one], found.sets(found.probs[one], new).classes)


def test_photos_know_the_part_of_their_person_by_name_or_by_path() -> None:
    judged = drawn(20)
    found = Calibrated.of(judged, Promise(0.8))
    assert np.array_equal(found.part_of(judged.manifest), found.part)
    table = judged.manifest.table
    paths = table.set_column(0, "path", [[f"other/{row}.jpg" for row in range(len(table))]])
    assert np.array_equal(found.part_of(Manifest(paths, judged.manifest.header)), found.part)
    nobody = table.set_column(1, "person_id", [[None] * len(table)])
    renamed = table.set_column(1, "person_id", [[f"x{row}" for row in range(len(table))]])
    for one in (nobody, renamed):
        assert np.array_equal(found.part_of(Manifest(one, judged.manifest.header)), found.part)
    strange = paths.set_column(1, "person_id", renamed["person_id"])
    assert (found.part_of(Manifest(strange, judged.manifest.header)) == NEW).all()


def test_too_few_people_are_counted_and_said() -> None:
    with pytest.raises(MaskkitError, match="8 of all") as caught:
        Calibrated.of(drawn(8), Promise(0.9))
    assert "9 of each are needed" in caught.value.why
    judged = drawn(60)
    few = np.unique(judged.person[judged.truth % 3 == 2])
    assert len(few) < 9
    with pytest.raises(MaskkitError, match=f"{len(few)} of 60plus") as caught:
        Calibrated.of(judged, Promise(0.9, "age"))
    assert "leave out --sets-per" in caught.value.fix


def test_only_classes_and_factors_can_be_promised() -> None:
    with pytest.raises(MaskkitError, match="per 'height'") as caught:
        Calibrated.of(drawn(30), Promise(0.8, "height"))
    assert "gender, age" in caught.value.why


def test_probabilities_are_those_that_models_gave() -> None:
    judged = drawn(30)
    adjusted = replace(
        judged.given[0], header=replace(judged.given[0].header, facts={"consensus": {"by": "person"}})
    )
    with pytest.raises(MaskkitError, match="went through a consensus before"):
        Calibrated.of(replace(judged, given=(adjusted,)), Promise(0.8))
    bare: Predictions = replace(judged.given[0], probs=None)
    with pytest.raises(MaskkitError, match="has answers only"):
        Calibrated.of(replace(judged, given=(bare,)), Promise(0.8))
