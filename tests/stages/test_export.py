from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.decode import load
from maskkit.imaging.roots import photo_files
from maskkit.modeling.state_files import read_state_file
from maskkit.options.train_options import Inference
from maskkit.stages import export as module
from maskkit.stages.export import export
from maskkit.stages.predict import predict
from maskkit.stages.show import header_of, show

onnx = pytest.importorskip("onnx", reason="needs maskkit[onnx]")


@pytest.fixture
def checkpoint(checkpoints: list[Path]) -> Checkpoint:
    return Checkpoint.read(checkpoints[0])


def metadata(data: bytes) -> dict[str, Any]:
    return {item.key: item.value for item in onnx.load_model_from_string(data).metadata_props}


def test_a_stranger_predicts_with_nothing_but_the_file(
    checkpoint: Checkpoint, labels: Manifest, folds: Manifest
) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="needs maskkit[onnx]")
    data = export(checkpoint)
    told = metadata(data)
    mean, std = json.loads(told["mean"]), json.loads(told["std"])
    assert told["size"] == "32x32"
    assert told["input"].startswith("images: float32, photos x RGB x height x width")
    held_out = folds.select(folds.folds == 0)
    pixels = np.stack([load(file, checkpoint.preprocess) for file in photo_files(held_out)])
    images = ((pixels / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    (logits,) = runtime.InferenceSession(data).run(["logits"], {"images": images})
    inference = Inference("cpu", 16, 0, runtime="torch", precision="float32")
    predictions = predict(held_out, [checkpoint], inference=inference)
    assert predictions.probs is not None
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose(shares, predictions.probs, atol=1e-5)
    assert json.loads(told["classes"]) == checkpoint.space.names


def test_show_finds_a_changed_byte_anywhere(checkpoint: Checkpoint) -> None:
    data = export(checkpoint)
    assert show(Source("m.onnx", pa.py_buffer(data)))["form"] == "ONNX"
    for at in (0, len(data) // 2, len(data) - 1):
        with pytest.raises(MaskkitError, match=r"m\.onnx is damaged"):
            show(Source("m.onnx", pa.py_buffer(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])))


def test_is_known_for_what_it_is_where_weights_are_wanted(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "m.pth").write_bytes(export(checkpoint))
    with pytest.raises(MaskkitError, match="cannot read weights") as caught:
        read_state_file(tmp_path / "m.pth")
    assert caught.value.why == "it is an ONNX model"


def test_gives_the_same_bytes_twice(checkpoint: Checkpoint) -> None:
    assert export(checkpoint) == export(checkpoint)


def test_the_header_tells_as_much_as_the_checkpoint_and_how_it_was_made(checkpoint: Checkpoint) -> None:
    given = Source("model.onnx", pa.py_buffer(export(checkpoint)))
    header = header_of(given)
    assert header.space == checkpoint.space
    assert [record.stage for record in header.history] == ["label", "split", "train", "export"]
    assert header.history[-1].inputs[0].sha256 == checkpoint.source.sha256
    facts = show(given)
    assert (facts["kind"], facts["form"], facts["model"]) == ("model", "ONNX", checkpoint.model)
    assert facts["preprocess"] == checkpoint.header.facts["preprocess"]
    assert facts["people trained on"] == 16


def test_without_onnx_it_says_what_to_install(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MaskkitError, match="cannot write ONNX") as caught:
        export(checkpoint)
    assert "pip install onnx onnxruntime" in caught.value.fix


def test_without_onnxruntime_it_says_that_nothing_was_compared(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with caplog.at_level(logging.WARNING, "maskkit"):
        export(checkpoint)
    assert "not compared with torch" in caplog.text
