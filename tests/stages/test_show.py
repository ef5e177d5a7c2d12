from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.checkpoint import CheckpointFacts, Preprocess, write_checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.parquet import to_parquet
from maskkit.artifacts.predictions import Form, Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.labelling.targets import TargetRules
from maskkit.labels import HOME
from maskkit.stages.label import label
from maskkit.stages.show import header_of, show


def source(data: bytes | pa.Buffer, *, name: str = "file") -> Source:
    return Source(name, pa.py_buffer(data))


def answers() -> Predictions:
    probs = np.eye(18, dtype=np.float32)[[17, 0, 17]]
    header = Header("predictions", HOME, (Record("predict", {}),), {"leaked": 0})
    return Predictions(pa.array(["a", "b", "c"]), probs.argmax(1), probs, tuple(HOME.names), None, header)


def test_a_manifest_tells_rows_people_classes_and_folds(folds: Manifest) -> None:
    given = source(folds.to_bytes(), name="folds.parquet")
    facts = show(given)
    assert facts["file"] == "folds.parquet"
    assert facts["kind"] == "manifest"
    assert facts["sha256"] == given.sha256
    assert (facts["photos"], facts["people"], facts["labelled"], facts["classes"]) == (168, 24, 168, 18)
    assert sum(facts["photos per class"].values()) == 168
    assert facts["photos per class"]["wear/male/30to59"] == 5 * 6
    assert facts["photos per fold"] == {"0": 56, "1": 56, "2": 56}
    assert facts["factors"] == {
        "mask": "wear, incorrect, none",
        "gender": "male, female",
        "age": "under30, 30to59, 60plus",
    }
    assert facts["stages"] == "label > split"
    assert facts["columns"]["fold"] == "int16"
    assert facts["held out"]["people"] == [8, 8, 8]
    assert len(facts["held out"]["classes"]["wear/male/30to59"]["photos"]) == 3


def test_a_manifest_tells_where_training_departs_from_the_truth(train_csv: Path, labels: Manifest) -> None:
    plain = show(source(labels.to_bytes()))
    assert plain["origins"] == {"given": 168}
    assert (plain["never trained on (weight 0)"], plain["target differs from label"]) == (0, 0)
    assert "trained as" not in plain
    fixes = Source("fix.csv", pa.py_buffer(b"person_id,column,value\n000001,gender,female\n"))
    given = label(
        train_csv, targets=TargetRules({"age": [30, 58]}, {"age": ["19"]}), corrections=fixes, no_check=True
    )
    facts = show(source(given.to_bytes()))
    aged = [row["age"] for row in labels.table.to_pylist()]
    assert facts["origins"] == {"given": 161, "corrected": 7}
    assert facts["never trained on (weight 0)"] == aged.count(19)
    assert facts["target differs from label"] == aged.count(58) > 0
    assert facts["trained as"]["wear/male/30to59 > wear/male/60plus"] == 5 * 2
    assert sum(facts["trained as"].values()) == aged.count(58)


def test_photos_without_labels_and_people_have_no_people_to_count(info_csv: Path) -> None:
    facts = show(source(label(info_csv).to_bytes()))
    assert (facts["photos"], facts["people"], facts["labelled"]) == (7, None, 0)
    assert "photos per fold" not in facts
    assert "held out" not in facts


def test_rows_outside_the_folds_are_called_by_name(labels: Manifest) -> None:
    fold = pa.array([0] * 7 + [-1] * 7 + [None] * (len(labels) - 14), pa.int16())
    facts = show(source(labels.then("split", {"fold": fold}, by="person").to_bytes()))
    assert facts["photos per fold"] == {"not in the split": 154, "never held out": 7, "0": 7}


def test_folds_that_hold_nothing_out_have_no_table(labels: Manifest) -> None:
    never = labels.then("split", {"fold": pa.array([-1] * len(labels), pa.int16())})
    assert "held out" not in show(source(never.to_bytes()))


@pytest.mark.parametrize("form", ["parquet", "csv", "submission"])
def test_predictions_tell_their_form_and_answers(form: Form) -> None:
    facts = show(source(answers().encode(form)))
    assert (facts["kind"], facts["photos"]) == ("predictions", 3)
    assert facts["form"] == (
        "predictions without probabilities" if form == "submission" else "18 probabilities per photo"
    )
    counts = list(facts["predictions per class"].values())
    assert (len(counts), counts[0], counts[17], sum(counts)) == (18, 1, 2, 3)
    assert ("classes" in facts) == (form == "parquet")  # a CSV carries no label space
    assert facts["stages"] == ("predict" if form == "parquet" else "")


def test_a_checkpoint_tells_model_preprocessing_and_scores(tmp_path: Path) -> None:
    facts = CheckpointFacts(
        model="test_vit",
        preprocess=Preprocess(32, 24, (0.5,) * 3, (0.25,) * 3, "bicubic"),
        precision="bfloat16",
        fold=2,
        epoch=9,
        scores={"macro_f1": 0.75},
        seen=Seen.of(["001", "002"], salt="s"),
    ).to_json()
    write_checkpoint(tmp_path / "c", {}, Header("checkpoint", HOME, (Record("train", {}),), facts))
    shown = show(Source.open(tmp_path / "c"))
    assert (shown["kind"], shown["model"], shown["fold held out"]) == ("checkpoint", "test_vit", 2)
    assert (shown["best epoch"], shown["people trained on"], shown["precision"]) == (9, 2, "bfloat16")
    assert shown["scores on the held-out fold"] == {"macro_f1": 0.75}
    assert shown["preprocess"]["height"] == 32
    assert shown["stages"] == "train"


def test_a_checkpoint_that_lacks_a_fact_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", {}, Header("checkpoint", HOME, (Record("train", {}),), {"model": "m"}))
    with pytest.raises(MaskkitError, match="does not say its heads"):
        show(Source.open(tmp_path / "c"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n{}",
        b"PAR1",
        b"12345678{",
        b"path,mask\na.jpg,wear\n",
        b"\xff\xd8\xff\xe0",
    ],
)
def test_what_is_no_artifact_is_an_error_that_names_the_file(data: bytes) -> None:
    for look in (show, header_of):
        with pytest.raises(MaskkitError) as caught:
            look(source(data, name="odd.bin"))
        assert "odd.bin" in caught.value.what
        assert caught.value.fix


def test_an_artifact_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(MaskkitError, match="is a recipe, not a manifest, predictions or survey"):
        show(source(to_parquet(pa.table({"path": ["a"]}), Header("recipe", HOME))))


def test_a_csv_has_no_history() -> None:
    assert header_of(source(answers().encode("csv"))).history == ()
    assert [record.stage for record in header_of(source(answers().encode("parquet"))).history] == ["predict"]
