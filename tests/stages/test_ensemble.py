from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.predictions import Form, Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError, RefusedError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.stages.ensemble import ensemble

PAIR = LabelSpace((Factor("mask", ("on", "off", "low")),))
IDS = ["b.jpg", "a.jpg", "c.jpg", "d.jpg"]
FORMS: list[Form] = ["parquet", "csv", "submission"]


def member(
    probs: Sequence[Sequence[float]] | NDArray[np.floating],
    *,
    ids: Sequence[str] = IDS,
    name: str = "model",
    space: LabelSpace = PAIR,
    **facts: object,
) -> Predictions:
    """Predictions of three classes, as read from a Parquet file."""
    values = np.asarray(probs, np.float32)
    made = Predictions(
        path=pa.chunked_array([pa.array(list(ids))]),
        answer=values.argmax(1),
        probs=values,
        classes=tuple(space.names),
        fold=np.zeros(len(values), np.int64),
        header=Header("predictions", space, (Record("predict", {"name": name}),), facts),
    )
    return Predictions.read(source_of(made, "parquet", name))


def source_of(predictions: Predictions, form: Form, name: str) -> Source:
    return Source(name, pa.py_buffer(predictions.encode(form)))


def as_form(predictions: Predictions, form: Form) -> Predictions:
    return Predictions.read(source_of(predictions, form, f"{predictions.name}.{form}"))


def answers(result: Predictions) -> dict[str, int]:
    return dict(zip(result.path.to_pylist(), result.answer.tolist(), strict=True))


FIRST = member([[0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]], name="first")
SECOND = member([[0.1, 0.9, 0.0], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.4, 0.6, 0.0]], name="second")
THIRD = member([[0.2, 0.8, 0.0], [0.5, 0.3, 0.2], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]], name="third")


def shuffled(predictions: Predictions, order: Sequence[int], form: Form = "parquet") -> Predictions:
    rows = np.array(order)
    assert predictions.probs is not None
    return as_form(
        replace(
            predictions,
            path=predictions.path.take(pa.array(rows)),
            answer=predictions.answer[rows],
            probs=predictions.probs[rows],
            fold=None if predictions.fold is None else predictions.fold[rows],
        ),
        form,
    )


@pytest.mark.parametrize("form", FORMS)
def test_votes_by_id_whatever_the_order_of_rows(form: Form) -> None:
    members = [FIRST, shuffled(SECOND, [3, 0, 2, 1], form), shuffled(THIRD, [1, 2, 3, 0], form)]
    result = ensemble(members).predictions
    assert result.path.to_pylist() == IDS  # of the first member
    tie = 0 if form == "submission" else 1  # of d.jpg: by the earliest member, or by the probabilities
    assert answers(result) == {"b.jpg": 1, "a.jpg": 1, "c.jpg": 2, "d.jpg": tie}


def test_a_hard_vote_goes_to_the_most_votes() -> None:
    # The mean of the probabilities of b.jpg is 0.5 for class 0; two of three members answer 1.
    certain = member([[0.99, 0.01, 0]], ids=["b.jpg"])
    unsure = member([[0.45, 0.55, 0]], ids=["b.jpg"])
    other = member([[0.4, 0.6, 0]], ids=["b.jpg"])
    assert answers(ensemble([certain, unsure, other]).predictions) == {"b.jpg": 1}
    assert answers(ensemble([certain, unsure, other], vote="soft").predictions) == {"b.jpg": 0}


def test_a_tie_goes_to_the_larger_sum_of_probabilities_if_all_have_them() -> None:
    result = ensemble([FIRST, SECOND])
    assert result.ties == 2  # b.jpg: 0 against 1, sums 0.7 and 1.3; d.jpg: 0 against 1, sums 0.9 and 0.9
    assert answers(result.predictions)["b.jpg"] == 1
    assert answers(result.predictions)["d.jpg"] == 0  # equal sums: the earliest member


