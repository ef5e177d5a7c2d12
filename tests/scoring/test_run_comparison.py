from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.runs import Run
from maskkit.artifacts.seen import Seen
from maskkit.artifacts.trained import Trained
from maskkit.scoring.judged import Judged
from maskkit.scoring.run_comparison import held_out, same_folds
from maskkit.stages.split import split

UNKNOWN: frozenset[str] = frozenset()


def trained_on(manifest: Manifest, numbers: list[int], *, without: int = 0, salt: str = "a") -> Run:
    """A run that was trained on each fold but one, and on none of the first few people."""
    ignored = manifest.people.names[:without]
    folds = []
    for number in numbers:
        people = manifest.people.codes[manifest.folds != number]
        names = {manifest.people.names[code] for code in people} - set(ignored)
        folds.append(Trained(Path(f"fold{number}"), number, {}, seen=Seen.of(names, salt=salt)))
    return Run("run", tuple(folds))


@pytest.mark.parametrize("numbers", [[0, 1, 2], [1]])
def test_checkpoints_of_other_manifests_are_known_by_their_people(
    folds: Manifest, labels: Manifest, numbers: list[int]
) -> None:
    first, second = trained_on(folds, numbers), trained_on(folds, numbers, salt="b")
    other = trained_on(split(labels, folds=3, seed=1), numbers)
    people = [held_out(run, folds) for run in (first, second, other)]
    assert {number: mask.sum() for number, mask in people[0].items()} == dict.fromkeys(numbers, 8)
    assert same_folds(people[:2], [UNKNOWN, UNKNOWN])
    assert not same_folds([people[0], people[2]], [UNKNOWN, UNKNOWN])
    assert not same_folds(people, [UNKNOWN] * 3)


@pytest.mark.parametrize("numbers", [[0, 1, 2], [1]])
def test_people_left_out_of_one_training_do_not_make_other_folds(folds: Manifest, numbers: list[int]) -> None:
    people = [held_out(trained_on(folds, numbers, without=few), folds) for few in (0, 4)]
    assert same_folds(people, [UNKNOWN, UNKNOWN])


def test_predictions_know_which_fold_spoke(folds: Manifest, labels: Manifest) -> None:
    def by_predictions(manifest: Manifest) -> Mapping[int, NDArray[np.bool_]]:
        predictions = Predictions(folds.table["path"], folds.labels, fold=manifest.folds)
        judged = Judged.of(folds, [predictions], "common")
        return held_out(Run("oof", (), predictions), folds, judged)

    own = held_out(trained_on(folds, [0, 1, 2]), folds)
    assert same_folds([own, by_predictions(folds)], [UNKNOWN, UNKNOWN])
    assert not same_folds([own, by_predictions(split(labels, folds=3, seed=1))], [UNKNOWN, UNKNOWN])


def test_one_manifest_has_one_deal_and_without_names_nothing_else_is_known(folds: Manifest) -> None:
    nobody = [held_out(trained_on(folds, [0, 1]), None)] * 2
    assert same_folds(nobody, [frozenset("a"), frozenset("a")])
    assert not same_folds(nobody, [frozenset("a"), frozenset("b")])
    assert not same_folds(nobody, [UNKNOWN, UNKNOWN])
    assert not same_folds(nobody, [frozenset("ab"), frozenset("a")])


def test_runs_without_a_fold_in_common_are_not_known_to_be_alike(folds: Manifest) -> None:
    people = [held_out(trained_on(folds, [number]), folds) for number in (0, 1)]
    assert not same_folds(people, [UNKNOWN, UNKNOWN])
    history = Run("h", (Trained(Path("fold0.history.csv"), 0, {}),))
    assert held_out(history, folds) == {}
    assert np.array_equal(people[0][0], held_out(trained_on(folds, [0]), folds)[0])
