"""Read files of weights as tools save them: by their content, and without running what is in them."""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import stat
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import pyarrow as pa
import torch
from safetensors.torch import load

from maskkit.artifacts.files import Source
from maskkit.errors import MaskkitError, examples
from maskkit.modeling.state_limits import why_inflated, why_made_up, why_packed

SUFFIXES = (".safetensors", ".pth", ".pt", ".pth.tar", ".ckpt", ".bin")  # that such files usually have

Kind = Literal["safetensors", "zip", "legacy"]  # the latter as torch saved before its version 1.6
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickled number, by which torch knows its own
# What tensors and plain values are made by in such a file, all of which torch allows.
PLAIN_GLOBALS = re.compile(
    r"(torch(\.(_utils|_tensor|storage|nn\.parameter))?\.\w+|collections\.(OrderedDict|Counter)|_codecs\.encode)$"
)
HEAD = 1024  # bytes that tell what a file is

ANOTHER = "give a state dict that torch or safetensors saved"
# How files begin that hold no state dict, in which sentence they are refused, and what to do.
FOREIGN = (
    (rb"version https://git-lfs", "it is a pointer of Git LFS, and the weights are elsewhere",
     "fetch them with `git lfs pull`"),
    (rb"\s*<(!doctype html|html|\?xml)", "it is a web page, such as an error or the page about the file",
     "download the file itself; on Hugging Face, its link has `resolve` in the place of `blob`"),
    (rb"\x89HDF", "it is an HDF5 file, as Keras saves them", ANOTHER),
    (rb"\x08.{1,5}(pytorch|onnx|tf2onnx|skl2onnx|maskkit)", "it is an ONNX model", ANOTHER),
    (rb"GGUF|.{4}TFL3", "it is a model for inference (GGUF or TFLite)", ANOTHER),
    (rb"\x93NUMPY", "it is a NumPy array", ANOTHER),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "it is compressed", "decompress it"),
    (rb".{257}ustar", "it is a tar archive", "unpack it with `tar -xf`, and give the file inside"),
)  # fmt: skip


class Inert:
    """Stands for an object in a pickle: takes whatever it is made from and set to, and does nothing."""

    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> Self:  # noqa: D102 - the class says it
        return super().__new__(cls)

    def __setstate__(self, _: object) -> None:
        """Keep nothing."""


class InertMapping:
    """Stands for an object that is filled as a mapping is: none is made of it, but an empty dict."""

    def __new__(cls, *_: object, **__: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]  # noqa: D102
        return OrderedDict()


@dataclass(frozen=True)
class StateFile:
    """What a file of weights holds."""

    path: Path
    kind: Kind
    content: object  # tensors and plain values, in mappings; a subclass of `Inert` for any other object
    skipped: tuple[str, ...] = ()  # the classes of objects that were left out

    @property
    def is_misnamed(self) -> bool:
        """Whether its name says that it is safetensors, and it is not, or the other way round."""
        return (self.path.suffix == ".safetensors") != (self.kind == "safetensors")


def read_state_file(path: Path) -> StateFile:
    """Read a file of weights as a whole: of one that is mapped, another program could take the end away.

    Only tensors and plain values are unpickled, by torch's restricted unpickler. All other objects, such as
    the options in a checkpoint of timm's train.py, are replaced by ones that do nothing.

    Raises:
        MaskkitError: There is no such file, it holds no weights or is damaged, or its weights cannot be had
            without unpickling objects.
    """
    kind = _kind_of(path)
    data = Source.open(path).data
    try:
        if kind == "safetensors":
            return StateFile(path, kind, load(data.to_pybytes()))
        skipped = tuple(_objects(path, data, kind))
        content = _load(data, skipped)
        inflated = why_inflated(content, data.size)
    except MaskkitError:
        raise
    except pickle.UnpicklingError as error:
        detail = str(error).rpartition("WeightsUnpickler error:")[2].strip() or str(error)
        raise MaskkitError(
            f"refused to unpickle {path}",
            why="it is not plain tensors and values, and other pickles can run any code: "
            f"{detail.splitlines()[0].split('. ')[0]}",
            fix="where you trust it, save the state dict alone: "
            "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')",
        ) from error
    except Exception as error:  # a damaged file fails in many ways
        reason = (str(error) or repr(error)).splitlines()[0]
        raise _unreadable(
            path, f"it is cut off or damaged ({type(error).__name__}: {reason})", "download or save it again"
        ) from error
    if inflated is not None:
        raise _unreadable(path, inflated, ANOTHER)
    if isinstance(content, Inert):
        raise _whole_model(path, _name(content))
    return StateFile(path, kind, content, skipped)


