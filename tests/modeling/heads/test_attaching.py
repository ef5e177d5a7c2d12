"""Where a head goes in a timm model, and where it cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.backbone import build
from maskkit.modeling.heads import Heads, attach, heads_of, is_plain, stored_numbers, timm_dropout
from maskkit.options.choices import Choice, parse_sum
from maskkit.options.techniques import HEADS


def choices(text: str) -> tuple[Choice, ...]:
    return parse_sum(text, HEADS, option="--head")


@pytest.mark.parametrize("text", ["joint", "joint:dropout=0.5"])
def test_the_plain_head_is_timms_own(text: str) -> None:
    model = build("test_efficientnet", classes=18, drop_rate=timm_dropout(choices(text)))
    before = model.state_dict()
    assert is_plain(choices(text))
    assert attach(model, choices(text), HOME) is model
    assert type(model.classifier) is nn.Linear
    assert model.state_dict().keys() == before.keys()
    assert model.drop_rate == choices(text)[0].settings["dropout"]


@pytest.mark.parametrize("text", ["joint:hidden=8", "joint:samples=2", "joint+factors", "factors", "cosine"])
def test_other_heads_drop_features_themselves(text: str) -> None:
    assert not is_plain(choices(text))
    assert timm_dropout(choices(text)) == 0


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("test_efficientnet", "classifier"),
        ("test_resnet", "fc"),
        ("test_vit", "head"),
        ("test_convnext", "head.fc"),
        ("caformer_s18", "head.fc.fc2"),
    ],
)
def test_stands_in_the_place_of_the_classifier(name: str, place: str) -> None:
    model = build(name, classes=18)
    features = model.get_submodule(place).in_features
    attach(model.eval(), choices("factors"), HOME)
    head = model.get_submodule(place)
    assert head is heads_of(model)
    assert isinstance(head, Heads)
    assert not head.training  # as the model
    assert [layers.last.in_features for layers in head.parts["factors"].factors] == [features] * 3  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deit_tiny_distilled_patch16_224", "several classifiers"),
        ("resnetv2_18", "a Conv2d"),
    ],
)
def test_a_model_without_one_linear_classifier_is_refused(name: str, why: str) -> None:
    with torch.device("meta"):
        model = build(name, classes=18)
    with pytest.raises(MaskkitError, match=f"{name} cannot have another head") as caught:
        attach(model, choices("factors"), HOME)
    assert why in caught.value.why


def test_a_model_that_was_not_asked_for_another_head_may_have_any_classifier() -> None:
    model = build("dla46x_c", classes=18)
    assert heads_of(attach(model, choices("joint"), HOME)) is None


def test_a_state_without_auxiliary_parts_holds_no_numbers() -> None:
    model = attach(build("test_resnet", classes=18), choices("factors"), HOME)
    assert stored_numbers(model.state_dict()) is None
