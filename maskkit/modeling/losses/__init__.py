"""Losses: one value per example; one file, one paper, one test.

Each of LOSSES is called as `loss(logits, target, weight=..., **settings)`; the sets say what some need beside
that. Each of CONSISTENCIES is called as `loss(weak, strong, **settings)` with logits of two views of photos
without labels, and also returns which of them counted.
"""

from collections.abc import Callable

from torch import Tensor

from maskkit.modeling.losses.balanced_softmax import balanced_softmax
from maskkit.modeling.losses.cross_entropy import cross_entropy
from maskkit.modeling.losses.f1 import f1
from maskkit.modeling.losses.fixmatch import fixmatch
from maskkit.modeling.losses.focal import focal
from maskkit.modeling.losses.ldam import ldam
from maskkit.modeling.losses.logit_adjusted import logit_adjusted
from maskkit.modeling.losses.poly import poly
from maskkit.modeling.losses.uda import uda

LOSSES: dict[str, Callable[..., Tensor]] = {
    "ce": cross_entropy,
    "focal": focal,
    "f1": f1,
    "ldam": ldam,
    "logit-adjusted": logit_adjusted,
    "balanced-softmax": balanced_softmax,
    "poly": poly,
}
COUNTING = frozenset({"ldam", "logit-adjusted", "balanced-softmax"})  # need `counts` (C,)
SCALED = frozenset({"ldam"})  # take the `scale` of the head
BATCHWISE = frozenset({"f1"})  # one value for the whole batch; take `example_weight` (N,)
CONSISTENCIES: dict[str, Callable[..., tuple[Tensor, Tensor]]] = {"uda": uda, "fixmatch": fixmatch}
