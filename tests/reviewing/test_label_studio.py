from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.reviewing.label_studio import annotated_values, interface, tasks
from maskkit.stages.review import take_annotations
from reviewing.desks import decided, desk_of


def exported(*chosen: dict[str, str] | None, tasks: list[dict[str, Any]], **more: object) -> Source:
    """Return what Label Studio exports when people chose by factor; None for a task that was skipped."""
    for task, choices in zip(tasks, chosen, strict=False):
        result = [
            {
                "from_name": name,
                "to_name": "photos",
                "type": "choices",
                "value": {"choices": [level]},
                "id": "x",
            }
            for name, level in (choices or {}).items()
        ]
        task.setdefault("annotations", []).append(
            {"id": 7, "completed_by": 1, "was_cancelled": choices is None, "result": result, "lead_time": 3.2}
        )
    for task in tasks:
        task.setdefault("annotations", [])
        task |= {"id": 1, "created_at": "2026-11-29T01:02:03Z", "project": 5, **more}
    return Source("export.json", pa.py_buffer(json.dumps(tasks).encode()))


@pytest.fixture
def made(labels: Manifest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tasks(desk_of(labels)))
    return found


def test_a_task_is_a_person_or_a_photo_and_predicts_what_is_proposed(made: list[dict[str, Any]]) -> None:
    assert [(task["data"]["person_id"], task["data"]["path"]) for task in made] == [
        ("000001", ""), ("000002", "000002_female_Asian_19/mask1.jpg"), ("000003", ""),
    ]  # fmt: skip
    first = made[0]
    assert len(first["data"]["photos"]) == 7
    assert first["data"]["photos"][0] == "/data/local-files/?d=000001_male_Asian_19/mask1.jpg"
    chosen = {one["from_name"]: one["value"]["choices"] for one in first["predictions"][0]["result"]}
    assert chosen == {"gender": ["female"], "age": ["60plus"]}
    assert first["data"]["evidence"].startswith("gender: male or female? P(female) = 0.9")


def test_the_interface_has_a_choice_for_each_factor_that_tasks_name(
    labels: Manifest, made: list[dict[str, Any]]
) -> None:
    root = ElementTree.fromstring(interface(desk_of(labels).questions))
    choices = {one.get("name"): [each.get("value") for each in one] for one in root.iter("Choices")}
    assert choices == {factor.name: list(factor.levels) for factor in labels.space.factors[1:]} | {
        "mask": ["wear", "incorrect", "none"]
    }
    names = {one.get("name") for one in root.iter()}
    assert {one.get("toName") for one in root.iter("Choices")} <= names
    shown = {
        one.get(key, "")[1:] for one in root.iter() for key in ("value", "valueList") if one.tag != "Choice"
    }
    for task in made:
        assert shown - {""} <= set(task["data"])
        for result in task["predictions"][0]["result"]:
            assert {result["from_name"], result["to_name"]} <= names


def test_what_people_chose_there_is_decided_here(
    labels: Manifest, made: list[dict[str, Any]], tmp_path: Path
) -> None:
    desk = desk_of(labels, tmp_path / "reviewed.csv")
    chosen = ({"gender": "female", "age": "under30"}, {"mask": "incorrect"}, None)
    assert take_annotations(desk, exported(*chosen, tasks=made)) == 3
    # The age of 19 is under 30: the label stays, and the number with it. The last task was skipped.
    assert decided(tmp_path / "reviewed.csv") == [
        ("gender", "female", "confirmed"), ("age", "19", "struck"), ("mask", "incorrect", "changed"),
    ]  # fmt: skip


def test_a_task_that_was_skipped_decides_nothing_whatever_was_chosen_before(
    labels: Manifest, made: list[dict[str, Any]]
) -> None:
    source = exported({"gender": "female", "age": "60plus"}, tasks=made)
    assert len(annotated_values(desk_of(labels).questions, source)) == 2
    for annotation in made[0]["annotations"]:
        annotation["was_cancelled"] = True
    source = exported(tasks=made)
    assert annotated_values(desk_of(labels).questions, source) == {}


def test_a_label_on_which_two_people_disagree_stays_undecided(
    labels: Manifest, made: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    exported({"gender": "female", "age": "60plus"}, tasks=made)
    source = exported({"gender": "male", "age": "60plus"}, tasks=made)
    assert annotated_values(desk_of(labels).questions, source) == {1: "60plus"}
    assert "people disagree on 1 labels, which stay undecided: gender of 000001" in caplog.text


def test_tasks_of_another_review_are_passed_over_and_said(
    labels: Manifest, made: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    made[0]["data"]["person_id"] = "7"
    assert annotated_values(desk_of(labels).questions, exported({"gender": "female"}, tasks=made)) == {}
    assert "1 tasks are not of this review: '7'" in caplog.text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no export of Label Studio"),
        (b"{}", "is no export of Label Studio"),
        (b'[{"photos": ["x"], "gender": "male", "id": 1}]', "is no export of Label Studio"),  # JSON-MIN
        (b'[{"data": {}, "annotations": [{"result": "x"}]}]', "is no export of Label Studio"),
        (b"path,person_id\n", "is no export of Label Studio"),
    ],
)
def test_what_is_no_export_is_refused(labels: Manifest, data: bytes, message: str) -> None:
    with pytest.raises(MaskkitError, match=message) as caught:
        annotated_values(desk_of(labels).questions, Source("x", pa.py_buffer(data)))
    assert "JSON-MIN" in caught.value.fix


def test_a_choice_of_another_interface_is_refused(labels: Manifest, made: list[dict[str, Any]]) -> None:
    with pytest.raises(MaskkitError, match="gender of 000001 is 'woman'"):
        annotated_values(desk_of(labels).questions, exported({"gender": "woman"}, tasks=made))
