"""What `--weights` names: files, words behind them, and folders in the layout of Hugging Face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, preprocessing_of
from maskkit.modeling.hub_layout import locate, read_config
from maskkit.modeling.weights import load_weights

TIMM = {
    "architecture": "test_resnet", "num_classes": 1000, "model_type": "timm_wrapper",
    "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "interpolation": "bilinear"},
}  # fmt: skip


def folder_of(config: object, folder: Path, *, prefix: str = "", name: str = "model.safetensors") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    state = {f"{prefix}{name}": one for name, one in timm.create_model("test_resnet").state_dict().items()}
    (save_file if name.endswith("safetensors") else torch.save)(state, folder / name)
    return folder


def test_a_word_behind_a_colon_is_no_part_of_the_path_unless_a_file_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "best.pth"
    path.touch()
    assert (locate(f"{path}:ema").path, locate(f"{path}:ema").word) == (path, "ema")
    assert locate(f"{path}:plain").word == "plain"
    named = tmp_path / "best.pth:ema"
    named.touch()
    assert (locate(str(named)).path, locate(str(named)).word) == (named, None)
    with pytest.raises(MaskkitError, match=r"best\.pth:median"):
        locate(f"{path}:median")


def test_a_name_that_no_file_can_have_is_refused() -> None:
    for text in ("n" * 300, "n" * 300 + ":ema"):
        with pytest.raises(MaskkitError) as caught:
            locate(text)
        assert "too long" in caught.value.why


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("prefix", ["", "timm_model."])
def test_a_folder_gives_the_weights_and_how_photos_were_prepared(
    name: str, prefix: str, tmp_path: Path
) -> None:
    folder = folder_of(TIMM, tmp_path / "hub", prefix=prefix, name=name)
    assert locate(folder).path == folder / name
    model = build("test_resnet", classes=5)
    origin, _ = load_weights(model, folder)
    assert str(folder / name) in origin
    assert ("'timm_model.'" in origin) == bool(prefix)
    assert preprocessing_of(model) == {
        "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "interpolation": "bilinear",
    }  # fmt: skip


def test_the_other_sort_of_a_folder_is_offered_by_the_folder(tmp_path: Path) -> None:
    folder = folder_of(TIMM, tmp_path / "hub", name="pytorch_model.bin")
    state = timm.create_model("test_resnet").state_dict()
    torch.save({"model": state, "model_ema": state}, folder / "pytorch_model.bin")
    assert f"give {folder}:plain" in load_weights(build("test_resnet", classes=5), f"{folder}:ema")[0]


def test_another_architecture_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = folder_of(TIMM, tmp_path / "hub")
    with pytest.raises(MaskkitError, match="not of the model test_vit") as caught:
        load_weights(build("test_vit", classes=5), folder)
    assert caught.value.fix == "use --model test_resnet"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"]}, "transformers (vit)"),
        ({"hidden_size": 3}, "no `architecture`"),
        ("{", "truncated"),
        ("[1]", "should be a table, and is a list"),
        ({**TIMM, "pretrained_cfg": {"mean": [0.1, 0.2]}}, "its mean is [0.1, 0.2]"),
        ({**TIMM, "pretrained_cfg": {"std": [1, 1, 0]}}, "its std[2] should be a number above 0"),
        ({**TIMM, "pretrained_cfg": {"mean": "imagenet"}}, "its mean should be"),
    ],
)
def test_other_configurations_are_refused(config: Any, why: str, tmp_path: Path) -> None:
    folder = folder_of(config, tmp_path / "hub")
    with pytest.raises(MaskkitError, match="cannot take the weights") as caught:
        load_weights(build("test_resnet", classes=5), folder)
    assert why in caught.value.why


def test_a_grey_mean_counts_for_each_channel_and_an_unknown_filter_for_none(tmp_path: Path) -> None:
    stated = {"architecture": "test_resnet", "mean": [0.5], "std": [0.25], "interpolation": "random"}
    config = read_config(folder_of(stated, tmp_path / "hub") / "config.json")
    assert config.preprocessing == {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}


@pytest.mark.parametrize(
    ("lacking", "why"), [("config.json", "no config"), ("model.safetensors", "no model")]
)
def test_a_folder_that_lacks_a_file_is_refused(lacking: str, why: str, tmp_path: Path) -> None:
    folder = folder_of(TIMM, tmp_path / "hub")
    (folder / lacking).unlink()
    with pytest.raises(MaskkitError, match="the folder") as caught:
        locate(folder)
    assert why in caught.value.why
