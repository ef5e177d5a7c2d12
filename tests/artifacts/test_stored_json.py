"""Every fact that an artifact says of itself is of its type and range, or an error names its place."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskkit.artifacts.checkpoint import Checkpoint, CheckpointFacts, Crop, Preprocess
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.stages.show import show

RECORD = Record("train", {"fold": 1, "seed": 3}, (Input("folds.parquet", "a" * 64, "b" * 16),), "1.2.3")
FACTOR = {"name": "a", "levels": ["x", "y"]}
SEEN = Seen.of(["a", "b"], salt="s").to_json()
CHECKPOINT = CheckpointFacts(
    model="test_resnet",
    model_settings={"img_size": [32, 32]},
    preprocess=Preprocess(32, 48, (0.5,) * 3, (0.25,) * 3, "bicubic", Crop(0.3, (0.1, 0.1, 0.9, 0.8))),
    precision="float32",
    fold=1,
    epoch=2,
    scores={"macro_f1": 0.5},
    seen=Seen.of(["a", "b"], salt="s"),
).to_json()
CHANGE = {"measure": "macro_f1", "plain": 0.5, "in_sample": 0.6, "nested": 0.5, "gain": {"value": 0.1}}
DECISION: dict[str, Any] = {
    "method": "age",
    "temperature": 1.5,
    "offsets": dict.fromkeys(HOME.names, 0.25),
    "measured": {"people": 3, "changes": [CHANGE], "offsets": [{"name": "old", "value": 0.1}]},
}
PREDICTIONS: dict[str, Any] = {
    "seen": [SEEN, SEEN],
    "leaked": 0,
    "consensus": {"by": "person", "factors": ["age"], "people": 2, "photos": 3},
    "decision": {"method": "age", "sha256": "c" * 64},
    "blend": {"weights": [0.5, 0.5]},
}


def checkpoint(header: str) -> Source:
    tensors = {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps({"__metadata__": {KEY: header}, **tensors}).encode()
    return Source("c.safetensors", pa.py_buffer(struct.pack("<Q", len(text)) + text + bytes(4)))


def table(header: str, columns: dict[str, Any], name: str) -> Source:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns).replace_schema_metadata({KEY: header}), sink)
    return Source(name, sink.getvalue())


def manifest(header: str) -> Source:
    columns = {
        "path": ["a"], "person_id": ["p"], "label": [None], "target": [None], "weight": [1.0],
        "origin": ["given"],
    }  # fmt: skip
    return table(header, columns, "m.parquet")


def predictions(header: str) -> Source:
    probs = np.eye(len(HOME), dtype=np.float32)[0]
    column = pa.FixedSizeListArray.from_arrays(pa.array(probs), len(HOME))
    return table(header, {"path": ["a"], "probs": column}, "p.parquet")


def decision(header: str) -> Source:
    return Source("d.json", pa.py_buffer(header.encode()))


def model(header: str) -> Source:
    def field(number: int, data: bytes) -> bytes:
        sizes = [len(data) & 127 | 128, len(data) >> 7 & 127 | 128, len(data) >> 14]
        return bytes([number << 3 | 2, *sizes]) + data

    entry = field(1, KEY.encode()) + field(2, header.encode())
    return Source("x.onnx", pa.py_buffer(b"\x08\x08" + field(7, b"") + field(14, entry)))


FORMS: dict[str, tuple[Callable[[str], Source], dict[str, Any], Callable[[Source], object]]] = {
    "checkpoint": (checkpoint, CHECKPOINT, Checkpoint.read),
    "manifest": (manifest, {"left_out": {"b.jpg": "it is empty"}}, Manifest.read),
    "predictions": (predictions, PREDICTIONS, Predictions.read),
    "decision": (decision, DECISION, Decision.read),
    "model": (model, CHECKPOINT, show),
}


def header_of(kind: str) -> dict[str, Any]:
    header = Header(kind, HOME, (RECORD,), FORMS[kind][1]).to_json()
    return copy.deepcopy(json.loads(header))


@pytest.mark.parametrize("kind", FORMS)
def test_each_is_read_and_shown_as_it_is_written(kind: str) -> None:
    write, _, read = FORMS[kind]
    source = write(json.dumps(header_of(kind)))
    assert read(source)
    assert show(source)["kind"] == kind


def changed(data: Any, place: str, value: object) -> Any:
    *above, last = place.split(".") if "offsets." not in place else place.split(".", 1)
    inside = data
    for name in above:
        inside = inside[int(name) if name.isdigit() else name]
    inside[last] = value
    return data


HUGE, DEEP = 10**400, json.loads("[" * 40 + "]" * 40)
# Of each kind: a place in its header, and what may not be there.
WRONG: list[tuple[str, str, list[Any]]] = [
    ("manifest", "kind", [1, None, [], "A b", "x" * 65]),
    ("manifest", "history", [None, 3, {}, [3], [None], [[]]]),
    ("manifest", "history.0.stage", [None, 3, "", "La bel", "label\nrm -rf /", "x" * 65]),
    ("manifest", "history.0.maskkit", [None, 1.2, "", "1.2\n", "1.2; rm", "v1", "1" * 65]),
    ("manifest", "history.0.options", [None, [], "x", {"a b": 1}, {"--x": 1}, {"": 1}]),
    ("manifest", "history.0.options.any", [DEEP]),
    ("manifest", "history.0.options.any", [HUGE]),
    ("manifest", "history.0.options.root", [3, [], "a\0b", "x" * 10_001]),
    ("manifest", "history.0.options.fold", ["1", 1.5, -1, 1000, True]),
    ("manifest", "history.0.options.keep_with", [3, [3], {}]),
    ("manifest", "history.0.options.score", ["1", []]),
    ("manifest", "history.0.inputs", [None, {}, [None], [{"path": "x"}]]),
    ("manifest", "history.0.inputs.0.path", [None, 3, "a\0b"]),
    ("manifest", "history.0.inputs.0.sha256", [None, "", "A" * 64, "a" * 63, "a" * 65]),
    ("manifest", "history.0.inputs.0.made_by", [3, "", "b" * 15]),
    ("manifest", "history.0.inputs.0.option", [3, "a b", "--root=/etc"]),
    ("manifest", "history.0.found", [None, [], 3]),
    ("manifest", "label_space", [None, 3, [], {}, {"factors": []}]),
    ("manifest", "label_space.factors.0.name", [None, 3, "", "path", "gender", "a/b"]),
    ("manifest", "label_space.factors.0.levels", [None, "ab", [], ["a"], ["a", "a"], [1, 2]]),
    ("manifest", "label_space.factors.0.levels", [[str(number) for number in range(4097)]]),
    ("manifest", "label_space.factors.0.levels", [[str(number) for number in range(1000)]]),  # 6,000 classes
    ("manifest", "label_space.factors.2.cuts", [None, "3", [1], [2, 1], ["1", "2"], [1, HUGE]]),
    ("manifest", "label_space.factors.2.personal", [None, 1, "yes"]),
    ("manifest", "left_out", [None, [], "x", {"b.jpg": 3}]),
    ("checkpoint", "model", [None, 3, "", "hf-hub:a/b", "../x", "a b"]),
    ("checkpoint", "model_settings", [None, [], {"a": None}, {"a": {}}, {"a b": 1}]),
    (
        "checkpoint",
        "model_settings",
        [{name: 1} for name in ("checkpoint_path", "pretrained", "pretrained_cfg")],
    ),
    ("checkpoint", "pool", [None, 3, "a b"]),
    ("checkpoint", "heads", [None, "joint", [], [3], ["joint"] * 17]),
    ("checkpoint", "precision", [None, 3, "int8"]),
    ("checkpoint", "fold", ["1", 1.5, -1, 1000, True, HUGE]),
    ("checkpoint", "epoch", [None, "1", -1, 1.5]),
    ("checkpoint", "scores", [None, [], {"macro_f1": "1"}, {"macro_f1": None}]),
    ("checkpoint", "seen", [None, [], {}, {"salt": "s", "digests": "AAAA"}]),
    ("checkpoint", "preprocess", [None, [], {}]),
    ("checkpoint", "preprocess.height", [None, "32", 15, 4097, 32.0, -32, HUGE, True]),
    ("checkpoint", "preprocess.mean", [None, 0.5, [], [0.5], [0.5, 0.5, "0"], [0, 0, HUGE], [0, 0, 1e9]]),
    ("checkpoint", "preprocess.std", [None, [1, 1, 0], [1, 1, -1], [1, 1, 1, 1]]),
    ("checkpoint", "preprocess.interpolation", [None, "", "BICUBIC", "random"]),
    ("checkpoint", "preprocess.crop", [3, [], "x", {}]),
    ("checkpoint", "preprocess.crop.margin", [None, -0.1, 10.1, "1"]),
    ("checkpoint", "preprocess.crop.fallback", [None, [0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 2]]),
    ("predictions", "seen", [None, {}, [3], [{"salt": "s", "digests": 3}]]),
    ("predictions", "leaked", [None, "3", -1, 1.5]),
    ("predictions", "consensus", ["x", {}, {"by": 3}]),
    ("predictions", "decision", ["x", {}, {"method": "age", "sha256": "x"}]),
    ("predictions", "blend", ["x", []]),
    ("decision", "method", [None, 3, []]),
    ("decision", "temperature", [None, "1", 0, -1, HUGE]),
    ("decision", "offsets", [None, [], {}, {"a": 1.0}]),
    ("decision", f"offsets.{HOME.names[3]}", [None, "1", 1e300]),
    ("decision", "measured", [None, [], 3]),
    ("decision", "measured.changes", [None, {}, [3], [{"measure": "x"}]]),
    ("decision", "measured.changes.0.gain", [None, 3, {"value": "x"}]),
    ("decision", "measured.offsets", [3, ["x"], [{"name": 3}]]),
    ("decision", "measured.consensus", [3, "yes"]),
    ("model", "preprocess.std", [None, [0, 0, 0]]),
    ("model", "model", [None, 3]),
]


@pytest.mark.parametrize(
    ("kind", "place", "value"), [(kind, place, value) for kind, place, values in WRONG for value in values]
)
def test_a_value_of_another_type_or_out_of_range_is_an_error_that_names_the_file(
    kind: str, place: str, value: object
) -> None:
    write, _, read = FORMS[kind]
    source = write(json.dumps(changed(header_of(kind), place, value)))
    for used in (read, show):
        with pytest.raises(MaskkitError) as caught:
            used(source)
        assert source.name in caught.value.what
        assert caught.value.why


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("name", ["format", "kind", "label_space", "history"])
def test_a_header_without_one_of_its_parts_is_refused(kind: str, name: str) -> None:
    data = header_of(kind)
    del data[name]
    with pytest.raises(MaskkitError, match="damaged") as caught:
        show(FORMS[kind][0](json.dumps(data)))
    assert repr(name) in caught.value.why


def test_a_place_is_named_in_plain_words() -> None:
    data = header_of("checkpoint")
    data["preprocess"]["std"] = [1, 1, 0]
    with pytest.raises(MaskkitError, match=r"c\.safetensors has a damaged maskkit header") as caught:
        Checkpoint.read(checkpoint(json.dumps(data)))
    assert caught.value.why == "its preprocess.std[2] should be a number above 0.0"


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        ("history", [RECORD.to_json()] * 4097, "its history should be a list of at most 4096"),
        ("history.0.inputs", [asdict(RECORD.inputs[0])] * 4097, "its history[0].inputs should be a list of"),
        ("label_space.factors", [FACTOR] * 65, "its label_space.factors should be a list of at most 64"),
        (
            "label_space.factors.0.levels",
            ["a"] * 4097,
            "its label_space.factors[0].levels should be a list of",
        ),
        ("kind", "A b", "its kind should be a word in small letters"),
    ],
)
def test_lists_have_a_longest_length_which_is_said(place: str, value: object, why: str) -> None:
    with pytest.raises(MaskkitError, match="damaged") as caught:
        Manifest.read(manifest(json.dumps(changed(header_of("manifest"), place, value))))
    assert caught.value.why.startswith(why)


def test_a_version_is_one_of_those_that_packages_have() -> None:
    for version in ("0.1.0", "1", "1.2rc1", "1.0.post2.dev3", "2.0+local.7"):
        data = header_of("manifest")
        data["history"][0]["maskkit"] = version
        assert Manifest.read(manifest(json.dumps(data))).header.history[0].version == version


@pytest.mark.parametrize(
    "table",
    [
        {"w": 3},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, "4"]}},
        {"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}},
        {"__metadata__": {KEY: 3}},
        {"__metadata__": [KEY]},
    ],
)
def test_the_table_of_tensors_has_types_too(table: object) -> None:
    text = json.dumps(table).encode()
    source = Source("c.safetensors", pa.py_buffer(struct.pack("<Q", len(text)) + text + bytes(4)))
    with pytest.raises(MaskkitError, match="is not a safetensors file"):
        Checkpoint.read(source)


def test_weights_that_are_not_what_the_table_says_are_refused_when_they_are_read() -> None:
    source = checkpoint(json.dumps(header_of("checkpoint")))
    wrong = bytes(source.data).replace(b'"shape": [1]', b'"shape": [2]')
    read = Checkpoint.read(Source("c.safetensors", pa.py_buffer(wrong)))
    with pytest.raises(MaskkitError, match="is not a safetensors file"):
        read.weights()
    unknown = Checkpoint.read(
        Source("c.safetensors", pa.py_buffer(bytes(source.data).replace(b"F32", b"F33")))
    )
    with pytest.raises(MaskkitError, match="is not a safetensors file"):
        unknown.weights()


def test_no_more_is_copied_of_a_file_than_a_header_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskkit.artifacts.decision.MOST_BYTES", 50)
    monkeypatch.setattr("maskkit.artifacts.checkpoint.MOST_BYTES", 50)
    for kind in ("decision", "checkpoint"):
        with pytest.raises(MaskkitError) as caught:
            show(FORMS[kind][0](json.dumps(header_of(kind))))
        assert caught.value.why == "it has 51 bytes, and may have 50"