def test_a_tie_goes_to_the_earliest_member_without_probabilities() -> None:
    submission = as_form(SECOND, "submission")
    assert answers(ensemble([FIRST, submission]).predictions)["b.jpg"] == 0
    assert answers(ensemble([submission, FIRST]).predictions)["b.jpg"] == 1


def test_weights_are_votes() -> None:
    assert answers(ensemble([FIRST, SECOND, THIRD], weights=[3, 1, 1]).predictions) == answers(FIRST)
    assert ensemble([FIRST, SECOND], weights=[2, 1]).ties == 0


def test_a_soft_vote_is_the_weighted_mean() -> None:
    result = ensemble([FIRST, shuffled(THIRD, [2, 0, 3, 1], "csv")], vote="soft", weights=[1, 3]).predictions
    assert FIRST.probs is not None
    assert THIRD.probs is not None
    assert result.probs == pytest.approx(0.25 * FIRST.probs + 0.75 * THIRD.probs, abs=1e-6)
    assert result.answer.tolist() == result.probs.argmax(1).tolist()


def test_a_soft_vote_needs_probabilities_of_all_and_names_who_has_none() -> None:
    with pytest.raises(MaskkitError, match=r"no probabilities in second\.submission") as caught:
        ensemble([FIRST, as_form(SECOND, "submission")], vote="soft")
    assert "--vote hard" in caught.value.fix


@pytest.mark.parametrize("weights", [[1.0], [1, -1], [0, 0], [1, float("nan")]])
def test_weights_that_do_not_fit_are_an_error(weights: list[float]) -> None:
    with pytest.raises(MaskkitError, match="cannot weigh 2 models"):
        ensemble([FIRST, SECOND], weights=weights)


def test_shows_how_often_members_agree() -> None:
    assert ensemble([FIRST, SECOND]).agreement.tolist() == [[1, 0.5], [0.5, 1]]


@pytest.mark.parametrize("form", FORMS)
def test_missing_and_foreign_photos_are_an_error_with_examples(form: Form) -> None:
    assert SECOND.probs is not None
    other = as_form(member(SECOND.probs, ids=["b.jpg", "a.jpg", "x.jpg", "y.jpg"], name="other"), form)
    with pytest.raises(MaskkitError, match=rf"other\.{form} has other photos than first") as caught:
        ensemble([FIRST, other])
    assert caught.value.why == "2 missing: c.jpg, d.jpg; 2 foreign: x.jpg, y.jpg"


def test_a_member_with_fewer_images_is_an_error_in_either_order() -> None:
    fewer = shuffled(SECOND, [0, 1, 2])
    with pytest.raises(MaskkitError) as caught:
        ensemble([FIRST, fewer])
    assert caught.value.why == "1 missing: d.jpg"
    with pytest.raises(MaskkitError) as caught:
        ensemble([fewer, FIRST])
    assert caught.value.why == "1 foreign: d.jpg"


def test_an_image_that_is_named_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("ImageID,ans\na.jpg,1\nb.jpg,2\na.jpg,1\n")
    with pytest.raises(MaskkitError, match=r"names photos twice: a\.jpg"):
        Predictions.read(path)


def test_other_class_names_are_an_error_that_shows_the_first() -> None:
    renamed = LabelSpace((Factor("mask", ("on", "none", "low")),))
    assert SECOND.probs is not None
    other = as_form(member(SECOND.probs, space=renamed, name="other"), "csv")
    with pytest.raises(MaskkitError, match=r"first and other\.csv have different classes") as caught:
        ensemble([FIRST, other])
    assert caught.value.why == "off against none"


def test_answers_beyond_the_classes_are_an_error() -> None:
    beyond = as_form(member(np.eye(18)[[0, 17, 3, 3]], space=HOME, name="beyond"), "submission")
    with pytest.raises(MaskkitError, match=r"beyond\.submission answers 17") as caught:
        ensemble([beyond, FIRST])
    assert caught.value.why == "first has classes 0 to 2"


