"""What a network looked at for a class: Grad-CAM, from Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391.

Each channel of the last feature map is weighted by how much the class's logit rises with it (equations 1 and
2), by the package grad-cam. The map is a few cells across: it tells cheek from forehead, and not more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.extras import install_line

# From no heat, black, through red to the hottest, ever lighter, so that it prints in grey too.
COLOURS = np.array([[0, 0, 0], [120, 0, 60], [220, 40, 20], [250, 150, 20], [255, 245, 160]], np.float32)
SHARE = 0.55  # of the hottest colour over the photo

Pixels = NDArray[np.uint8]


def need_grad_cam() -> None:
    """Raise a MaskkitError, with how it is installed, if the package is not there."""
    if find_spec("pytorch_grad_cam") is None:
        raise MaskkitError(
            "cannot show what the model looked at",
            why="the package grad-cam is not installed",
            fix=f"{install_line('explain')}; or leave out --explain",
        )


def heats(
    model: nn.Module,
    pixels: Pixels,
    prepare: Callable[[Tensor, torch.device], Tensor],
    classes: Sequence[Sequence[int]],
    *,
    name: str,
) -> list[NDArray[np.float32]]:
    """Return for each list of classes how much each place adds to them: heat from 0 to 1, (N, height, width).

    The photos are (N, height, width, 3), and are taken to what the timm model takes by `prepare`; each list
    has a class per photo. Error texts name the model by `name`.

    Raises:
        MaskkitError: The model has no feature map that lies over the photo.
    """
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model.eval()
    images = prepare(torch.from_numpy(pixels), torch.device("cpu"))
    layer = last_feature_map(model, images[:1], name=name)
    with GradCAM(model=model, target_layers=[layer]) as cam:
        return [
            np.asarray(cam(images, [ClassifierOutputTarget(one) for one in each]), np.float32)
            for each in classes
        ]


def last_feature_map(model: nn.Module, images: Tensor, *, name: str) -> nn.Module:
    """Return the layer that gives the last feature map, by what timm says of the model.

    Raises:
        MaskkitError: It gives tokens, or channels last, as attention models do.
    """
    info = getattr(model, "feature_info", None)
    shapes: list[tuple[int, ...]] = []
    if info:
        layer = model.get_submodule(info[-1]["module"])
        hook = layer.register_forward_hook(lambda _module, _given, output: shapes.append(tuple(output.shape)))
        with torch.inference_mode():
            model(images)
        hook.remove()
        if shapes and len(shapes[0]) == 4 and shapes[0][1] == info[-1]["num_chs"]:
            return layer
    what = f"its last layer gives {shapes[0]}" if shapes else "timm does not name its feature maps"
    raise MaskkitError(
        f"--explain cannot tell what {name} looked at",
        why=f"{what}; Grad-CAM needs a convolutional feature map, (photos, channels, height, width)",
        fix="leave out --explain, or explain a convolutional model",
    )


def under_heat(photo: Pixels, heat: NDArray[np.float32], *, height: int) -> Pixels:
    """Lay heat, from 0 to 1, (height, width), over a photo, (height, width, 3), the more opaque the hotter.

    The picture returned is `height` pixels high; its width follows.
    """
    size = (max(1, round(photo.shape[1] * height / photo.shape[0])), height)
    large = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    hot = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR).clip(0, 1)
    stops = np.linspace(0, 1, len(COLOURS))
    colour = np.stack([np.interp(hot, stops, channel) for channel in COLOURS.T], axis=-1)
    opaque = (SHARE * hot)[..., None]
    return np.asarray((large * (1 - opaque) + colour * opaque).clip(0, 255).round(), np.uint8)
