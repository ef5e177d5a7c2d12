from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Input, Record, merged, same_space
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, Factor, LabelSpace
from maskkit.stages.label import label
from maskkit.stages.split import split

LABEL = Record("label", {"root": "images", "skip_bad": False}, (Input("train.csv", "a" * 64),))
SPLIT = Record("split", {"by": "person", "seed": 3}, (Input("labels.parquet", "b" * 64, LABEL.id),))
HEADER = Header("manifest", HOME, (LABEL, SPLIT), {"note": [1, 2.5, None]})


def damaged(change: dict[str, object] | None = None, *, without: str | None = None) -> str:
    data = {**json.loads(HEADER.to_json()), **(change or {})}
    data.pop(without or "", None)
    return json.dumps(data)


def test_a_header_comes_back_as_it_went() -> None:
    again = Header.from_json(HEADER.to_json(), name="x", kind="manifest")
    assert again.to_json() == HEADER.to_json()
    assert (again.kind, again.space, again.facts) == ("manifest", HOME, {"note": [1, 2.5, None]})
    assert [record.id for record in again.history] == [LABEL.id, SPLIT.id]
    assert [record.to_json()["seed"] for record in again.history] == [None, 3]


def test_the_bytes_of_a_header_are_fixed() -> None:
    # If this changes, files of this version differ from those of the last: raise FORMAT or undo it.
    small = Header(
        "predictions", LabelSpace((Factor("f", ("a", "b")),)), (Record("s", {"seed": 1}, (), "9"),)
    )
    assert small.to_json() == (
        '{"format": 1, "kind": "predictions", '
        '"label_space": {"factors": [{"name": "f", "levels": ["a", "b"]}]}, '
        '"history": [{"stage": "s", "maskkit": "9", "options": {"seed": 1}, "seed": 1, "inputs": []}]}'
    )


def test_a_record_is_told_from_others_by_stage_options_inputs_and_version() -> None:
    others = [
        Record("label", {"root": "images", "skip_bad": True}, LABEL.inputs),
        Record("label", LABEL.options, (Input("train.csv", "ab" * 32),)),
        Record("labels", LABEL.options, LABEL.inputs),
        Record("label", LABEL.options, LABEL.inputs, "0.0.0"),
    ]
    assert len({LABEL.id, *(other.id for other in others)}) == 5
    assert Record("label", {"skip_bad": False, "root": "images"}, LABEL.inputs).id == LABEL.id


@pytest.mark.parametrize("number", [0, 2, "1", None, True, 1.0, [1] * 99])
def test_an_unknown_format_is_refused(number: object) -> None:
    with pytest.raises(MaskkitError, match="has format") as caught:
        Header.from_json(damaged({"format": number}), name="a.parquet")
    assert "a.parquet" in caught.value.what
    assert "reads format 1" in caught.value.why


def test_another_kind_is_refused_by_its_name() -> None:
    with pytest.raises(MaskkitError, match=r"a\.parquet is a manifest, not a checkpoint"):
        Header.from_json(HEADER.to_json(), name="a.parquet", kind="checkpoint")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '"format"', b"\xff\xfe", HEADER.to_json()[:-5]),
        *(damaged(without=key) for key in ("format", "kind", "label_space", "history")),
        damaged({"label_space": None}),
        damaged({"label_space": {"factors": "mask"}}),
        damaged({"label_space": {"factors": [{"name": "a", "levels": ["x"]}]}}),
        damaged({"history": 3}),
        damaged({"history": [3]}),
        damaged({"history": [{"stage": "label"}]}),
        damaged({"history": [{**LABEL.to_json(), "inputs": [{"name": "x"}]}]}),
    ],
)
def test_a_damaged_header_is_an_error_that_names_the_file(text: str | bytes) -> None:
    with pytest.raises(MaskkitError, match=r"a\.parquet has a damaged maskkit header") as caught:
        Header.from_json(text, name="a.parquet")
    assert caught.value.why


def test_merging_keeps_each_record_once_after_those_it_builds_on() -> None:
    def run(stage: str, *needs: Record) -> Record:
        return Record(stage, {}, tuple(Input(need.stage, "", need.id) for need in needs))

    label = run("label")
    split = run("split", label)
    trains = [run(f"train{fold}", split) for fold in range(3)]
    other = run("label2")
    histories = [(label, split, train) for train in trains] + [(other,), (label, split)]
    for order in permutations(histories):
        records = merged(order)
        assert len(records) == 6
        position = {record.id: index for index, record in enumerate(records)}
        for record in records:
            assert all(position[str(item.made_by)] < position[record.id] for item in record.inputs)


def test_two_label_spaces_are_refused_with_their_first_difference() -> None:
    other = LabelSpace((*HOME.factors[:2], Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))))
    with pytest.raises(MaskkitError) as caught:
        same_space(HOME, other, names=("a.parquet", "b.safetensors"))
    assert "a.parquet and b.safetensors" in caught.value.what
    assert caught.value.why == "cuts of age: [30, 60] against [30, 58]"
    same_space(HOME, HOME, names=("a", "b"))


def test_the_input_of_a_next_stage_names_who_made_it() -> None:
    source = Source("m.parquet", pa.py_buffer(b"x"))
    assert HEADER.input_from(source) == Input("m.parquet", source.sha256, SPLIT.id)
    assert Header("predictions", None).input_from(source).made_by is None


def test_history_holds_no_clock_no_host_and_no_path_but_as_given(
    train_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(train_csv.parent)
    text = split(label("train.csv"), folds=3).header.to_json()
    assert str(train_csv.parent) not in text
    assert '"root": "images"' in text
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    monkeypatch.setenv("USER", "someone")
    assert split(label("train.csv"), folds=3).header.to_json() == text


def test_lineage_follows_what_an_artifact_itself_came_from_and_parents_are_what_was_read_last() -> None:
    label = Record("label", {"root": "mine"})
    other = Record("label", {"root": "theirs"})
    split = Record("split", {}, (Input("labels", "0", label.id),))
    predict = Record("predict", {}, (Input("others", "1", other.id),))
    pseudo = Record("pseudo", {}, (Input("folds", "2", split.id), Input("said", "3", predict.id)))
    header = Header("manifest", HOME, (label, split, other, predict, pseudo))
    assert list(header.lineage()) == [pseudo, split, label]
    assert header.parents == (split, predict)
    assert list(Header("manifest", HOME).lineage()) == []
    assert Header("manifest", HOME).parents == ()
