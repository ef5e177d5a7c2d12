from __future__ import annotations

import json
import struct
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save
from seals import unsealed

from maskkit.artifacts.checkpoint import (
    Checkpoint,
    CheckpointFacts,
    Crop,
    Preprocess,
    StoredPreprocess,
    write_checkpoint,
)
from maskkit.artifacts.header import KEY, Header, Record
from maskkit.artifacts.seen import Seen
from maskkit.errors import MaskkitError
from maskkit.labels import HOME

PREPROCESS = Preprocess(128, 96, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2), "bicubic")
FACTS = CheckpointFacts(
    model="test_efficientnet",
    preprocess=PREPROCESS,
    precision="float32",
    fold=3,
    epoch=7,
    scores={"macro_f1": 0.5},
    seen=Seen.of(["001", "002"], salt="s"),
).to_json()
HEADER = Header("checkpoint", HOME, (Record("train", {"seed": 1}),), FACTS)


def weights() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "b.weight": torch.randn(3, 4, generator=generator),
        "a.bias": torch.randn(3, generator=generator),
        "a.num_batches_tracked": torch.tensor(5),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path / "fold3.safetensors", weights(), HEADER)
    return tmp_path / "fold3.safetensors"


def test_tells_pooling_and_heads(tmp_path: Path) -> None:
    facts = {**FACTS, "heads": ["joint:hidden=8", "regression:weight=0.1"], "pool": "gem"}
    write_checkpoint(tmp_path / "c", weights(), replace(HEADER, facts=facts))
    checkpoint = Checkpoint.read(tmp_path / "c")
    assert checkpoint.heads == ("joint:hidden=8", "regression:weight=0.1")
    assert checkpoint.pool == "gem"


def test_comes_back_with_all_that_using_it_needs(path: Path) -> None:
    checkpoint = Checkpoint.read(path)
    assert checkpoint.name == str(path)
    assert checkpoint.space == HOME
    assert (checkpoint.model, checkpoint.fold, checkpoint.precision) == ("test_efficientnet", 3, "float32")
    assert checkpoint.preprocess == PREPROCESS
    assert checkpoint.seen.contains(["001", "003"]).tolist() == [True, False]
    assert [record.stage for record in checkpoint.header.history] == ["train"]
    again = checkpoint.weights()
    assert again.keys() == weights().keys()
    assert all(torch.equal(again[name], value) for name, value in weights().items())


def test_the_same_content_gives_the_same_bytes_in_whatever_order(path: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "again", dict(reversed(weights().items())), HEADER)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_tied_and_strided_weights_are_saved_as_copies(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    tied = {"a": tensor, "b": tensor, "view": tensor[0], "turned": tensor.T}
    write_checkpoint(tmp_path / "tied", tied, HEADER)
    again = Checkpoint.read(tmp_path / "tied").weights()
    assert all(torch.equal(again[name], value) for name, value in tied.items())


def test_weights_with_gradients_and_of_half_precision_are_saved(tmp_path: Path) -> None:
    given = {"a": torch.ones(2, requires_grad=True), "b": torch.ones(2, dtype=torch.bfloat16)}
    write_checkpoint(tmp_path / "c", given, HEADER)
    again = Checkpoint.read(tmp_path / "c").weights()
    assert again["b"].dtype == torch.bfloat16
    assert not again["a"].requires_grad


def test_its_header_is_read_and_shown_without_torch(path: Path) -> None:
    code = (
        "import sys; from maskkit.artifacts.files import Source; from maskkit.stages.show import show; "
        "print(show(Source.open(sys.argv[1]))['model'], 'torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert found.stdout == "test_efficientnet False\n"


def test_its_tensors_begin_at_a_multiple_of_eight_bytes(tmp_path: Path) -> None:
    for length in range(8):
        write_checkpoint(
            tmp_path / "c", weights(), replace(HEADER, facts={**FACTS, "note": "x" * length}), force=True
        )
        assert struct.unpack("<Q", (tmp_path / "c").read_bytes()[:8])[0] % 8 == 0


def test_a_file_cut_off_anywhere_is_refused(path: Path) -> None:
    data = unsealed(path.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    for end in (0, 1, 7, 8, 9, 8 + length - 1, 8 + length, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(MaskkitError, match="is not a safetensors file") as caught:
            Checkpoint.read(path)
        assert str(path) in caught.value.what
        assert caught.value.why


def framed(header: object, rest: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


@pytest.mark.parametrize(
    "data",
    [
        framed([]),
        framed(b"{"),
        framed(b"\xff\xff"),
        framed({"a": 3}),
        framed({"a": {}}),
        framed({"a": {"data_offsets": [0]}}),
        framed({"__metadata__": 3}),
        framed({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"),
        struct.pack("<Q", 1 << 62) + b"{}",
        b"PAR1 is Parquet",
        b"ImageID,ans\na,1\n",
        b"\x80\x04 a pickle",
    ],
)
def test_a_file_of_another_format_is_refused_and_never_unpickled(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(MaskkitError, match="is not a safetensors file"):
        Checkpoint.read(tmp_path / "x")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_a_foreign_safetensors_file_is_sent_to_the_option_that_takes_it(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    (tmp_path / "timm.safetensors").write_bytes(save(weights(), metadata=metadata))
    with pytest.raises(MaskkitError, match="has no maskkit header") as caught:
        Checkpoint.read(tmp_path / "timm.safetensors")
    assert "--weights" in caught.value.fix


@pytest.mark.parametrize(
    "fact", sorted(FACTS.keys() - {"pool", "model_settings"})
)  # files from before it are read
def test_a_checkpoint_that_keeps_a_fact_to_itself_is_refused(tmp_path: Path, fact: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != fact}
    write_checkpoint(tmp_path / "x", weights(), Header("checkpoint", HOME, (), facts))
    with pytest.raises(MaskkitError, match=f"does not say its {fact}"):
        Checkpoint.read(tmp_path / "x")


def test_another_kind_in_a_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(save(weights(), metadata={KEY: Header("manifest", HOME).to_json()}))
    with pytest.raises(MaskkitError, match="is a manifest, not a checkpoint"):
        Checkpoint.read(tmp_path / "x")


def stored(data: object) -> Preprocess:
    return Preprocess.of(msgspec.convert(data, StoredPreprocess))


def test_preprocessing_survives_json() -> None:
    assert stored(json.loads(json.dumps(FACTS["preprocess"]))) == PREPROCESS


def test_how_photos_are_cut_comes_back() -> None:
    cutting = replace(PREPROCESS, crop=Crop(0.3, (0.25, 0.125, 0.75, 0.5)))
    assert stored(json.loads(json.dumps(asdict(cutting)))) == cutting


def test_a_model_of_photos_that_were_cut_by_the_old_rule_is_refused_and_one_of_whole_photos_is_not() -> None:
    whole = {**asdict(PREPROCESS), "crop": False}  # as it was written before there was a margin
    assert stored(whole) == PREPROCESS
    with pytest.raises(MaskkitError, match="without a margin"):
        stored({**whole, "crop": True})
