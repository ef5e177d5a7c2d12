from __future__ import annotations

import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build, head_names, input_size_of
from maskkit.modeling.frozen import backbone_digest, divide


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
