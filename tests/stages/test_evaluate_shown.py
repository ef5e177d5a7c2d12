"""The photos that `evaluate` gives a page to show."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from test_evaluate import said_of
from trainings import some_answers

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.scoring.shown_photos import MOST_RIGHT, ShownPhoto
from maskkit.stages.evaluate import evaluate

ALL = 10_000


@pytest.fixture
def predictions(folds: Manifest) -> Predictions:
    probs = some_answers(folds, right=0.6)
    probs += np.random.default_rng(1).dirichlet(np.ones(probs.shape[1]), len(probs)).astype(np.float32) / 3
    return said_of(folds, probs / probs.sum(1, keepdims=True))


def cell(one: ShownPhoto) -> tuple[str, str]:
    return "/".join(one.truth), "/".join(one.answer)


def test_none_is_chosen_unless_asked(folds: Manifest, predictions: Predictions) -> None:
    assert evaluate(folds, predictions).shown == ()
    assert "shown" not in evaluate(folds, predictions, most_shown=ALL).to_json()


def test_all_mistakes_and_a_few_right_predictions_of_each_class_are_shown(
    folds: Manifest, predictions: Predictions
) -> None:
    found = evaluate(folds, predictions, most_shown=ALL)
    confusion, names = np.array(found.scores.confusion), folds.space.names
    shown = Counter(map(cell, found.shown))
    for truth, answer in np.ndindex(confusion.shape):
        most = MOST_RIGHT if truth == answer else ALL
        assert shown[names[truth], names[answer]] == min(confusion[truth, answer], most)
    paths = [one.path for one in found.shown]
    assert len(set(paths)) == len(paths)


def test_the_worst_of_each_cell_come_first_and_mistakes_before_what_is_right(
    folds: Manifest, predictions: Predictions
) -> None:
    shown = evaluate(folds, predictions, most_shown=ALL).shown
    assert [one.is_right for one in shown] == sorted(one.is_right for one in shown)
    for pair in set(map(cell, shown)):
        places = [place for place, one in enumerate(shown) if cell(one) == pair]
        assert places == list(range(places[0], places[-1] + 1))  # side by side
        chances = [shown[place].truth_probability or 0 for place in places]
        assert chances == sorted(chances)


def test_where_there_is_room_for_few_each_cell_has_one_before_any_has_two(
    folds: Manifest, predictions: Predictions
) -> None:
    everything = evaluate(folds, predictions, most_shown=ALL).shown
    cells = set(map(cell, everything))
    few = evaluate(folds, predictions, most_shown=len(cells)).shown
    assert Counter(map(cell, few)) == dict.fromkeys(cells, 1)
    assert [one for one in everything if one in few] == list(few)
    assert len(evaluate(folds, predictions, most_shown=len(cells) + 3).shown) == len(cells) + 3


def test_says_where_a_photo_is_counted(folds: Manifest, predictions: Predictions) -> None:
    rows = {path: row for row, path in enumerate(folds.paths)}
    people, names = folds.table["person_id"].to_pylist(), folds.space.names
    assert predictions.probs is not None
    for one in evaluate(folds, predictions, by=["age:10", "gender,mask"], most_shown=50).shown:
        row = rows[one.path]
        assert (one.person, one.fold) == (people[row], folds.folds[row])
        assert "/".join(one.truth) == names[folds.labels[row]]
        assert one.confidence == predictions.probs[row].max()
        assert one.truth_probability == predictions.probs[row][folds.labels[row]]
        assert one.slices["gender,mask"] == f"{one.truth[1]}/{one.truth[0]}"
        low, _, high = one.slices["age:10"].partition("-")
        assert int(low) <= folds.table["age"][row].as_py() <= int(high)


def test_predictions_without_probabilities_have_photos_too(folds: Manifest, predictions: Predictions) -> None:
    bare = replace(predictions, probs=None)
    shown = evaluate(folds, bare, most_shown=20).shown
    assert len(shown) == 20
    assert {one.confidence for one in shown} == {None}