def test_other_label_spaces_are_an_error_even_where_a_table_without_one_stands_first() -> None:
    levels = ("under30", "30to59", "60plus")
    cut_at_58 = LabelSpace((Factor("age", levels, cuts=(30, 58)),))
    cut_at_60 = LabelSpace((Factor("age", levels, cuts=(30, 60)),))
    assert FIRST.probs is not None
    young, old = (
        member(FIRST.probs, space=space, name=str(space.factors[0].cuts)) for space in (cut_at_58, cut_at_60)
    )
    with pytest.raises(MaskkitError, match="different label spaces") as caught:
        ensemble([as_form(young, "csv"), young, old])
    assert caught.value.why == "cuts of age: [30, 58] against [30, 60]"


def test_submissions_alone_give_a_submission() -> None:
    members = [as_form(item, "submission") for item in (FIRST, SECOND, THIRD)]
    result = ensemble(members).predictions
    assert result.probs is None
    assert result.encode("submission") == b"ImageID,ans\nb.jpg,1\na.jpg,1\nc.jpg,2\nd.jpg,0\n"


def test_the_result_can_be_read_and_voted_again() -> None:
    result = ensemble([FIRST, SECOND, THIRD]).predictions
    again = as_form(result, "parquet")
    assert answers(again) == answers(result)
    assert answers(ensemble([again, FIRST]).predictions).keys() == answers(result).keys()


def test_one_member_is_given_back() -> None:
    result = ensemble([FIRST], vote="soft").predictions
    assert np.array_equal(result.probs, FIRST.probs)  # type: ignore[arg-type]


def test_the_header_holds_both_histories_and_the_digest_of_each_input() -> None:
    header = ensemble([FIRST, SECOND], weights=[2, 1]).predictions.header
    assert [record.stage for record in header.history] == ["predict", "predict", "ensemble"]
    assert header.history[-1].options == {"vote": "hard", "weights": [2, 1], "allow_leak": False}
    expected = [
        Input(item.name, item.as_input().sha256, item.header.history[-1].id) for item in (FIRST, SECOND)
    ]
    assert list(header.history[-1].inputs) == expected


def test_a_fold_is_kept_where_all_members_agree_on_it() -> None:
    other = replace(SECOND, fold=np.array([0, 1, 0, -1]))
    fold = ensemble([FIRST, other]).predictions.fold
    assert fold is not None
    assert fold.tolist() == [0, -1, 0, -1]


def test_whom_the_members_have_seen_is_carried_on_once() -> None:
    first, second = Seen.of(["ann"], salt="s"), Seen.of(["bob"], salt="s")
    assert FIRST.probs is not None
    members = [
        member(FIRST.probs, name="one", seen=[first.to_json()]),
        member(FIRST.probs, name="two", seen=[first.to_json(), second.to_json()]),
        SECOND,
    ]
    seen = ensemble(members).predictions.trained_on
    assert [item.contains(["ann", "bob"]).tolist() for item in seen] == [[True, False], [False, True]]


def test_members_that_leak_are_refused_and_carried_on_if_allowed() -> None:
    assert FIRST.probs is not None
    leaking = member(FIRST.probs, name="leaking", leaked=3)
    with pytest.raises(RefusedError, match="seen people they answer for in leaking"):
        ensemble([SECOND, leaking])
    assert ensemble([SECOND, leaking], allow_leak=True).predictions.leaked == 3


def test_gives_the_same_bytes_twice() -> None:
    first, second = (
        bytes(ensemble([FIRST, SECOND], vote="soft").predictions.encode("parquet")) for _ in range(2)
    )
    assert first == second


def test_a_csv_which_carries_no_history_needs_no_digests_of_what_was_read() -> None:
    result = ensemble([FIRST, SECOND], history=False).predictions
    assert result.header.history == ()
    recorded = ensemble([FIRST, SECOND]).predictions
    assert result.encode("csv") == recorded.encode("csv")
    assert len(recorded.header.history) == 3
