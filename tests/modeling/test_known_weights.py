"""Which weights this machine can use now, found without the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from maskkit.errors import MaskkitError
from maskkit.modeling.known_weights import KnownWeights, known_weights
from maskkit.modeling.packaged import INSTALL

HUB = "--model test_resnet.r160_in1k --weights hub"
AUTO = KnownWeights("--weights auto", "auto", f"takes {HUB}")


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches and an empty working folder."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def save(path: Path, name: str = "test_resnet") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(timm.create_model(name).state_dict(), path)


def snapshot(caches: Path, repository: str) -> Path:
    """Lay a file out as the hub's client does."""
    name = f"models--{repository.replace('/', '--')}"
    (caches / "hf" / name / "refs").mkdir(parents=True)
    (caches / "hf" / name / "refs" / "main").write_text("0123abcd")
    return caches / "hf" / name / "snapshots" / "0123abcd" / "model.safetensors"


def test_without_anything_there_is_what_can_be_downloaded(caches: Path) -> None:
    assert known_weights("test_resnet") == [AUTO, KnownWeights(HUB, "hub", "to be downloaded")]


def test_what_the_hub_has_given_is_in_the_cache_and_named_once(caches: Path) -> None:
    save(snapshot(caches, "timm/test_resnet.r160_in1k"))
    assert known_weights("test_resnet") == [AUTO, KnownWeights(HUB, "hub", "in the cache")]


def test_files_of_the_working_folder_say_whether_they_fit(caches: Path) -> None:
    save(Path("good.pth.tar"))
    save(Path("other.ckpt"), "test_vit")
    Path("empty.pth").touch()
    Path("notes.txt").touch()
    save(Path("folder/model.safetensors"))
    Path("folder/config.json").write_text('{"architecture": "test_resnet"}')
    Path("plain-folder").mkdir()
    found = {one.options: one.state for one in known_weights("test_resnet") if one.kind == "file"}
    assert found == {
        "--weights empty.pth": "cannot be used: it is empty",
        "--weights folder": "fits",
        "--weights good.pth.tar": "fits",
        "--weights other.ckpt": found["--weights other.ckpt"],
    }
    assert found["--weights other.ckpt"].startswith("cannot be used: 77 missing")


def test_names_are_written_as_a_shell_takes_them(caches: Path) -> None:
    save(Path("my weights.pth"))
    save(Path("hub/model.safetensors"))
    Path("hub/config.json").write_text('{"architecture": "test_resnet"}')
    found = [one.options for one in known_weights("test_resnet") if one.kind == "file"]
    assert found == ["--weights ./hub", "--weights 'my weights.pth'"]


def test_a_folder_that_may_not_be_looked_into_is_passed_over(
    caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("closed").mkdir()
    is_file = Path.is_file

    def guarded(path: Path) -> bool:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", guarded)
    assert [one.kind for one in known_weights("test_resnet")] == ["auto", "hub"]


def test_of_the_caches_only_what_fits_is_named(caches: Path) -> None:
    inside = snapshot(caches, "somebody/faces")
    save(inside)
    save(snapshot(caches, "somebody/others"), "test_vit")
    save(caches / "torch" / "hub" / "checkpoints" / "mine.pth")
    save(caches / "torch" / "hub" / "checkpoints" / "yours.pth", "test_vit")
    found = [one.options for one in known_weights("test_resnet") if one.kind == "file"]
    mine = caches / "torch" / "hub" / "checkpoints" / "mine.pth"
    assert found == [f"--weights {inside}", f"--weights {mine}"]


def test_a_package_is_installed_or_can_be(caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskkit.modeling.packaged.find_spec", lambda _: object())
    assert known_weights("tf_efficientnet_lite0")[:2] == [
        KnownWeights("--weights auto", "auto", "takes --weights package"),
        KnownWeights("--weights package", "package", "installed"),
    ]
    monkeypatch.setattr("maskkit.modeling.packaged.find_spec", lambda _: None)
    assert [one.state for one in known_weights("tf_efficientnet_lite0")[:2]] == [
        "takes --model tf_efficientnet_lite0.in1k --weights hub", INSTALL,
    ]  # fmt: skip


def test_of_a_model_without_pretrained_weights_it_says_what_auto_would_end_in(caches: Path) -> None:
    assert known_weights("convnext_atto_rms") == [
        KnownWeights("--weights auto", "auto", "an error: --weights none starts from random ones")
    ]


def test_an_unknown_model_is_refused(caches: Path) -> None:
    with pytest.raises(MaskkitError, match="unknown model"):
        known_weights("resnet19")
