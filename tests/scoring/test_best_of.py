import numpy as np
import pytest
from sklearn.metrics import f1_score

from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.best_of import BestOf, _influence, _macro_f1, _of_each_person, best_of
from maskkit.scoring.measuring import score
from maskkit.scoring.metrics import Counts

SPACE = LabelSpace((Factor("mask", ("wear", "none")), Factor("age", ("young", "old"))))
PHOTOS = 4


def people_and_models(people: int, skills: list[float], seed: int) -> tuple[Counts, list[Counts], Counts]:
    """Models that are right on such shares of photos, independently of each other."""
    generator = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), PHOTOS)
    truth = generator.integers(0, 4, size=people)[person]
    wrong = (truth + generator.integers(1, 4, size=len(truth))) % 4
    models = [np.where(generator.random(len(truth)) < skill, truth, wrong) for skill in skills]
    return truth, models, person


def test_the_best_is_that_of_the_highest_macro_f1() -> None:
    truth, models, person = people_and_models(80, [0.6, 0.9, 0.7], 0)
    found = best_of(truth, models, space=SPACE, person=person)
    assert (found.place, found.models, found.chosen) == (1, 3, 1.0)
    assert found.own == pytest.approx(f1_score(truth, models[1], average="macro"))


def test_what_is_said_of_the_best_of_equals_is_not_its_luck() -> None:
    own, said, held = [], [], 0
    for seed in range(40):
        truth, models, person = people_and_models(60, [0.7] * 20, seed)
        found = best_of(truth, models, space=SPACE, person=person, replicates=100)
        own.append(found.own - 0.7)
        said.append((found.worth.value or 0) - 0.7)
        held += (found.worth.low or 0) <= 0.7 <= (found.worth.high or 1)
    assert np.mean(own) > 0.04  # twenty equals: the luckiest is far above its worth
    assert abs(np.mean(said)) < 0.012
    assert held >= 36


def width(found: BestOf) -> float:
    return (found.worth.high or 0) - (found.worth.low or 0)


def test_of_equals_it_is_known_better_than_a_score_and_of_one_far_ahead_as_well() -> None:
    truth, (model, _), person = people_and_models(100, [0.7, 0.7], 3)
    truth, person = np.tile(truth, 2), np.concatenate([person, person + 100])
    models = [np.concatenate(halves) for halves in ((model, truth[:400]), (truth[:400], model))]
    equals = best_of(truth, models, space=SPACE, person=person)
    one = score(truth, models[0], space=SPACE, person=person).macro_f1
    assert 0.4 < width(equals) / ((one.high or 0) - (one.low or 0)) < 0.7
    ahead = best_of(truth, [truth // 2, truth // 2, models[0]], space=SPACE, person=person)
    one = score(truth, models[0], space=SPACE, person=person).macro_f1
    assert width(ahead) == pytest.approx((one.high or 0) - (one.low or 0), rel=0.01)


def test_a_person_moves_the_scores_as_said() -> None:
    truth, models, person = people_and_models(30, [0.7, 0.8], 4)
    models[0][truth == 3] = 0  # a class that is never answered
    tally = _of_each_person(truth, models, person, len(SPACE))
    moved, usual = _influence(tally), _macro_f1(tally, np.ones((1, 30)))
    for one in range(30):
        a_little_more = np.ones((1, 30))
        a_little_more[0, one] += 1e-6
        assert moved[one] == pytest.approx((_macro_f1(tally, a_little_more) - usual)[0] / 1e-6, abs=1e-5)


def test_a_best_that_is_far_ahead_is_worth_its_score() -> None:
    truth, models, person = people_and_models(200, [0.5, 0.5, 0.9], 1)
    found = best_of(truth, models, space=SPACE, person=person)
    assert found.worth.value == pytest.approx(found.own, abs=0.01)


def test_it_depends_on_the_seed_alone_and_one_person_has_no_interval() -> None:
    truth, models, person = people_and_models(30, [0.7, 0.72], 2)
    first = best_of(truth, models, space=SPACE, person=person)
    assert best_of(truth, models, space=SPACE, person=person) == first
    assert best_of(truth, models, space=SPACE, person=person, seed=1) != first
    alone = best_of(truth[:4], [one[:4] for one in models], space=SPACE, person=np.zeros(4, np.int64))
    assert (alone.worth.low, alone.replicates) == (None, 0)
    assert "cannot be said of one person" in alone.sentence("a")
