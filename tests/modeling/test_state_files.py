"""Files of weights: what they are is told by their content, and nothing in them runs."""

from __future__ import annotations

import argparse
import collections
import functools
import gzip
import io
import os
import pathlib
import pickle
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.state_files import Inert, pickled_objects, read_state_file

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


class Options(dict[str, Any]):
    """A mapping as configuration libraries have them."""


def saved(content: object, path: Path, **how: Any) -> Path:
    torch.save(content, path, **how)
    return path


def assert_state(content: Any) -> None:
    assert set(content) == set(STATE)
    assert all(torch.equal(content[name], tensor) for name, tensor in STATE.items())


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.pth.tar", "w.ckpt", "w.bin", "w.safetensors", "w"])
def test_a_name_decides_nothing(name: str, tmp_path: Path) -> None:
    file = read_state_file(saved(STATE, tmp_path / name))
    assert_state(file.content)
    assert (file.kind, file.is_misnamed) == ("zip", name == "w.safetensors")
    save_file(STATE, tmp_path / name)
    file = read_state_file(tmp_path / name)
    assert_state(file.content)
    assert (file.kind, file.is_misnamed) == ("safetensors", name != "w.safetensors")


def test_reads_what_torch_saved_before_its_archives_were_zip_files(tmp_path: Path) -> None:
    beside = collections.defaultdict(int, {"a": 1})
    content = {"state_dict": STATE, "args": argparse.Namespace(lr=0.1), "beside": beside}
    path = saved(content, tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    file = read_state_file(path)
    assert isinstance(file.content, dict)
    assert_state(file.content["state_dict"])
    assert file.skipped == ("argparse.Namespace", "builtins.int", "collections.defaultdict")


OBJECTS = {
    "timm's options": (argparse.Namespace(lr=0.1), "argparse.Namespace"),
    "a number of NumPy": (np.float64(0.5), "numpy"),
    "an array of NumPy": (np.ones(3), "numpy"),
    "a path": (pathlib.PurePosixPath("a/b"), "PurePosixPath"),  # of pathlib._local in Python 3.13
    "a mapping": (Options(lr=0.1), "Options"),
    "a mapping with a factory": (collections.defaultdict(list, {"a": [1]}), "collections.defaultdict"),
    "a mapping with a number of NumPy": (Options(lr=np.float64(0.5)), "numpy"),
    "a class": (Options, "Options"),
    "a function": (os.path.join, "posixpath.join"),
}


@pytest.mark.parametrize("described", OBJECTS)
def test_objects_beside_the_tensors_are_left_out_and_named(described: str, tmp_path: Path) -> None:
    value, name = OBJECTS[described]
    file = read_state_file(saved({"state_dict": STATE, "beside": value}, tmp_path / "w.pth"))
    assert isinstance(file.content, dict)
    assert_state(file.content["state_dict"])
    assert any(name in one for one in file.skipped)


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.made = (function, arguments)

    def __reduce__(self) -> Any:
        return self.made


class Sets:
    """Hands a state over to a class that acts by it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __setstate__(self, state: dict[str, str]) -> None:
        Path(state["path"]).touch()


ATTACKS: dict[str, Callable[[Path], object]] = {
    "os.system": lambda trap: Calls(os.system, f"touch {trap}"),
    "eval": lambda trap: Calls(eval, f"open({str(trap)!r}, 'w').close()"),
    "exec": lambda trap: Calls(exec, f"open({str(trap)!r}, 'w').close()"),
    "a method": lambda trap: Calls(Path.touch, trap),
    "subprocess": lambda trap: Calls(subprocess.check_call, ["touch", str(trap)]),
    "getattr": lambda trap: Calls(getattr, Path(trap), "touch"),
    "what a call returns": lambda trap: Calls(functools.partial(subprocess.check_call, ["touch", str(trap)])),
    "a state": lambda trap: Sets(str(trap)),
    "an own class": lambda trap: Calls(Calls, Path.touch, trap),
    "torch.load": lambda trap: Calls(torch.load, str(trap)),
    "a module of torch": lambda trap: Calls(torch.save, {}, str(trap)),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_in_a_pickle_runs(attack: str, zipped: bool, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    content = {"state_dict": STATE, "args": ATTACKS[attack](trap)}
    path = saved(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    try:
        file = read_state_file(path)
    except MaskkitError as error:
        assert "can run any code" in error.why  # noqa: PT017 - both are allowed
    else:
        assert isinstance(file.content, dict)
        assert_state(file.content["state_dict"])
    assert not trap.exists()


@pytest.mark.parametrize(
    "attack", ["eval", "a method", "subprocess", "what a call returns", "a state", "a module of torch"]
)
def test_the_attacks_would_work(attack: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    path = saved({"args": ATTACKS[attack](trap)}, tmp_path / "w.pth")
    torch.load(path, weights_only=False)
    assert trap.exists()


def test_what_stands_for_an_object_keeps_nothing_and_cannot_be_called() -> None:
    made: Any = Inert(1, two=2)
    made.__setstate__({"a": 1})
    assert not hasattr(made, "__dict__")
    assert not callable(made)
    with pytest.raises(AttributeError):
        made.a = 1


def test_a_whole_model_is_refused_by_its_class_with_a_line_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = saved(timm.create_model("test_resnet"), Path("whole.pth"))
    with pytest.raises(MaskkitError) as caught:
        read_state_file(path)
    assert "the class timm.models.resnet.ResNet" in caught.value.why
    _do(caught.value.fix)
    assert "fc.weight" in read_state_file(Path("weights.pth")).content  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_program_is_refused_with_a_line_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.jit.script(nn.Linear(3, 2)).save("script.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(MaskkitError, match="TorchScript") as caught:
        read_state_file(Path("script.pt"))
    _do(caught.value.fix)
    assert set(read_state_file(Path("weights.pth")).content) == {"weight", "bias"}  # type: ignore[call-overload]


def _do(fix: str) -> None:
    line = fix.partition('python -c "')[2].removesuffix('"')
    assert line
    exec(line, {})


def test_a_pickled_model_inside_is_named(tmp_path: Path) -> None:
    content = {"model": nn.Linear(3, 2), "epoch": 3}
    file = read_state_file(saved(content, tmp_path / "w.pth"))
    assert list(pickled_objects(file.content)) == ["torch.nn.modules.linear.Linear"]


def _zipped(names: list[str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return data.getvalue()


def _tarred() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights.pth"))
    return data.getvalue()


OTHERS = {
    "it is empty": b"",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "it is a web page": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "an ONNX model": b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:",
    "a NumPy array": b"\x93NUMPY\x01\x00",
    "for inference": b"GGUF\x03\x00\x00\x00",
    "it holds NumPy arrays": _zipped(["head/kernel.npy", "head/bias.npy"]),
    "it is compressed": gzip.compress(b"weights"),
    "a tar archive": _tarred(),
    "a zip archive of notes.txt": _zipped(["notes.txt"]),
    "a Keras model": _zipped(["metadata.json", "config.json", "model.weights.h5"]),
    "torch.export": _zipped(["model/serialized_exported_program.json"]),
    "torch.save has not written": pickle.dumps({"a": 1}),
    "it begins with b'hello": b"hello, I am no model",
    "its header is longer": (10_000).to_bytes(8, "little") + b'{"a":',
}


@pytest.mark.parametrize("why", OTHERS)
def test_says_what_a_file_is_that_holds_no_state_dict(why: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(OTHERS[why])
    with pytest.raises(MaskkitError, match="cannot read weights") as caught:
        read_state_file(path)
    assert why in caught.value.why


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_says_that_a_file_is_cut_off(kind: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    state = {f"layer{number}.weight": torch.ones(50) for number in range(20)}
    if kind == "safetensors":
        save_file(state, path)
    else:
        saved(state, path, _use_new_zipfile_serialization=kind == "zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(MaskkitError) as caught:
        read_state_file(path)
    assert "cut off" in caught.value.why


def test_a_pipe_a_folder_and_nothing_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (
        ("pipe", "a pipe"),
        (".", "a folder"),
        ("none.pth", "no such file"),
        ("n" * 300, "too long"),
    ):
        with pytest.raises(MaskkitError) as caught:
            read_state_file(tmp_path / name)
        assert why in caught.value.why


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists what is mapped")
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_a_file_that_loses_its_end_after_it_was_read_costs_no_bus_error(tmp_path: Path, name: str) -> None:
    path, tensors = tmp_path / name, {"a": torch.arange(100_000.0)}
    torch.save(tensors, path) if name.endswith("pth") else save_file(tensors, path)
    content = read_state_file(path).content
    os.truncate(path, 0)
    assert isinstance(content, dict)
    assert torch.equal(content["a"], tensors["a"])


def rezipped(path: Path, change: Callable[[bytes], bytes], how: int = zipfile.ZIP_STORED) -> Path:
    """Write what torch saved anew, with another pickle."""
    with zipfile.ZipFile(path) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in inside.items():
            archive.writestr(name, change(data) if name.endswith("data.pkl") else data)
    return path


BYTES_OF_A_NUMBER = b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\0\x94\x35\x77\0\x85R."


def test_an_archive_that_is_compressed_inside_is_refused(tmp_path: Path) -> None:
    path = rezipped(saved(STATE, tmp_path / "w.pth"), lambda data: data, zipfile.ZIP_DEFLATED)
    with pytest.raises(MaskkitError, match="cannot read weights from") as caught:
        read_state_file(path)
    assert "is compressed, and torch compresses nothing" in caught.value.why
    assert_state(read_state_file(rezipped(path, lambda data: data)).content)  # as the fix says


def test_bytes_that_a_number_makes_are_refused_before_they_are_made(tmp_path: Path) -> None:
    path = rezipped(saved(STATE, tmp_path / "w.pth"), lambda _: BYTES_OF_A_NUMBER)
    named = {**STATE, "of a text": bytearray(b"x")}
    legacy = saved(named, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    for one in (path, legacy):
        with pytest.raises(MaskkitError, match="cannot read weights from") as caught:
            read_state_file(one)
        assert "it holds a bytearray" in caught.value.why


def test_a_tensor_that_is_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    content = {"model": [{"a": torch.zeros(1).expand(1 << 40)}]}
    for is_zip in (True, False):
        path = saved(content, tmp_path / "w.pth", _use_new_zipfile_serialization=is_zip)
        with pytest.raises(MaskkitError, match="cannot read weights from") as caught:
            read_state_file(path)
        assert "a tensor (1099511627776,) takes" in caught.value.why
