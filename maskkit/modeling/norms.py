"""Batch norm where several processes compute a batch together."""

from __future__ import annotations

import hashlib

import torch
from timm.layers import norm_act
from torch import Tensor, nn

STATISTICS = ("running_mean", "running_var")


def statistics_of(model: nn.Module) -> list[Tensor]:
    """Return what batch norm keeps of the photos it has seen."""
    return [buffer for name, buffer in model.named_buffers() if name.rpartition(".")[2] in STATISTICS]


def state_digest(model: nn.Module) -> str:
    """Return the sha256 of a model's weights and statistics, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def synchronise(model: nn.Module) -> nn.Module:
    """Let batch norm see the batches of all processes; names and values of the state are unchanged."""
    converted: nn.Module = norm_act.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    return converted
