from __future__ import annotations

import pyarrow as pa
import pytest

from maskkit.artifacts.exported import MOST_FIELDS, exported_header, is_onnx
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.errors import MaskkitError
from maskkit.labels import HOME

onnx = pytest.importorskip("onnx", reason="needs maskkit[onnx]")


def written(**metadata: str) -> bytes:
    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "ab"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:]))
    onnx.helper.set_model_props(model, metadata)
    return bytes(model.SerializeToString())


def source(data: bytes) -> Source:
    return Source("model.onnx", pa.py_buffer(data))


def test_reads_the_header_that_was_written_by_the_library() -> None:
    header = Header("model", HOME, (Record("export", {}),), {"model": "résnet"})
    given = source(written(classes="[1]" * 100, maskkit=header.to_json()))
    assert is_onnx(given)
    assert exported_header(given) == header


def test_a_model_from_elsewhere_is_an_error_that_says_so() -> None:
    given = source(written(author="someone"))
    assert is_onnx(given)
    with pytest.raises(MaskkitError, match=r"model\.onnx has no maskkit header") as caught:
        exported_header(given)
    assert "not one that `maskkit export` wrote" in caught.value.why


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"\x08\x08", b"\x08" + b"\xff" * 30, b"\x08\x08\x0f", b"PAR1"]
)
def test_other_bytes_are_no_model(data: bytes) -> None:
    assert not is_onnx(source(data))


def test_a_model_cut_off_anywhere_is_never_misread() -> None:
    data = written(maskkit=Header("model", HOME).to_json())
    for end in range(len(data)):
        given = source(data[:end])
        if is_onnx(given):  # cut between two fields
            with pytest.raises(MaskkitError):
                exported_header(given)


@pytest.mark.parametrize("entry", [b"\x0a\xff", b"\x0a", b"\x0f", b"\xff" * 20])
def test_metadata_that_is_damaged_is_none(entry: bytes) -> None:
    given = source(b"\x08\x08\x3a\x00\x72" + bytes([len(entry)]) + entry)
    assert is_onnx(given)
    with pytest.raises(MaskkitError, match="has no maskkit header"):
        exported_header(given)


def test_a_file_of_more_fields_than_a_model_has_is_none() -> None:
    assert is_onnx(source(b"\x08\x08" * 10 + b"\x3a\x00"))
    assert not is_onnx(source(b"\x08\x08" * MOST_FIELDS + b"\x3a\x00"))
