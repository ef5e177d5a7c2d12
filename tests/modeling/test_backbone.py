from pathlib import Path

import huggingface_hub
import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import (
    backbone_parameters,
    build,
    head_names,
    head_parameters,
    input_size_of,
    parameter_groups,
    preprocessing_of,
)

MODELS = ["test_efficientnet", "test_resnet", "test_vit"]


@pytest.mark.parametrize("name", MODELS)
def test_builds_a_model_by_name_with_the_classes_asked_for(name: str) -> None:
    model = build(name, classes=18).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 160, 160)).shape == (2, 18)


def test_passes_on_both_kinds_of_dropout() -> None:
    model = build("test_efficientnet", classes=2, drop_rate=0.3, drop_path=0.2)
    assert model.drop_rate == 0.3
    rates = [getattr(module, "drop_prob", None) for module in model.modules()]
    assert max(rate for rate in rates if rate) == pytest.approx(0.2, abs=0.05)


def test_refuses_a_dropout_that_the_model_does_not_know_unless_it_is_zero() -> None:
    with torch.no_grad():
        assert build("dla46x_c", classes=2).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    with torch.device("meta"):  # a large model, which says in another way what it does not know
        assert build("hrnet_w18", classes=2)(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    with pytest.raises(MaskkitError, match=r"dla46x_c cannot take a drop_path_rate of 0\.1"):
        build("dla46x_c", classes=2, drop_path=0.1)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("tf_eficientnet_lite0", "tf_efficientnet_lite0"), ("resnet81.a1_in1k", "resnet18")],
)
def test_suggests_the_models_that_an_unknown_name_may_mean(name: str, suggestion: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        build(name, classes=2)
    assert repr(name) in caught.value.what
    assert suggestion in caught.value.fix


def test_refuses_an_unknown_tag_and_lists_those_of_the_model() -> None:
    with pytest.raises(MaskkitError, match="'nope'") as caught:
        build("resnet18.nope", classes=2)
    assert "resnet18.a1_in1k" in caught.value.why


def test_says_when_a_model_has_no_pretrained_weights() -> None:
    with pytest.raises(MaskkitError, match="no pretrained weights for vit_base_patch16_18x2_224"):
        build("vit_base_patch16_18x2_224", classes=2, pretrained=True)


def test_a_failed_download_names_the_ways_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MaskkitError, match="could not download") as caught:
        build("test_efficientnet", classes=2, pretrained=True)
    assert "--weights FILE" in caught.value.fix
    assert "--weights package" in caught.value.fix


def test_tells_the_preprocessing_of_pretrained_weights() -> None:
    lite = build("tf_efficientnet_lite0", classes=2)
    assert preprocessing_of(lite) == {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    assert input_size_of(lite) == (224, 224)
    assert preprocessing_of(build("efficientnet_lite0", classes=2))["mean"] == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_is_in_the_head_or_in_the_backbone(name: str) -> None:
    model = build(name, classes=7)
    head, backbone = head_parameters(model), backbone_parameters(model)
    assert sorted(map(id, head + backbone)) == sorted(map(id, model.parameters()))
    assert sorted(tuple(parameter.shape)[:1] for parameter in head) == [(7,), (7,)]


def test_both_heads_of_a_distilled_model_are_its_head() -> None:
    model = build("deit_tiny_distilled_patch16_224", classes=2)
    assert head_names(model) == ["head.weight", "head.bias", "head_dist.weight", "head_dist.bias"]


@pytest.mark.parametrize("name", MODELS)
def test_groups_hold_each_trainable_parameter_once_at_its_rate(name: str) -> None:
    model = build(name, classes=7)
    frozen = backbone_parameters(model)[0].requires_grad_(False)
    groups = parameter_groups(model, learning_rate=0.1, head_learning_rate=0.4, weight_decay=0.05)
    grouped = [parameter for group in groups for parameter in group["params"]]
    trainable = [parameter for parameter in model.parameters() if parameter is not frozen]
    assert sorted(map(id, grouped)) == sorted(map(id, trainable))
    head = set(map(id, head_parameters(model)))
    for group in groups:
        assert {group["lr"]} == {0.4 if id(parameter) in head else 0.1 for parameter in group["params"]}


@pytest.mark.parametrize("name", MODELS)
def test_decays_all_but_biases_and_one_dimensional_parameters(name: str) -> None:
    model = build(name, classes=7)
    groups = parameter_groups(model, learning_rate=0.1, head_learning_rate=0.1, weight_decay=0.05)
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    for module in model.modules():
        for kind, parameter in module.named_parameters(recurse=False):
            is_weight = isinstance(module, nn.Linear | nn.Conv2d) and kind == "weight"
            if is_weight or parameter.ndim == 1:
                assert decay[id(parameter)] == (0.05 if is_weight else 0)


def test_a_bias_of_several_dimensions_is_not_decayed() -> None:
    model = build("test_resnet", classes=7)
    model.register_parameter("bias", nn.Parameter(torch.zeros(2, 2)))
    groups = parameter_groups(model, learning_rate=0.1, head_learning_rate=0.1, weight_decay=0.05)
    decays = [group["weight_decay"] for group in groups for each in group["params"] if each is model.bias]
    assert decays == [0]


def test_the_optimizer_takes_the_groups() -> None:
    groups = parameter_groups(
        build("test_resnet", classes=2), learning_rate=1e-3, head_learning_rate=1e-2, weight_decay=0.1
    )
    optimizer = torch.optim.AdamW(groups)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [1e-3, 1e-2]
