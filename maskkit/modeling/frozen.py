"""A model whose backbone does not learn: what it makes of a photo, and the head that learns from that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import backbone_state, head_names, random_photos
from maskkit.modeling.folding import folded


class Head(nn.Module):
    """The last layer of a model, with dropout before it as by `drop_rate`, as a model of its own.

    The classifier takes features (N, F) to logits (N, C); or it is `Heads`, which drop features themselves.
    """

    def __init__(self, classifier: nn.Module, *, dropout: float) -> None:
        super().__init__()
        self.dropout, self.classifier = nn.Dropout(dropout), classifier

    def forward(self, features: Tensor) -> Tensor | dict[str, Tensor]:
        """Return logits, (N, C) of (N, F); of `Heads` in training what they return then."""
        return cast(Tensor | dict[str, Tensor], self.classifier(self.dropout(features)))

    def get_classifier(self) -> nn.Module:
        """Return the layer that gives the logits, as timm's models do."""
        return self.classifier


@dataclass(frozen=True)
class Backbone:
    """A model without its last layer, and that layer."""

    extract: Callable[[Tensor], Tensor]  # from images (N, 3, H, W) to features (N, width)
    width: int
    head: Head  # from features to logits; it shares the model's last layer


def divide(model: nn.Module, *, size: tuple[int, int], dropout: float) -> Backbone:
    """Divide a timm model, left in evaluation mode, into what is before its last layer, and the last layer.

    Raises:
        MaskkitError: The model has another ending than one layer on pooled features.
    """
    model.eval()
    images = random_photos(size, count=2).to(next(model.parameters()).device)
    with torch.inference_mode():
        try:
            head = Head(model.get_classifier(), dropout=dropout).eval()  # type: ignore[operator]
            probe = _with_random_head(model)
            extract = partial(_features, folded(probe, images))
            features = extract(images)
            logits = Head(probe.get_classifier(), dropout=dropout).eval()(features)  # type: ignore[operator]
            agrees = torch.allclose(logits, probe(images), rtol=1e-3, atol=1e-4)
            why = "its last layer alone does not give its logits"
        except (AttributeError, TypeError, RuntimeError) as error:
            agrees, why = False, (str(error) or repr(error)).splitlines()[0]
    if not agrees:
        raise MaskkitError(
            f"the backbone of {type(model).__name__} cannot be frozen",
            why=f"a frozen model is features and one layer on them, and {why}",
            fix="train it without --freeze, or choose another --model",
        )
    return Backbone(extract, features.shape[1], head)


def backbone_digest(model: nn.Module) -> str:
    """Return a digest of all weights but the head's."""
    digest = hashlib.sha256()
    for name, tensor in backbone_state(model).items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _with_random_head(model: nn.Module) -> nn.Module:
    """Return a copy with another head: one of zeros, as training begins with, would agree with anything."""
    probe, random = deepcopy(model), torch.Generator().manual_seed(0)
    head = set(head_names(probe))
    with torch.no_grad():
        for name, parameter in probe.named_parameters():
            if name in head:
                parameter.copy_(torch.randn(parameter.shape, generator=random) / 10)
    return probe


def _features(model: nn.Module, images: Tensor) -> Tensor:
    return model.forward_head(model.forward_features(images), pre_logits=True)  # type: ignore[operator, no-any-return]
