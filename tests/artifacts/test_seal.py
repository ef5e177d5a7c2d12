"""Checksums inside files: no changed byte goes unseen, and no program is in the way of another."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save
from seals import seals_of

from maskkit.artifacts.checkpoint import write_checkpoint
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.seal import (
    DIGITS,
    ONNX,
    PARQUET,
    ZIP,
    Seal,
    refuse_damaged,
)
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.state_files import read_state_file
from maskkit.training.saved_state import SavedState, save_state

onnx = pytest.importorskip("onnx", reason="needs maskkit[onnx]")

RECORD = Record("train", {"seed": 1})
TABLE = pa.table(
    {
        "path": [f"{row}.jpg" for row in range(40)],
        "mask": pa.array(["wear", "none"] * 20).dictionary_encode(),
        "probs": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(80, dtype=np.float32)), 2),
        "flags": pa.array([["x"], None] * 20, pa.list_(pa.string())),
    }
)
WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}


def parquet(_: Path) -> bytes:
    return bytes(to_parquet(TABLE, Header("manifest", HOME, (RECORD,))))


def checkpoint(folder: Path) -> bytes:
    write_checkpoint(folder / "c.safetensors", WEIGHTS, Header("checkpoint", HOME, (RECORD,)), force=True)
    return (folder / "c.safetensors").read_bytes()


def decision(_: Path) -> bytes:
    return bytes(Decision.make(HOME, [RECORD], method="classes", offsets=[0.1] * len(HOME)).to_bytes())


def resume(folder: Path) -> bytes:
    save_state(folder / "c.resume", RECORD, {"model": WEIGHTS})
    return (folder / "c.resume").read_bytes()


def exported(_: Path) -> bytes:
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "ab"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    onnx.helper.set_model_props(model, {"maskkit": "{}"})
    data = model.SerializeToString()
    return bytes(ONNX.sealed(data[:2], data[2:]))


FORMATS = [parquet, checkpoint, decision, exported, resume]
Make = Callable[[Path], bytes]


@pytest.fixture(params=FORMATS)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """A sealed file of each format."""
    return request.param(tmp_path)  # type: ignore[no-any-return]


def seal_of(data: bytes) -> tuple[Seal, int]:
    """Return the only seal of a file, and its place."""
    (found,) = seals_of(data)
    return found


def flipped(data: bytes, at: int, by: int) -> bytes:
    return data[:at] + bytes([data[at] ^ by]) + data[at + 1 :]


def test_what_was_written_is_not_damaged(data: bytes) -> None:
    seal_of(data)
    refuse_damaged(memoryview(data), "x")


def test_no_changed_byte_goes_unseen(data: bytes) -> None:
    random = Random(0)
    hiding: dict[Seal, range] = {  # tested below
        PARQUET: range(len(data) - 8, len(data)),
        ZIP: range(data.rfind(b"PK\5\6"), data.rfind(b"PK\5\6") + 4),
    }
    for at in set(range(len(data))) - set(hiding.get(seal_of(data)[0], ())):
        with pytest.raises(MaskkitError, match="is damaged"):
            refuse_damaged(memoryview(flipped(data, at, random.randrange(1, 256))), "x")


def test_what_hides_the_seal_of_a_parquet_file_is_found_by_its_reader(tmp_path: Path) -> None:
    data = parquet(tmp_path)
    for at in range(len(data) - 8, len(data)):
        for by in range(1, 256):
            with pytest.raises(MaskkitError, match=r"cannot read x|x is damaged"):
                read_parquet(Source("x", pa.py_buffer(flipped(data, at, by))), kind="manifest")


def test_what_hides_the_seal_of_a_state_is_found_by_its_reader(tmp_path: Path) -> None:
    data = resume(tmp_path)
    end = data.rindex(b"PK\5\6")
    for at in range(end, end + 4):
        (tmp_path / "x.resume").write_bytes(flipped(data, at, 1))
        with pytest.raises(MaskkitError, match="cannot resume"):
            SavedState.read(tmp_path / "x.resume").state_for(RECORD)


def test_a_seal_with_several_wrong_bytes_is_still_one(data: bytes) -> None:
    seal, at = seal_of(data)
    wrong = data[:at] + b"\0\0\0" + data[at + 3 :]
    with pytest.raises(MaskkitError, match="is damaged"):
        refuse_damaged(memoryview(wrong), "x")
    refuse_damaged(memoryview(data[:at] + bytes(len(seal)) + data[at + len(seal) :]), "x")  # that is none


def test_the_error_says_both_checksums_and_what_to_do(data: bytes) -> None:
    seal, at = seal_of(data)
    digits = at + len(seal.before)
    said = bytes(data[digits : digits + DIGITS])
    with pytest.raises(MaskkitError) as caught:
        Source("here.x", pa.py_buffer(data[:digits] + b"0badf00d" + data[digits + DIGITS :]))
    assert caught.value.what == "here.x is damaged"
    assert "says that their CRC32 is 0badf00d, and it is " + said.decode() in caught.value.why
    assert "copy it again" in caught.value.fix


def test_a_file_is_judged_as_its_bytes_are(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    Source.open(path)
    path.write_bytes(flipped(data, len(data) // 2, 1))
    with pytest.raises(MaskkitError, match=r"x is damaged"):
        Source.open(path)


def test_damaged_weights_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    path.write_bytes(flipped(checkpoint(tmp_path), -1 + len(checkpoint(tmp_path)), 1))
    with pytest.raises(MaskkitError, match="is damaged"):
        read_state_file(path)


def test_a_damaged_state_is_not_gone_on_from(tmp_path: Path) -> None:
    data = resume(tmp_path)
    place = data.index(np.arange(6, dtype=np.float32).tobytes())
    (tmp_path / "x.resume").write_bytes(flipped(data, place, 64))
    with pytest.raises(MaskkitError, match="cannot resume") as caught:
        SavedState.read(tmp_path / "x.resume").state_for(RECORD)
    assert "its bytes are not those that were written" in caught.value.why


def read_by_others(name: str, data: bytes) -> object:
    """Read a file by the library of its format."""
    if name == "parquet":
        return (
            pq.read_table(pa.py_buffer(data), page_checksum_verification=True).cast(TABLE.schema).to_pydict()
        )
    if name == "checkpoint":
        return {key: value.tolist() for key, value in load(data).items()}
    if name == "decision":
        return json.loads(data)["offsets"]
    if name == "exported":
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model, full_check=True)
        return [node.op_type for node in model.graph.node]
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return torch.load(io.BytesIO(data), weights_only=True)["record"]


@pytest.mark.parametrize(
    ("make", "content"),
    [
        (parquet, TABLE.to_pydict()),
        (checkpoint, {key: value.tolist() for key, value in WEIGHTS.items()}),
        (decision, dict.fromkeys(HOME.names, 0.1)),
        (exported, ["Identity"]),
        (resume, RECORD.to_json()),
    ],
)
def test_other_programs_read_it(make: Make, content: object, tmp_path: Path) -> None:
    assert read_by_others(make.__name__, make(tmp_path)) == content


def rewritten_parquet(data: bytes) -> bytes:
    table, sink = pq.read_table(pa.py_buffer(data)), pa.BufferOutputStream()
    assert b"maskkit" in table.schema.metadata
    pq.write_table(table.slice(3), sink, write_page_checksum=True)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def rewritten_checkpoint(data: bytes, folder: Path) -> bytes:
    (folder / "old").write_bytes(data)
    with safe_open(folder / "old", "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert "maskkit.crc32" in metadata
    return save({name: value + 1 for name, value in tensors.items()}, metadata)


def rewritten_decision(data: bytes) -> bytes:
    return json.dumps({**json.loads(data), "temperature": 2.0}, indent=2).encode()


def rewritten_exported(data: bytes) -> bytes:
    model = onnx.load_model_from_string(data)
    model.doc_string = "quantized"
    return model.SerializeToString()  # type: ignore[no-any-return]


def rewritten_resume(data: bytes) -> bytes:
    content, buffer = torch.load(io.BytesIO(data), weights_only=True), io.BytesIO()
    torch.save({**content, "state": {}}, buffer)
    return buffer.getvalue()


def test_what_another_program_has_changed_and_written_anew_is_not_damaged(tmp_path: Path) -> None:
    for data in (
        rewritten_parquet(parquet(tmp_path)),
        rewritten_checkpoint(checkpoint(tmp_path), tmp_path),
        rewritten_decision(decision(tmp_path)),
        rewritten_exported(exported(tmp_path)),
        rewritten_resume(resume(tmp_path)),
    ):
        refuse_damaged(memoryview(data), "x")
        assert not seals_of(data)


@pytest.mark.parametrize("indent", [None, 0, 1, 2, 4])
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",", " : ")])
def test_json_laid_out_otherwise_has_no_seal(
    separators: tuple[str, str], indent: int | None, tmp_path: Path
) -> None:
    text = json.dumps(json.loads(decision(tmp_path)), indent=indent, separators=separators)
    assert Decision.read(Source("d", pa.py_buffer(text.encode()))).method == "classes"
    data = checkpoint(tmp_path)
    end = 8 + struct.unpack("<Q", data[:8])[0]
    head = json.dumps(json.loads(data[8:end]), indent=indent, separators=separators).encode()
    head += b" " * (-len(head) % 8)
    refuse_damaged(memoryview(struct.pack("<Q", len(head)) + head + data[end:-1] + b"x"), "x")
