from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from members import out_of_fold
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import check_counterparts, common_fold


def member(manifest: Manifest, number: int, **facts: object) -> Predictions:
    return out_of_fold(manifest, skill=3, seed=number, name=f"m{number}.parquet", **facts)


def rows_of(predictions: Predictions, rows: np.ndarray) -> Predictions:
    assert predictions.probs is not None
    assert predictions.fold is not None
    return replace(
        predictions,
        path=predictions.path.take(pa.array(rows)),
        answer=predictions.answer[rows],
        probs=predictions.probs[rows],
        fold=predictions.fold[rows],
    )


def test_matches_by_path_whatever_the_order_of_rows(folds: Manifest) -> None:
    given = [member(folds, number) for number in range(2)]
    shuffled = rows_of(given[1], np.random.default_rng(0).permutation(len(folds)))
    judged = Judged.of(folds, [given[0], shuffled], "same")
    assert judged.truth.tolist() == folds.labels.tolist()
    assert judged.panel.answers[1].tolist() == given[1].answer.tolist()
    assert judged.fold is not None
    assert judged.fold.tolist() == folds.folds.tolist()


def test_a_fold_that_members_do_not_share_is_unknown(folds: Manifest) -> None:
    first, other = member(folds, 0), member(folds, 1)

    def fold(fold: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
        judged = Judged.of(folds, [first, replace(other, fold=fold)], "same")
        return common_fold(judged.given, judged.place)

    differing = fold((folds.folds + 1) % 3)
    assert differing is not None
    assert set(differing.tolist()) == {-1}
    assert fold(None) is None


def test_members_that_answer_for_other_photos_are_an_error(folds: Manifest) -> None:
    fewer = rows_of(member(folds, 1), np.arange(len(folds) - 7))
    with pytest.raises(MaskkitError, match=r"m1\.parquet has other photos than m0\.parquet") as caught:
        Judged.of(folds, [member(folds, 0), fewer], "same")
    assert "161 labelled photos against 168" in caught.value.why


def test_members_that_answer_for_no_photo_of_the_manifest_are_an_error(folds: Manifest) -> None:
    stranger = replace(member(folds, 0), path=pa.chunked_array([[f"{row}.jpg" for row in range(len(folds))]]))
    with pytest.raises(MaskkitError, match="has 168 photos that are not in"):
        Judged.of(folds, [stranger], "same")


def test_a_member_that_saw_the_people_is_refused(folds: Manifest) -> None:
    seen = Seen.of(folds.people.names[:2], salt="s")
    knowing = member(folds, 1, seen=[seen.to_json()])
    with pytest.raises(RefusedError, match=r"m1\.parquet were trained on 2 people"):
        Judged.of(folds, [member(folds, 0), knowing], "same").unseen()
    assert len(Judged.of(folds, [knowing], "same").unseen(allow_leak=True).truth) == len(folds)


def test_a_csv_is_taken_on_trust_and_this_is_said(folds: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    csv = Predictions.read(Source("a.csv", pa.py_buffer(member(folds, 0).encode("csv"))))
    Judged.of(folds, [csv], "same")
    assert "a CSV does not say whom its model has seen: a.csv" in caplog.text


def test_photos_without_a_person_are_warned_about(folds: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    column = folds.table.column_names.index("person_id")
    nobody = pa.nulls(len(folds), pa.string())
    unknown = replace(folds, table=folds.table.set_column(column, "person_id", nobody))
    judged = Judged.of(unknown, [member(folds, 0)], "same")
    assert set(judged.person.tolist()) == {-1}
    assert "168 photos name no person" in caplog.text


def test_weights_are_given_to_the_models_they_were_found_for(folds: Manifest) -> None:
    first, second = member(folds, 0), member(folds, 1)
    check_counterparts([first, second], [first, second])
    with pytest.raises(MaskkitError, match="come from other models") as caught:
        check_counterparts([first, second], [second, first])
    assert "m0.parquet has the models of m0.parquet" in caught.value.fix
    with pytest.raises(MaskkitError, match="come from other models") as caught:
        check_counterparts([first], [second])
    assert "the same checkpoints" in caught.value.fix


def test_a_csv_may_stand_for_any_model(folds: Manifest) -> None:
    csv = Predictions.read(Source("a.csv", pa.py_buffer(member(folds, 0).encode("csv"))))
    check_counterparts([csv], [member(folds, 1)])
    check_counterparts([member(folds, 1)], [csv])
    assert csv.header.history == ()


def test_weights_of_answers_that_agreed_are_not_those_of_answers_that_did_not(folds: Manifest) -> None:
    plain, agreed = (
        member(folds, 0),
        member(folds, 0, consensus={"by": "person", "factors": ["age"], "people": 3, "photos": 9}),
    )
    with pytest.raises(MaskkitError, match="adjusted differently") as caught:
        check_counterparts([plain], [agreed])
    assert caught.value.why.startswith("by nothing against a consensus")


def test_brings_truth_and_answers_into_one_order(folds: Manifest) -> None:
    order = np.random.default_rng(0).permutation(len(folds))
    shuffled = Predictions(folds.table["path"].take(order), folds.labels[order])
    judged = Judged.of(folds, [shuffled], "whole folds")
    assert np.array_equal(judged.truth, judged.answer)
    assert np.array_equal(judged.place[0][judged.rows], np.argsort(order))
    assert judged.fold is not None
    assert np.array_equal(judged.fold, folds.folds)
