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

from maskkit.errors import MaskkitError, reason
from maskkit.modeling.backbone import random_photos
from maskkit.modeling.ending import another_model, backbone_state, head_names, last_layers, model_name
from maskkit.modeling.folding import folded


class Head(nn.Module):
    """The last layer of a model, with dropout before it as by `drop_rate`, as a model of its own.

    It takes features (N, F) to logits (N, C); or it is `Heads`, which drop features themselves.
    """

    def __init__(self, classifier: nn.Module, *, dropout: float) -> None:
        super().__init__()
        self.dropout, self.classifier = nn.Dropout(dropout), classifier

    def forward(self, features: Tensor) -> Tensor | dict[str, Tensor]:
        """Return logits, (N, C) of (N, F); of `Heads` in training what they return then."""
        features = self.dropout(features)
        if isinstance(self.classifier, nn.Conv2d):
            return cast(Tensor, self.classifier(features[:, :, None, None]).flatten(1))
        return cast(Tensor | dict[str, Tensor], self.classifier(features))

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

    What is before is the model with nothing in the last layer's place, so that no family has to be known.

    Raises:
        MaskkitError: The model has another ending than one layer on pooled features.
    """
    model.eval()
    ends = last_layers(model)
    if len(ends) != 1:
        raise _cannot(model, f"it has {len(ends)} classifiers" if ends else "it has no classifier")
    ((name, layer),) = ends.items()
    images = random_photos(size, count=2).to(next(model.parameters()).device)
    probe = _with_random_head(model)
    bare = deepcopy(model)
    bare.set_submodule(name, nn.Identity())
    with torch.inference_mode():
        try:
            extract = partial(_flat, folded(bare, images))
            features = extract(images)
            logits = Head(probe.get_submodule(name), dropout=dropout).eval()(features)
            agrees = torch.allclose(cast(Tensor, logits), probe(images), rtol=1e-3, atol=1e-4)
            why = "its last layer alone does not give its logits"
        except (AttributeError, TypeError, RuntimeError) as error:
            agrees, why = False, reason(error)
    if not agrees:
        raise _cannot(model, why)
    return Backbone(extract, features.shape[1], Head(layer, dropout=dropout).eval())


def _cannot(model: nn.Module, why: str) -> MaskkitError:
    return MaskkitError(
        f"the backbone of {model_name(model)} cannot be frozen",
        why=f"a frozen model is features and one layer on them, and {why}",
        fix=f"train it without --freeze all, or {another_model(model)}",
    )


def _flat(bare: nn.Module, images: Tensor) -> Tensor:
    return cast(Tensor, bare(images)).flatten(1)


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
