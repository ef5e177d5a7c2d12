import json

import numpy as np
import pytest
from members import drawn_panel, judged_of, only
from sklearn.metrics import f1_score

from maskkit.fitting.blend import Plan, ensemble_json, equal_vote, fitted, nested_answers, verdicts
from maskkit.labels import Factor, LabelSpace
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import Panel

SPACE = LabelSpace((Factor("mask", ("on", "off", "low")),))
PLANS = [Plan("hard"), Plan("soft"), Plan("rank"), Plan("soft", "weights"), Plan("stacking")]
PEOPLE = 60
PERSON = np.repeat(np.arange(PEOPLE), 4)


def drawn(*, skill: tuple[float, ...] = (1.5, 1.4, 1.0), seed: int = 0) -> Judged:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, len(PERSON))
    panel = drawn_panel(truth, classes=3, skill=skill, seed=seed)
    return judged_of(panel, truth, PERSON, space=SPACE)


FOLD = np.arange(PEOPLE * 4) // 4 % 5


@pytest.mark.parametrize("plan", PLANS)
def test_the_answers_to_a_fold_do_not_know_the_truth_of_its_people(plan: Plan) -> None:
    given = drawn()
    plain = nested_answers(given.panel, given.truth, FOLD, plan)
    other = given.truth.copy()
    other[FOLD == 2] = np.random.default_rng(1).permutation(other[FOLD == 2])
    changed = nested_answers(given.panel, other, FOLD, plan)
    assert changed.rules[2].weights == plain.rules[2].weights
    assert changed.best[2] == plain.best[2]
    assert changed.answer[FOLD == 2].tolist() == plain.answer[FOLD == 2].tolist()
    if plain.probs is not None and changed.probs is not None:
        np.testing.assert_array_equal(changed.probs[FOLD == 2], plain.probs[FOLD == 2])


@pytest.mark.parametrize("plan", PLANS)
def test_each_fold_is_answered_by_the_rule_of_the_others(plan: Plan) -> None:
    given = drawn()
    nested = nested_answers(given.panel, given.truth, FOLD, plan)
    for fold, rule in enumerate(nested.rules):
        inside = np.equal(FOLD, fold)
        alone = plan.rule(given.panel.take(~inside), given.truth[~inside], FOLD[~inside])
        assert alone.weights == rule.weights
        answer = alone.blended(given.panel.take(inside)).answer
        assert nested.answer[inside].tolist() == answer.tolist()


def test_the_best_member_is_chosen_without_the_fold_that_it_answers() -> None:
    fold = np.repeat([0, 1, 2], 20)
    truth = np.tile([0, 1, 2, 1], 15)
    late = fold > 0
    overall, elsewhere = truth.copy(), truth.copy()
    overall[late & (np.arange(60) % 5 < 2)] += 1  # right on all of fold 0, and on 3 of 5 of the others
    elsewhere[~late | (np.arange(60) % 5 < 1)] += 1  # wrong on all of fold 0, right on 4 of 5 of the others
    panel = Panel([overall % 3, elsewhere % 3], None, 3)
    nested = nested_answers(panel, truth, fold, Plan("hard"))
    assert nested.best == (1, 0, 0)
    assert nested.best_answer[fold == 0].tolist() == panel.answers[1][fold == 0].tolist()


def test_scores_are_those_of_scikit_learn_and_gains_their_differences() -> None:
    given = drawn()
    found = fitted(given, Plan("soft"), FOLD, seed=0)
    answers = {
        "in_sample": found.rule.blended(given.panel).answer,
        "blend": found.nested.answer,
        "best": found.nested.best_answer,
        "equal": equal_vote("soft").blended(given.panel).answer,
    }
    scores = {name: f1_score(given.truth, answer, average="macro") for name, answer in answers.items()}
    assert found.in_sample == pytest.approx(scores["in_sample"])
    assert found.blend.value == pytest.approx(scores["blend"])
    assert found.over_best.value == pytest.approx(scores["blend"] - scores["best"])
    assert found.over_equal.value == pytest.approx(scores["blend"] - scores["equal"])
    assert found.over_best.low is not None
    assert found.over_best.high is not None
    assert found.over_best.low <= found.over_best.value <= found.over_best.high  # type: ignore[operator]
    alone = [f1_score(given.truth, answer, average="macro") for answer in given.panel.answers]
    assert [one.value for one in found.own] == pytest.approx(alone)


def test_weights_found_on_noise_look_better_than_they_are() -> None:
    gaps = []
    for seed in range(6):
        found = fitted(drawn(skill=(0.4,) * 8, seed=seed), Plan("soft"), FOLD, seed=seed)
        assert found.blend.value is not None
        gaps.append(found.in_sample - found.blend.value)
    assert min(gaps) > 0
    assert np.mean(gaps) > 0.03


def test_copies_of_one_member_gain_nothing_and_the_verdict_says_so() -> None:
    one = drawn()
    copies = judged_of(only(one.panel, [0, 0]), one.truth, PERSON, space=SPACE)
    found = fitted(copies, Plan("soft"), FOLD, seed=0)
    assert found.rule.weights == (1.0, 0.0)
    assert found.over_best.value == 0
    assert found.over_best.is_noise
    assert verdicts(found)[0].startswith("0.000 (97.5 % interval -0.0")
    assert verdicts(found)[0].endswith(" over the best single member: inside the noise")


def test_second_opinions_beat_the_best_member_by_more_than_noise() -> None:
    found = fitted(drawn(skill=(1.5,) * 6), Plan("soft"), FOLD, seed=0)
    assert found.over_best.low is not None
    assert found.over_best.low > 0
    assert verdicts(found)[0].endswith(": better than the noise")


@pytest.mark.parametrize("plan", PLANS)
def test_the_report_is_plain_json_that_names_every_member(plan: Plan) -> None:
    found = fitted(drawn(), plan, FOLD, seed=0)
    told = json.loads(json.dumps(ensemble_json(found, found.pairs, np.eye(3), found.names), allow_nan=False))
    assert [one["fitted_on"] for one in told["members"]] == list(found.names)
    if plan.vote != "stacking":
        assert sum(one["weight"] for one in told["members"]) == pytest.approx(1)
    assert len(told["pairs"]) == 3
    assert told["gain_on_other_people"]["over_best_member"]["value"] == found.over_best.value


def test_answers_only_are_weighed_by_a_hard_vote() -> None:
    given = drawn()
    answers = judged_of(Panel(given.panel.answers, None, 3), given.truth, PERSON, space=SPACE)
    found = fitted(answers, Plan("hard"), FOLD, seed=0)
    assert found.nested.probs is None
    assert found.in_sample >= max(one.value or 0 for one in found.own)
