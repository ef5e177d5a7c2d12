from __future__ import annotations

import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.backbone import build, input_size_of
from maskkit.modeling.ending import head_names
from maskkit.modeling.frozen import backbone_digest, divide
from maskkit.modeling.heads import attach
from maskkit.modeling.heads.numbers import Numbers
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import HEADS


@pytest.mark.parametrize("name", ["test_efficientnet", "test_resnet", "test_vit", "test_convnext"])
def test_the_head_on_the_features_answers_as_the_model(name: str) -> None:
    torch.manual_seed(0)
    model = build(name, classes=7)
    size = input_size_of(model)
    backbone = divide(model, size=size, dropout=0.5)
    head = backbone.head
    images = torch.rand(3, 3, *size)
    with torch.inference_mode():
        features = backbone.extract(images)
        assert features.shape == (3, backbone.width)
        assert torch.allclose(head.eval()(features), model(images), atol=1e-4)
        assert not torch.equal(head.train()(features), head(features))  # dropout


def test_the_head_shares_the_models_last_layer() -> None:
    model = build("test_efficientnet", classes=7)
    head = divide(model, size=(32, 32), dropout=0.0).head
    nn.init.zeros_(head.classifier.weight)  # type: ignore[arg-type]
    assert not model.state_dict()["classifier.weight"].any()
    assert head_names(head) == ["classifier.weight", "classifier.bias"]


class TwoHeads(nn.Module):
    """A model whose answers are the mean of two layers', as distilled transformers' are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))

    def forward_head(self, features: torch.Tensor, *, pre_logits: bool = False) -> torch.Tensor:
        return features if pre_logits else (self.first(features) + self.second(features)) / 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        return self.first


@pytest.mark.parametrize("model", [TwoHeads(), nn.Conv2d(3, 2, 1)])
def test_a_model_of_another_shape_is_refused(model: nn.Module) -> None:
    with pytest.raises(MaskkitError, match="cannot be frozen"):
        divide(model, size=(16, 16), dropout=0.0)


def test_the_digest_is_of_every_weight_but_the_heads() -> None:
    model = build("test_efficientnet", classes=7)
    before = backbone_digest(model)
    nn.init.zeros_(model.get_classifier().weight)  # type: ignore[operator]
    assert backbone_digest(model) == before
    next(model.buffers()).add_(1)
    assert backbone_digest(model) != before


def headed(name: str, text: str, *, ages: tuple[float, ...] = (18, 60)) -> nn.Module:
    numbers = Numbers.of(torch.tensor(ages)[:, None], HOME)
    model = build(name, classes=18, pool="gem" if name == "test_efficientnet" else "default")
    return attach(model, parse_sum(text, HEADS, option="--head"), HOME, numbers=numbers)


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "caformer_s18"])
@pytest.mark.parametrize("text", ["factors:samples=3+coral", "arcface"])
def test_a_head_of_several_parts_learns_from_features_as_from_photos(name: str, text: str) -> None:
    torch.manual_seed(0)
    model = headed(name, text)
    size = input_size_of(model) if name == "test_vit" else (64, 64)
    backbone = divide(model, size=size, dropout=0.0)
    images = torch.rand(3, 3, *size)
    with torch.inference_mode():
        features = backbone.extract(images)
        assert torch.allclose(backbone.head.eval()(features), model(images), atol=1e-4)
    outputs = backbone.head.train()(features.clone())
    assert isinstance(outputs, dict)
    torch.cat([output.flatten() for output in outputs.values()]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in backbone.head.parameters())
    assert head_names(backbone.head) == [name for name, _ in backbone.head.named_parameters()]


def test_the_digest_does_not_depend_on_the_head_or_what_it_knows_of_ages() -> None:
    digests = set()
    for text, ages in [("joint", (18, 60)), ("joint+coral", (18, 60)), ("joint+coral", (20, 59))]:
        torch.manual_seed(0)
        digests.add(backbone_digest(headed("test_efficientnet", text, ages=ages)))
    assert len(digests) == 1


def test_a_head_of_zeros_hides_no_wrong_ending() -> None:
    model = TwoHeads()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    with pytest.raises(MaskkitError, match="cannot be frozen"):
        divide(model, size=(32, 32), dropout=0.0)
