"""Which folds may train on labels, from whom the models behind them have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import RefusedError
from maskkit.labels import HOME
from maskkit.pseudo_labelling.ancestry import folds_to_train, model_folds


def people_of(folds: Manifest, *numbers: int) -> set[str]:
    return {folds.people.names[code] for code in folds.people.codes[np.isin(folds.folds, numbers)]}


def predictions(
    *seen: set[str],
    fold: list[int] | None = None,
    trained: Sequence[tuple[int, str]] = (),
    leaked: int = 0,
) -> Predictions:
    """Two predicted photos, by models that have seen these people, or were trained by (fold, digest)."""
    facts = {"seen": [Seen.of(people, salt=f"s{index}").to_json() for index, people in enumerate(seen)]}
    history = tuple(Record("train", {"fold": number}, (Input("m", digest),)) for number, digest in trained)
    header = Header("predictions", HOME, history, (facts if seen else {}) | {"leaked": leaked})
    folds = None if fold is None else np.array(fold)
    return Predictions(pa.array(["a.jpg", "b.jpg"]), np.array([0, 1]), fold=folds, header=header)


def test_labels_of_one_folds_model_are_for_that_fold(folds: Manifest) -> None:
    for number in range(3):
        others = people_of(folds, *{0, 1, 2} - {number})
        assert folds_to_train(folds, predictions(others)).tolist() == [number, number]


def test_who_was_seen_counts_and_not_the_number_of_the_fold(folds: Manifest) -> None:
    given = predictions(people_of(folds, 0, 1), fold=[0, 0], trained=[(0, "another split")])
    assert folds_to_train(folds, given).tolist() == [2, 2]
    one = {next(iter(people_of(folds, 2)))}
    with pytest.raises(RefusedError):
        folds_to_train(folds, predictions(people_of(folds, 0, 1) | one, fold=[2, 2]))


def test_labels_of_models_that_have_seen_nobody_here_are_for_all(folds: Manifest) -> None:
    assert folds_to_train(folds, predictions({"somebody else"})).tolist() == [-2, -2]


def test_of_several_clean_folds_the_lowest_is_named(
    folds: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    assert folds_to_train(folds, predictions(people_of(folds, 1))).tolist() == [0, 0]
    assert "folds 0, 2 could train on these labels" in caplog.text


def test_an_average_of_several_folds_models_is_refused_unless_leaks_are_allowed(folds: Manifest) -> None:
    both = [people_of(folds, 1, 2), people_of(folds, 0, 2)]
    given = predictions(*both, trained=[(0, "x"), (1, "x")])
    assert model_folds(given) == [0, 1]
    with pytest.raises(RefusedError, match="no fold may train") as caught:
        folds_to_train(folds, given)
    assert "folds 0, 1" in caught.value.why
    assert folds_to_train(folds, given, allow_leak=True).tolist() == [-1, -1]


def test_out_of_fold_predictions_are_for_the_fold_of_their_model_if_it_knew_these_folds(
    folds: Manifest,
) -> None:
    here = folds.as_input().sha256
    known = [(0, here), (1, here)]
    assert folds_to_train(folds, predictions(fold=[1, 0], trained=known)).tolist() == [1, 0]
    with pytest.raises(RefusedError, match="several folds' models answer for 1 photos"):
        folds_to_train(folds, predictions(fold=[1, -1], trained=known))
    for unknown in (
        predictions(fold=[1, 0], trained=[(0, here), (1, "another")]),
        predictions(fold=[1, 0], trained=known, leaked=1),
        predictions(fold=[1, 0]),
        predictions(),
    ):
        with pytest.raises(RefusedError, match="not known on whom"):
            folds_to_train(folds, unknown)
        assert folds_to_train(folds, unknown, allow_leak=True).tolist() == [-1, -1]


def test_a_history_that_says_too_little_is_not_trusted(folds: Manifest) -> None:
    history = (Record("train", {}), Record("train", {"fold": 1}))
    given = replace(predictions(fold=[0, 0]), header=Header("predictions", HOME, history))
    assert model_folds(given) == [1]
    with pytest.raises(RefusedError, match="it is not known on whom"):
        folds_to_train(folds, given)


def test_a_model_of_everybody_names_neither_a_fold_nor_those_of_the_models_it_was_made_like() -> None:
    fold = Record("train", {"fold": 2}, (Input("m", "ab" * 32),))
    like = Input("run/fold2.safetensors", "cd" * 32, made_by=fold.id, option="like")
    everybodys = Record("train", {"fold": "none:until=3"}, (Input("m", "ab" * 32), like))
    header = Header("predictions", HOME, (fold, everybodys))
    assert model_folds(Predictions(pa.array(["a.jpg"]), np.array([0]), header=header)) == []
    both = Header("predictions", HOME, (replace(fold, options={"fold": 1}), *header.history))
    assert model_folds(Predictions(pa.array(["a.jpg"]), np.array([0]), header=both)) == [1]
