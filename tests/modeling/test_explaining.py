from importlib.util import find_spec

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling import explaining
from maskkit.modeling.explaining import heats, last_feature_map, need_grad_cam, under_heat

grad_cam_is_there = pytest.mark.skipif(
    find_spec("pytorch_grad_cam") is None, reason="the package grad-cam is not installed"
)


class Corners(nn.Module):
    """Answers class 0 by what is red, and class 1 by what is green, wherever it is."""

    feature_info = ({"module": "look", "num_chs": 2},)

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(3, 2, kernel_size=8, stride=8, bias=False)
        with torch.no_grad():
            self.look.weight.zero_()
            self.look.weight[0, 0] = self.look.weight[1, 1] = 1 / 64

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.look(images)
        return maps.relu().mean((2, 3))


def scaled(batch: Tensor, device: torch.device) -> Tensor:
    return batch.to(device).float().permute(0, 3, 1, 2) / 255


@pytest.fixture
def photo() -> np.ndarray:
    """Red at the top left, green at the bottom right, (1, 32, 32, 3)."""
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    pixels[0, :8, :8, 0] = pixels[0, 24:, 24:, 1] = 255
    return pixels


@grad_cam_is_there
def test_the_heat_is_where_the_answer_comes_from(photo: np.ndarray) -> None:
    for_red, for_green = heats(Corners(), photo, scaled, [[0], [1]], name="corners")
    assert for_red.shape == (1, 32, 32)
    assert for_red[0, :4, :4].min() > 0.9
    assert for_red[0, 12:].max() < 0.01
    assert for_green[0, 28:, 28:].min() > 0.9
    assert for_green[0, :20].max() < 0.01


@grad_cam_is_there
def test_each_photo_has_its_own_class(photo: np.ndarray) -> None:
    both = np.concatenate([photo, photo])
    (found,) = heats(Corners(), both, scaled, [[0, 1]], name="corners")
    assert found[0, 0, 0] > 0.9
    assert found[1, 0, 0] < 0.01
    assert found[1, -1, -1] > 0.9


def test_the_layer_is_the_last_that_lies_over_the_photo() -> None:
    model = timm.create_model("test_efficientnet", num_classes=3).eval()
    layer = last_feature_map(model, torch.zeros(1, 3, 64, 64), name="test_efficientnet")
    assert layer is model.get_submodule("blocks.4")


def test_a_model_without_a_map_is_refused_with_a_reason() -> None:
    model = timm.create_model("test_vit", num_classes=3, img_size=64).eval()
    with pytest.raises(MaskkitError, match="cannot tell what test_vit looked at") as caught:
        last_feature_map(model, torch.zeros(1, 3, 64, 64), name="test_vit")
    assert "needs a convolutional feature map" in caught.value.why
    with pytest.raises(MaskkitError) as unknown:
        last_feature_map(nn.Identity(), torch.zeros(1, 3, 64, 64), name="own")
    assert "timm does not name" in unknown.value.why


def test_without_the_package_it_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "find_spec", lambda _: None)
    with pytest.raises(MaskkitError) as caught:
        need_grad_cam()
    assert "pip install --no-deps grad-cam ttach" in caught.value.fix


def test_no_heat_leaves_the_photo_as_it_is() -> None:
    grey = np.full((20, 10, 3), 90, np.uint8)
    cold = under_heat(grey, np.zeros((20, 10), np.float32), height=40)
    assert cold.shape == (40, 20, 3)
    assert (cold == 90).all()
    hot = under_heat(grey, np.ones((20, 10), np.float32), height=40)
    assert (hot[..., 0] == round(0.45 * 90 + 0.55 * 255)).all()
