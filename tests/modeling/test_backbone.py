from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import (
    build,
    input_size_of,
    layer_numbers,
    parameter_groups,
    preprocessing_of,
)
from maskkit.modeling.ending import head_names
from maskkit.modeling.packaged import INSTALL

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
    with pytest.raises(MaskkitError, match="no pretrained weights for vit_base_patch16_18x2_224") as caught:
        build("vit_base_patch16_18x2_224", classes=2, pretrained=True)
    assert "--weights none" in caught.value.fix


def test_a_failed_download_names_the_ways_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    for name in ("test_efficientnet", "tf_efficientnet_lite0.in1k"):
        with pytest.raises(MaskkitError, match="could not download") as caught:
            build(name, classes=2, pretrained=True)
        assert "--weights FILE" in caught.value.fix
        assert "--weights none" in caught.value.fix
        assert (INSTALL in caught.value.fix) == name.startswith("tf_")


def test_settings_are_tried_before_weights_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    create = timm.create_model

    def watch(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
        asked.append(pretrained)
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", watch)
    with pytest.raises(MaskkitError, match="timm cannot build test_efficientnet:stem_size=8"):
        build("test_efficientnet", classes=2, pretrained=True, settings={"stem_size": 8})
    assert asked == [False]
    build("test_efficientnet", classes=2, pretrained=True, settings={"pad_type": "same"})
    build("test_efficientnet", classes=2, pretrained=True)
    assert asked == [False, False, True, True]


def test_published_weights_that_do_not_fit_the_settings_are_not_called_a_failed_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create, fetched = timm.create_model, timm.create_model("test_resnet", num_classes=2).state_dict()

    def offline(name: str, *, pretrained: bool, **options: Any) -> nn.Module:
        model = create(name, **options)
        if pretrained:
            model.load_state_dict(fetched)
        return model

    monkeypatch.setattr(timm, "create_model", offline)
    build("test_resnet", classes=2, pretrained=True, settings={"act_layer": "silu"})
    with pytest.raises(
        MaskkitError, match="weights of test_resnet do not fit test_resnet:layers=2x1x1x1"
    ) as caught:
        build("test_resnet", classes=2, pretrained=True, settings={"layers": [2, 1, 1, 1]})
    assert "--weights none" in caught.value.fix


def test_tells_the_preprocessing_of_pretrained_weights() -> None:
    lite = build("tf_efficientnet_lite0", classes=2)
    assert preprocessing_of(lite) == {"mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic"}
    assert input_size_of(lite) == (224, 224)
    assert preprocessing_of(build("efficientnet_lite0", classes=2))["mean"] == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("name", MODELS)
def test_groups_hold_each_trainable_parameter_once_at_its_rate(name: str) -> None:
    model = build(name, classes=7)
    frozen = next(model.parameters()).requires_grad_(False)
    groups = parameter_groups(model, learning_rate=0.1, head=4.0, weight_decay=0.05)
    grouped = [parameter for group in groups for parameter in group["params"]]
    trainable = [parameter for parameter in model.parameters() if parameter is not frozen]
    assert sorted(map(id, grouped)) == sorted(map(id, trainable))
    head = {id(model.get_parameter(name)) for name in head_names(model)}
    for group in groups:
        assert {group["lr"]} == {0.4 if id(parameter) in head else 0.1 for parameter in group["params"]}


@pytest.mark.parametrize("name", MODELS)
def test_decays_all_but_biases_and_one_dimensional_parameters(name: str) -> None:
    model = build(name, classes=7)
    groups = parameter_groups(model, learning_rate=0.1, head=1.0, weight_decay=0.05)
    decay = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    for module in model.modules():
        for kind, parameter in module.named_parameters(recurse=False):
            is_weight = isinstance(module, nn.Linear | nn.Conv2d) and kind == "weight"
            if is_weight or parameter.ndim == 1:
                assert decay[id(parameter)] == (0.05 if is_weight else 0)


def test_a_bias_of_several_dimensions_is_not_decayed() -> None:
    model = build("test_resnet", classes=7)
    model.register_parameter("bias", nn.Parameter(torch.zeros(2, 2)))
    groups = parameter_groups(model, learning_rate=0.1, head=1.0, weight_decay=0.05)
    decays = [group["weight_decay"] for group in groups for each in group["params"] if each is model.bias]
    assert decays == [0]


def test_layer_wise_decay_lowers_the_rate_by_the_depth_from_the_head() -> None:
    model = build("test_resnet", classes=7)  # a stem, four stages of one block each, the head
    rates = rate_by_name(model, layer_decay=0.5)
    prefixes = {"fc": 2.0, "layer4": 0.5, "layer3": 0.25, "layer2": 0.125, "layer1": 0.0625, "conv1": 0.03125}
    for name, rate in rates.items():
        expected = [factor for prefix, factor in prefixes.items() if name.startswith(prefix)]
        assert rate == pytest.approx(0.1 * (expected[0] if expected else 0.03125)), name


@pytest.mark.parametrize("name", [*MODELS, "convnext_atto", "mobilenetv3_small_050"])
def test_layer_wise_decay_agrees_with_timms(name: str) -> None:
    model = build(name, classes=7)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    timms = {
        names[id(parameter)]: group["lr_scale"]
        for group in param_groups_layer_decay(model, layer_decay=0.75)
        for parameter in group["params"]
    }
    ours = rate_by_name(model, layer_decay=0.75, head=1.0)
    assert ours == pytest.approx({name: 0.1 * scale for name, scale in timms.items()})


def rate_by_name(model: nn.Module, *, layer_decay: float, head: float = 2.0) -> dict[str, float]:
    groups = parameter_groups(model, learning_rate=0.1, head=head, layer_decay=layer_decay)
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    return {name: rates[id(parameter)] for name, parameter in model.named_parameters()}


def test_what_comes_after_the_last_block_has_the_backbones_highest_rate() -> None:
    rates = rate_by_name(build("convnext_atto", classes=7), layer_decay=0.5)
    assert rates["head.norm.weight"] == 0.1
    assert rates["head.fc.weight"] == 0.2
    assert rates["stages.3.blocks.1.conv_dw.weight"] == 0.05


def test_a_layer_may_be_a_block_or_a_whole_stage() -> None:
    model = build("resnet18", classes=7)
    fine, coarse = (layer_numbers(model, coarse=coarse, fix="") for coarse in (False, True))
    assert (max(fine.values()), max(coarse.values())) == (
        9,
        5,
    )  # a stem, eight blocks or four stages, the head
    assert fine["fc.weight"] == 9
    assert set(fine) == set(coarse) == dict(model.named_parameters()).keys()


@pytest.mark.parametrize("name", MODELS)
def test_is_the_same_without_layer_wise_decay_whatever_the_layers(name: str) -> None:
    model = build(name, classes=7)
    given = parameter_groups(model, learning_rate=2e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    head = set(head_names(model))
    assert len(given) == 4
    order = [(False, 0.05), (False, 0.0), (True, 0.05), (True, 0.0)]
    found = [
        ({names[id(parameter)] in head for parameter in group["params"]}, group["lr"], group["weight_decay"])
        for group in given
    ]
    expected = [({in_head}, 4e-3 if in_head else 2e-3, decay) for in_head, decay in order]
    assert sorted(found, key=str) == sorted(expected, key=str)
    for group in given:  # in the order of the model, which fixes the order of what an optimizer adds up
        places = [list(names).index(id(parameter)) for parameter in group["params"]]
        assert places == sorted(places)


def test_refuses_layer_wise_decay_where_the_layers_are_not_known() -> None:
    model = Backboneless(nn.Linear(3, 2))
    assert parameter_groups(model, learning_rate=0.1)
    with pytest.raises(MaskkitError, match="layers of Backboneless are not known") as caught:
        parameter_groups(model, learning_rate=0.1, layer_decay=0.9)
    assert "does not tell them" in caught.value.why
    assert "layer_decay at 1" in caught.value.fix


def test_says_when_a_model_tells_its_blocks_and_not_its_stages() -> None:
    with torch.device("meta"):
        model = build("rdnet_tiny", classes=2)
    assert layer_numbers(model, coarse=False, fix="")
    with pytest.raises(MaskkitError, match="layers of RDNet are not known") as caught:
        layer_numbers(model, coarse=True, fix="")
    assert "coarse grouping is not implemented" in caught.value.why


class Backboneless(nn.Sequential):
    """A head without a backbone, as there is when that is frozen."""

    def get_classifier(self) -> nn.Module:
        return self


def test_the_optimizer_takes_the_groups() -> None:
    groups = parameter_groups(
        build("test_resnet", classes=2), learning_rate=1e-3, head=10.0, weight_decay=0.1, layer_decay=1.0
    )
    optimizer = torch.optim.AdamW(groups)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [1e-3, 1e-2]
