from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, input_size_of
from maskkit.modeling.ending import backbone_state, begin_at_zero, head_names, last_layers, only_last_layer

# One of each kind of classifier that timm has, and how many layers give its logits.
ENDINGS = {
    "test_efficientnet": 1,  # a linear layer at the top,
    "efficientvit_b0": 1,  # or deeper,
    "inception_next_atto": 1,  # or behind a hidden layer
    "caformer_s18": 1,  # a perceptron
    "repvit_m0_9": 2,  # batch norms and layers, of a distilled model
    "levit_256d": 1,
    "levit_128s": 2,
    "levit_384_s8": 2,  # of which timm's configuration names one
    "cpubone_t0": 1,  # a module with a layer in it
    "sequencer2d_s": 1,  # pooling and a layer
    "samvit_base_patch16_224": 1,
    "deit_tiny_distilled_patch16_224": 2,
    "volo_d1_224": 2,  # an auxiliary classifier
    "crossvit_tiny_240": 2,  # a list
    "efficientvim_m1_dist": 8,  # two lists
    "resnetv2_18": 1,  # a convolution
    "dla46_c": 1,
    "dpn48b": 1,
}


def built(name: str, *, classes: int) -> nn.Module:
    if name not in timm.list_models():
        pytest.skip(f"timm {timm.__version__} does not have {name} yet")
    with torch.device("meta"):
        return build(name, classes=classes)


@pytest.mark.parametrize(("name", "count"), ENDINGS.items())
def test_the_last_layers_are_all_that_depends_on_the_number_of_classes(name: str, count: int) -> None:
    model, other = built(name, classes=7), built(name, classes=8).state_dict()
    differing = [key for key, tensor in model.state_dict().items() if tensor.shape != other[key].shape]
    assert sorted(head_names(model)) == sorted(differing)
    assert len(last_layers(model)) == count
    assert sorted([*head_names(model), *backbone_state(model)]) == sorted(model.state_dict())


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "resnet10t", "repvit_m0_9"])
def test_a_head_of_zeros_finds_all_classes_equally_likely(name: str) -> None:
    model = build(name, classes=18)
    before = {key: tensor.clone() for key, tensor in backbone_state(model).items()}
    begin_at_zero(model)
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone_state(model).items())
    probs = model.eval()(torch.randn(2, 3, *input_size_of(model))).softmax(1)
    torch.testing.assert_close(probs, torch.full((2, 18), 1 / 18))


@pytest.mark.parametrize("name", ["caformer_s18", "repvit_m0_9", "levit_256d"])
def test_a_model_whose_classifier_is_more_than_a_layer_learns_in_all_of_it(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, classes=18)
    begin_at_zero(model)
    size = input_size_of(model) if name.startswith("levit") else (64, 64)
    images, optimizer = torch.randn(4, 3, *size), torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(4):  # the first moves the last layer, the next what is not behind a norm of zeros
        optimizer.zero_grad()
        nn.functional.cross_entropy(model.train()(images), torch.arange(4)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    silent = [key for key, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert not silent
    assert float(model(images).detach().std(0).max()) > 1e-4


@pytest.mark.parametrize(
    ("name", "why"), [("deit_tiny_distilled_patch16_224", "head and head_dist"), ("volo_d1_224", "2 classif")]
)
def test_a_model_with_several_classifiers_has_not_one_last_layer(name: str, why: str) -> None:
    with pytest.raises(MaskkitError, match=f"{name} cannot have another head") as caught:
        only_last_layer(built(name, classes=2))
    assert why in caught.value.why


def test_a_classifier_of_every_token_is_no_last_layer() -> None:
    model = build("resnet50_clip", classes=2)
    assert only_last_layer(model)[0] == "head.proj"
    with pytest.raises(MaskkitError, match="resnet50_clip cannot have another head") as caught:
        only_last_layer(model, size=(32, 32))
    assert caught.value.why == "of one photo its classifier head.proj is given 1x2x2048, and not 1x2048"
    for name in ("test_resnet", "resnetv2_18"):
        assert only_last_layer(build(name, classes=2), size=(32, 32))[0] in ("fc", "head.fc")


def test_a_model_without_its_second_classifier_has_one_last_layer() -> None:
    with pytest.raises(MaskkitError, match="cannot have another head") as caught:
        only_last_layer(built("repvit_m0_9", classes=2))
    assert "--model repvit_m0_9:distillation=false" in caught.value.fix
    with torch.device("meta"):
        model = build("repvit_m0_9", classes=2, settings={"distillation": False})
    assert only_last_layer(model)[0] == "head.head.l"
    assert list(last_layers(model)) == ["head.head.l"]


def test_an_encoder_is_refused() -> None:
    with pytest.raises(MaskkitError, match="cannot name classes") as caught:
        built("gemma4_vit_167m_enc", classes=2)
    assert "timm knows no classifier" in caught.value.why
