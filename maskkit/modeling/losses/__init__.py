"""Losses: one value per example; one file, one paper, one test."""

from collections.abc import Callable

from torch import Tensor

from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.focal import focal

LOSSES: dict[str, Callable[..., Tensor]] = {"ce": cross_entropy, "focal": focal}
