"""Heads: what stands in the place of a timm model's classifier, and how it learns."""

from maskkit.modeling.heads.attaching import attach, heads_of, is_plain, stored_numbers, timm_dropout
from maskkit.modeling.heads.heads import (
    AUXILIARY,
    HEADS,
    MAIN,
    Heads,
    divided,
    joint_logits,
    part_losses,
)
from maskkit.modeling.heads.numbers import Numbers, numeric_factors
from maskkit.modeling.heads.part import Classify, HeadPart, Main

__all__ = [
    "AUXILIARY",
    "HEADS",
    "MAIN",
    "Classify",
    "HeadPart",
    "Heads",
    "Main",
    "Numbers",
    "attach",
    "divided",
    "heads_of",
    "is_plain",
    "joint_logits",
    "numeric_factors",
    "part_losses",
    "stored_numbers",
    "timm_dropout",
]
