"""In which precision a model trains on a processor: decided by its layers, never by a clock."""

from __future__ import annotations

import logging
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from maskkit.modeling.device import ResolvedPrecision, autocast, prepare, threads_of

log = logging.getLogger(__name__)

# Multiply-adds per photo from which on bfloat16 is worth its rounding. With fewer, what a step does besides
# (starting operations, converting weights) takes as long as is gained: benchmarks/README.md has the table.
WORTH_IT = 2_500_000
SHOWN = 4  # photos of noise that the model is tried on

Size = tuple[int, int]  # height and width in pixels


def precision_for(model: nn.Module, size: Size) -> ResolvedPrecision:
    """Return the precision to train `model` in, on a processor that computes in bfloat16.

    That is bfloat16 if the layers multiply enough and can do it in bfloat16, or else float32. It follows from
    the model and the size of the photos alone: not from the load, the number of cores, or the batches. The
    model is left as it is, and so are torch's random numbers.
    """
    products = multiply_adds(model, size)
    millions = f"{products / 1e6:.3g} million multiply-adds per photo"
    if products < WORTH_IT:
        log.info("precision: float32 (%s; bfloat16 is for %.3g and more)", millions, WORTH_IT / 1e6)
        return "float32"
    if why := fault_in_bfloat16(model, size):
        log.info("precision: float32 (in bfloat16, %s)", why)
        return "float32"
    log.info("precision: bfloat16 (%s)", millions)
    return "bfloat16"


def multiply_adds(model: nn.Module, size: Size) -> int:
    """Count those of convolutions, products and attention in a photo's forward, in `model` as it is."""
    counter = FlopCounterMode(display=False)
    with threads_of(1), torch.random.fork_rng(devices=[]), torch.inference_mode(), counter:
        deepcopy(model).eval()(_noise(size)[:1])
    return counter.get_total_flops() // 2  # torch counts a multiplication and an addition


def fault_in_bfloat16(model: nn.Module, size: Size) -> str | None:
    """Take a step on noise in bfloat16, with a copy; return why it fails, or None.

    An operation may have no kernel for it, or a gradient leave its range.
    """
    device = torch.device("cpu")
    with threads_of(1), torch.random.fork_rng(devices=[]):
        images = _noise(size).contiguous(memory_format=torch.channels_last)
        copy = prepare(deepcopy(model), "bfloat16", device).train()
        try:
            with autocast(device, "bfloat16"):
                logits = copy(images)
            F.cross_entropy(logits.float(), logits.argmax(1)).backward()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            return str(error).splitlines()[0]
    gradients = (one.grad for one in copy.parameters() if one.grad is not None)
    return None if all(bool(one.isfinite().all()) for one in gradients) else "gradients are not finite"


def _noise(size: Size) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(SHOWN, 3, *size)
