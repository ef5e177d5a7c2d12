"""What a teacher's probabilities make of the targets, and whose answers may teach which fold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.header import Header
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.imaging.photos import find_photos
from maskkit.options.train_options import TrainOptions, parse_teacher
from maskkit.training.distilling import taught
from maskkit.training.fold import Fold
from maskkit.training.fold_rows import FoldRows

SMALL = Preprocess(32, 32, (0.5,) * 3, (0.25,) * 3, "bilinear")


def people_of(folds: Manifest, *numbers: int) -> list[str]:
    return sorted({folds.people.names[code] for code in folds.people.codes[np.isin(folds.folds, numbers)]})


def answers(manifest: Manifest, *, seen: Sequence[str] | None = None) -> Predictions:
    """Return a teacher's probabilities of these photos, by models that have seen some people."""
    probs = np.random.default_rng(0).dirichlet(np.ones(len(manifest.space)), len(manifest)).astype(np.float32)
    facts = {} if seen is None else {"seen": [Seen.of(seen, salt="s").to_json()]}
    header = Header("predictions", manifest.space, (), facts)
    names = tuple(manifest.space.names)
    return Predictions(manifest.table["path"], probs.argmax(1), probs, names, header=header)


def targets(rows: FoldRows, how: str) -> NDArray[np.float32]:
    soft = taught(Fold.of(rows, find_photos(rows.manifest, SMALL)), rows, parse_teacher(how)).soft
    assert soft is not None
    return soft


def test_a_target_lies_between_the_label_and_the_teachers_answer(folds: Manifest) -> None:
    teacher = answers(folds)
    soft = targets(FoldRows.of(folds, None, teacher=teacher), "x:weight=0.25,temperature=2")
    roots = np.sqrt(teacher.need_probs("test").astype(np.float64))
    evened = roots / roots.sum(axis=1, keepdims=True)
    labels = np.eye(len(folds.space))[folds.integers("target")]
    assert soft == pytest.approx(0.75 * labels + 0.25 * evened, abs=1e-6)


def test_photos_that_the_teacher_does_not_have_keep_their_labels(folds: Manifest) -> None:
    few = np.flatnonzero(folds.folds == 1)[:5]
    soft = targets(FoldRows.of(folds, None, teacher=answers(folds.select(few))), "x")
    assert np.flatnonzero(~np.isnan(soft).any(axis=1)).tolist() == few.tolist()


def test_a_soft_target_is_what_the_teachers_answer_is_added_to(folds: Manifest) -> None:
    own = np.full((len(folds), len(folds.space)), 1 / len(folds.space), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(own.ravel()), len(folds.space))
    given = folds.then("edit", {"target_probs": column})
    teacher = answers(given)
    soft = targets(FoldRows.of(given, None, teacher=teacher), "x:weight=0.5")
    assert soft == pytest.approx((own + teacher.need_probs("test")) / 2, abs=1e-6)


def test_a_teacher_of_other_photos_is_refused(folds: Manifest) -> None:
    held_out = folds.select(np.flatnonzero(folds.folds == 0))
    rows = FoldRows.of(folds, 0, teacher=answers(held_out, seen=["nobody here"]))
    with pytest.raises(MaskkitError, match="has none of the photos trained on"):
        targets(rows, "x")


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_is_taught_only_by_models_that_know_nobody_it_holds_out(folds: Manifest, fold: int) -> None:
    for held_out in range(3):
        seen = people_of(folds, *{0, 1, 2} - {held_out})
        if held_out == fold:
            FoldRows.of(folds, fold, teacher=answers(folds, seen=seen))
            continue
        with pytest.raises(RefusedError, match=f"people whom fold {fold} holds out") as caught:
            FoldRows.of(folds, fold, teacher=answers(folds, seen=seen))
        assert "--fold none" in caught.value.fix


def test_a_teacher_that_knows_one_of_them_is_refused(folds: Manifest) -> None:
    seen = [*people_of(folds, 1, 2), people_of(folds, 0)[0]]
    with pytest.raises(RefusedError, match="trained on 1 people whom fold 0 holds out"):
        FoldRows.of(folds, 0, teacher=answers(folds, seen=seen))


def test_out_of_fold_answers_teach_everybodys_model_and_no_folds(folds: Manifest) -> None:
    teacher = answers(folds)  # which says of nobody that a model has seen them
    FoldRows.of(folds, None, teacher=teacher)
    with pytest.raises(RefusedError, match="it is not known whom the models behind"):
        FoldRows.of(folds, 0, teacher=teacher)


@pytest.mark.parametrize("seen", [False, True])
def test_a_leak_that_is_allowed_is_warned_of_and_its_people_count_as_seen(
    folds: Manifest, seen: bool, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = answers(folds, seen=people_of(folds, 0) if seen else None)
    with caplog.at_level(logging.WARNING):
        rows = FoldRows.of(folds, 0, teacher=teacher, allow_leak=True)
    assert "the held-out score is inflated" in caplog.text
    assert rows.people_seen().contains(people_of(folds, 0)).all()
    own = FoldRows.of(folds, 0, teacher=answers(folds, seen=people_of(folds, 1, 2)))
    assert not own.people_seen().contains(people_of(folds, 0)).any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("oof.parquet:weight=2", "weight is a number from 0.001 to 1"),
        ("oof.parquet:temperature=0", "temperature is a number from 0.1 to 100"),
        ("oof.parquet:heat=2", "has no setting 'heat'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(text: str, says: str, quick: TrainOptions) -> None:
    with pytest.raises(MaskkitError, match=says) as caught:
        replace(quick, teacher=text)
    assert "--teacher" in str(caught.value)
