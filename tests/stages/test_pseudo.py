"""Pseudo labels from predictions to a manifest, and to a model that has learnt them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import draw_people, some_people

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.imaging.roots import photo_files
from maskkit.labels import HOME
from maskkit.options.train_options import TrainOptions
from maskkit.pseudo_labelling.selection import Selection
from maskkit.stages.label import label
from maskkit.stages.pseudo import pseudo
from maskkit.stages.split import split
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows

PHOTOS = 28


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """28 photos of four people who are in no other manifest."""
    return label(draw_people(tmp_path_factory.mktemp("others"), some_people(4, first=900)))


def predicted(photos: Manifest, probs: np.ndarray, folds: Manifest, *, fold: int = 0) -> Predictions:
    """Predictions of a model of this fold."""
    people = {folds.people.names[code] for code in folds.people.codes[folds.folds != fold]}
    facts = {"seen": [Seen.of(people, salt="salt").to_json()], "leaked": 0}
    header = Header("predictions", HOME, (), facts)
    probs = probs.astype(np.float32)
    classes = tuple(HOME.names)
    return Predictions(photos.table["path"], probs.argmax(1), probs, classes, header=header)


def confident(answers: list[int], confidence: list[float]) -> np.ndarray:
    probs = np.repeat((1 - np.array(confidence))[:, None] / 17, 18, axis=1)
    probs[np.arange(len(answers)), answers] = confidence
    return probs


@pytest.fixture
def some(others: Manifest, folds: Manifest) -> Predictions:
    """Answers 0, 1, 2, 0, 1, ... with confidences from 0.46 to 1, rising."""
    answers = [row % 3 for row in range(PHOTOS)]
    return predicted(others, confident(answers, [0.46 + 0.02 * row for row in range(PHOTOS)]), folds)


def reread(manifest: Manifest) -> Manifest:
    return Manifest.read(Source("p.parquet", manifest.to_bytes()))


def test_adds_confident_photos_as_rows_that_are_never_held_out(
    folds: Manifest, others: Manifest, some: Predictions
) -> None:
    result = pseudo(folds, some, others, which=Selection("0.9,wear/male/60plus:0.7"), weight="confidence:0.5")
    made = reread(result.manifest)
    before = made.table.slice(0, len(folds)).select(folds.table.column_names)
    assert before.to_pylist() == folds.table.to_pylist()
    added = made.table.slice(len(folds))
    rows = [14, 17, 20, 22, 23, 24, 25, 26, 27]  # from 0.74 those of class 2, from 0.9 the others
    assert added["target"].to_pylist() == [row % 3 for row in rows]
    np.testing.assert_allclose(added["weight"].to_numpy(), [(0.46 + 0.02 * row) / 2 for row in rows], 1e-6)
    assert added["person_id"].to_pylist() == [others.table["person_id"][row].as_py() for row in rows]
    assert set(added["origin"].to_pylist()) == {"pseudo"}
    assert set(added["fold"].to_pylist()) == {-1}
    assert set(added["for_fold"].to_pylist()) == {0}
    for column in ("label", "mask", "gender", "age"):
        assert added[column].null_count == len(rows), column
    assert photo_files(made)[len(folds) :] == [photo_files(others)[row] for row in rows]
    assert result.folds == (0,)


def test_remembers_where_the_labels_come_from(folds: Manifest, others: Manifest, some: Predictions) -> None:
    record = pseudo(folds, some, others, which=Selection(share=0.5)).manifest.header.history[-1]
    assert [item.sha256 for item in record.inputs] == [
        item.as_input().sha256 for item in (folds, some, others)
    ]
    assert [item.option for item in record.inputs] == [None, None, "unlabeled"]
    assert record.options["share"] == 0.5
    assert record.options["threshold"] is None
    again = Header.from_json(reread(pseudo(folds, some, others).manifest).header.to_json(), name="x")
    assert again.history[-1].found["for_fold"] == [0]


def test_gives_the_same_bytes_again(folds: Manifest, others: Manifest, some: Predictions) -> None:
    first, second = (pseudo(folds, some, others, targets="soft").manifest.to_bytes() for _ in range(2))
    assert first.equals(second)


def test_counts_what_came_of_each_class(folds: Manifest, others: Manifest, some: Predictions) -> None:
    first, second, *rest = pseudo(folds, some, others, which=Selection("0.95")).tallies
    labels = folds.labels[folds.folds != 0]
    assert (first.name, first.labelled) == (HOME.names[0], int((labels == 0).sum()))
    assert (first.photos, first.chosen, second.chosen) == (10, 1, 1)
    assert first.least == pytest.approx(1.0)
    assert sum(one.chosen for one in rest) == 1
    assert rest[-1].least is None


def test_soft_targets_are_the_probabilities(folds: Manifest, others: Manifest, some: Predictions) -> None:
    made = reread(pseudo(folds, some, others, targets="soft").manifest)
    assert some.probs is not None
    column = made.table["target_probs"]
    assert column.null_count == len(folds)
    assert column.slice(len(folds)).to_pylist() == some.probs[22:].tolist()
    assert made.table["target"].slice(len(folds)).to_pylist() == some.probs[22:].argmax(1).tolist()


def test_rows_that_had_soft_targets_keep_them(folds: Manifest, others: Manifest, some: Predictions) -> None:
    own = np.full((len(folds), len(HOME)), 1 / len(HOME), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(own.ravel()), len(HOME))
    given = folds.then("edit", {"target_probs": column})
    for targets in ("soft", "hard"):
        made = reread(pseudo(given, some, others, targets=targets).manifest).table["target_probs"]
        assert made.slice(0, len(folds)).to_pylist() == own.tolist()
        assert made.null_count == (0 if targets == "soft" else len(made) - len(folds))


def test_the_most_confident_have_the_classes_of_the_labels_of_the_fold(
    folds: Manifest, others: Manifest
) -> None:
    answers = [0] * 14 + [3] * 14
    given = predicted(others, confident(answers, [0.5 + row / 100 for row in range(PHOTOS)]), folds)
    made = pseudo(folds, given, others, which=Selection(share=1)).manifest
    counts = np.bincount(made.integers("target")[len(folds) :], minlength=18)
    labels = np.bincount(folds.labels[folds.folds != 0], minlength=18)
    exact = PHOTOS * labels / labels.sum()
    assert np.abs(counts - exact)[[0, 3]].max() < 1
    assert counts.sum() == counts[0] + counts[3]


def test_photos_of_people_whom_a_fold_holds_out_and_labelled_ones_are_left_out(
    folds: Manifest, others: Manifest
) -> None:
    person = folds.table["person_id"][0].as_py()
    people = pa.array([person] * 7 + others.table["person_id"].to_pylist()[7:])
    mixed = replace(others, table=others.table.set_column(1, "person_id", people))
    given = predicted(others, confident([0] * PHOTOS, [0.99] * PHOTOS), folds)
    made = reread(pseudo(folds, given, mixed).manifest)
    assert len(made) == len(folds) + PHOTOS - 7
    with pytest.raises(MaskkitError, match="predicts no photo that could be given a label"):
        pseudo(folds, predicted(folds, confident([0] * 168, [0.99] * 168), folds))


def test_photos_of_the_manifest_itself_get_their_target_in_place(labels: Manifest) -> None:
    """One folder, of which only some photos have a label."""
    unknown = np.isin(labels.table["person_id"].to_numpy(), ["000003", "000004"])
    table = labels.table
    for name in ("label", "target"):
        column = pa.array(labels.integers(name).astype(np.int16), mask=unknown)
        table = table.set_column(table.column_names.index(name), name, column)
    partly = split(replace(labels, table=table, source=None), folds=3)
    given = predicted(partly.select(unknown), confident([5] * 14, [0.95] * 14), partly)
    made = reread(pseudo(partly, given).manifest)
    assert made.paths == labels.paths
    assert (made.integers("target")[unknown] == 5).all()
    assert (made.folds[unknown] == -1).all()
    assert (made.labels[unknown] == -1).all()
    assert made.table["mask"].equals(partly.table["mask"])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"probs": None}, "has answers only"),
        ({"classes": ("a", *HOME.names[1:])}, "have different classes"),
        ({"path": pa.chunked_array([[f"x{row}" for row in range(PHOTOS)]])}, "28 photos that are not in"),
    ],
)
def test_predictions_that_do_not_fit_are_an_error(
    folds: Manifest, others: Manifest, some: Predictions, change: dict[str, Any], what: str
) -> None:
    with pytest.raises(MaskkitError, match=what):
        pseudo(folds, replace(some, **change), others)


def test_nothing_confident_enough_is_an_error(folds: Manifest, others: Manifest, some: Predictions) -> None:
    dull = predicted(others, confident([0] * PHOTOS, [0.6] * PHOTOS), folds)
    with pytest.raises(MaskkitError, match="no photo is confident enough") as caught:
        pseudo(folds, dull, others)
    assert "has 0.6" in caught.value.why
    with pytest.raises(MaskkitError, match=r"--share 0\.01 of 28 photos is none"):
        pseudo(folds, some, others, which=Selection(share=0.01))


def test_boxes_come_from_the_photos_and_have_to_be_there(
    folds: Manifest, others: Manifest, some: Predictions
) -> None:
    boxed = folds.then("x", {"box": pa.array([[0.1, 0.1, 0.9, 0.9]] * len(folds), pa.list_(pa.float32(), 4))})
    with pytest.raises(MaskkitError, match="has no box") as caught:
        pseudo(boxed, some, others)
    assert "maskkit crop" in caught.value.fix
    boxes = pa.array([[0.2, 0.2, 0.8, 0.8]] * PHOTOS, pa.list_(pa.float32(), 4))
    made = pseudo(boxed, some, others.then("x", {"box": boxes})).manifest
    assert made.table["box"][len(folds)].as_py() == pytest.approx([0.2, 0.2, 0.8, 0.8])


def test_a_new_split_bars_labels_that_were_for_other_folds(
    folds: Manifest, others: Manifest, some: Predictions
) -> None:
    again = split(pseudo(folds, some, others).manifest, folds=2, seed=3)
    assert set(again.folds[len(folds) :].tolist()) == {-1}
    assert set(again.integers("for_fold", null=-2)[len(folds) :].tolist()) == {-1}
    assert set(again.integers("for_fold", null=-2)[: len(folds)].tolist()) == {-2}


def weights_of(manifest: Manifest, path: Path, quick: TrainOptions) -> dict[str, Any]:
    return dict(Checkpoint.read(train(FoldRows.of(manifest, 0), path, options=quick)).weights())


def test_hard_and_soft_targets_teach_otherwise_and_a_certain_soft_one_is_a_hard_one(
    folds: Manifest, others: Manifest, some: Predictions, quick: TrainOptions, tmp_path: Path
) -> None:
    certain = predicted(others, np.eye(18)[np.arange(PHOTOS) % 3], folds)
    made = {
        "hard": pseudo(folds, certain, others, which=Selection("0.4")),
        "certain": pseudo(folds, certain, others, which=Selection("0.4"), targets="soft"),
        "soft": pseudo(folds, some, others, which=Selection("0.4"), targets="soft"),
    }
    taught = {
        name: weights_of(one.manifest, tmp_path / f"{name}.safetensors", quick) for name, one in made.items()
    }
    assert all(bool((value == taught["certain"][name]).all()) for name, value in taught["hard"].items())
    assert any(bool((value != taught["soft"][name]).any()) for name, value in taught["hard"].items())


def test_no_fold_may_train_on_labels_of_all_models(
    folds: Manifest, others: Manifest, some: Predictions
) -> None:
    everyone = [Seen.of(folds.people.names, salt="x").to_json()]
    given = replace(some, header=replace(some.header, facts={"seen": everyone}))
    with pytest.raises(RefusedError, match="no fold may train"):
        pseudo(folds, given, others)
    assert pseudo(folds, given, others, allow_leak=True).folds == (-1,)