def refuse_irregular(path: Path) -> None:
    """Raise a MaskkitError unless there is a regular file at `path`: a pipe could be read only once."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        fix = "check the path, or see `maskkit train --weights list`"
        raise _unreadable(path, "there is no such file", fix) from error
    except OSError as error:
        raise _unreadable(path, str(error.strerror).lower(), "check the path") from error
    if not stat.S_ISREG(mode):
        raise _unreadable(path, "it is a folder, a pipe or a device", "give a file")


def pickled_objects(content: object, *, depth: int = 3) -> Iterator[str]:
    """Name the classes of objects that stand as values in nested mappings."""
    if isinstance(content, Inert):
        yield _name(content)
    elif isinstance(content, dict) and depth:
        for value in content.values():
            yield from pickled_objects(value, depth=depth - 1)


def _name(stand_in: Inert) -> str:
    return type(stand_in).__name__


def _kind_of(path: Path) -> Kind:
    refuse_irregular(path)
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise _unreadable(path, str(error.strerror).lower(), "let yourself read it (chmod u+r)") from error
    if not head:
        raise _unreadable(path, "it is empty", "download or save it again")
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    if head.startswith(LEGACY):
        return "legacy"
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and length >> 40 == 0:
        if length + 8 > size:
            raise _unreadable(path, "it is cut off: its header is longer than the file", "download it again")
        return "safetensors"
    for start, why, fix in FOREIGN:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            raise _unreadable(path, why, fix)
    if head.startswith(b"\x80"):
        raise _unreadable(path, "it is a pickle that torch.save has not written", ANOTHER)
    raise _unreadable(path, f"it begins with {head[:12]!r}, as no format of PyTorch weights does", ANOTHER)


def _zip_kind(path: Path) -> Kind:
    """Tell torch's archives, which are zip files, from others."""
    try:
        with zipfile.ZipFile(path) as archive:
            names, packed = archive.namelist(), why_packed(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # of names, of versions
        raise _unreadable(path, "it is cut off or damaged", "download or save it again") from error
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        raise _unreadable(
            path,
            "it is a TorchScript program, and maskkit runs none",
            _in_python(f"torch.save(torch.jit.load({str(path)!r}).state_dict(), 'weights.pth')"),
        )
    if "data.pkl" in inside:
        if packed is not None:
            raise _unreadable(path, packed, "unpack it, and zip it again without compression (zip -0)")
        return "zip"
    others = {
        ".npy": "it holds NumPy arrays (.npz), as JAX saves them",
        "serialized_exported_program.json": "it is a program that torch.export has saved",
        "model.weights.h5": "it is a Keras model",
    }
    for name, why in others.items():
        if any(one.endswith(name) for one in names):
            raise _unreadable(path, why, ANOTHER)
    raise _unreadable(
        path, f"it is a zip archive of {examples(names)}", "unpack it, and give the file of weights"
    )


def _objects(path: Path, data: pa.Buffer, kind: Kind) -> list[str]:
    """Name what a file would have unpickled beside tensors and plain values, without unpickling it."""
    if kind == "zip":
        with zipfile.ZipFile(pa.BufferReader(data)) as archive:
            inside = next(name for name in archive.namelist() if name.partition("/")[2] == "data.pkl")
            named = _globals_of(io.BytesIO(archive.read(inside)))
    else:
        file = io.BytesIO(data)  # a number, a version, the machine, the content, the order of tensors
        named = set().union(*(_globals_of(file) for _ in range(5)))
    if why := why_made_up(named):
        raise _unreadable(path, why, ANOTHER)
    if kind == "zip":
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data)))
    return sorted(name for name in named if not PLAIN_GLOBALS.match(name))


def _globals_of(file: BinaryIO) -> set[str]:
    """Name the globals of one pickle as Python 3 does; torch writes the names of Python 2."""
    found = set()
    for operation, argument, _ in pickletools.genops(file):
        if operation.name == "GLOBAL":
            module, name = str(argument).split(" ", 1)
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
            found.add(f"{module}.{name}")
    return found


def _load(data: pa.Buffer, skipped: tuple[str, ...]) -> object:
    """Load with stand-ins for what is not plain; what is filled as a mapping needs others than the rest."""
    try:
        return _load_with([(name, Inert) for name in skipped], data)
    except (pickle.UnpicklingError, TypeError) as error:  # the latter of mappings, by torch 2.8
        if not skipped:
            raise
        kinds = [(name, Inert if name.startswith("numpy.") else InertMapping) for name in skipped]
        try:
            return _load_with(kinds, data)
        except (pickle.UnpicklingError, TypeError):
            raise error from None


def _load_with(stand_ins: Iterable[tuple[str, type]], data: pa.Buffer) -> object:
    classes: list[Any] = [(type(name, (base,), {"__slots__": ()}), name) for name, base in stand_ins]
    with torch.serialization.safe_globals(classes):
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _whole_model(path: Path, name: str) -> MaskkitError:
    return _unreadable(
        path,
        f"it is a whole pickled object, of the class {name}: unpickling it can run any code",
        _in_python(f"torch.save(torch.load({str(path)!r}, weights_only=False).state_dict(), 'weights.pth')"),
    )


def _in_python(line: str) -> str:
    return f'where you trust it, save its state dict: python -c "import torch; {line}"'


def _unreadable(path: Path, why: str, fix: str) -> MaskkitError:
    return MaskkitError(f"cannot read weights from {path}", why=why, fix=fix)
