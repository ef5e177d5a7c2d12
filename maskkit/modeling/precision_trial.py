"""How fast a model trains in each precision on this machine, by the clock: what `bench` shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import nn

from maskkit.modeling.device import ResolvedPrecision, autocast, prepare, threads_of
from maskkit.modeling.precision_rule import fault_in_bfloat16

GAIN = 1.1  # that a precision must bring to be advised instead of another
ROUNDS, LONG_ENOUGH = 3, 20.0  # timed steps per precision, unless so many seconds have passed
FEWEST = 2  # photos; batch norm cannot learn from one

Rates = Mapping[ResolvedPrecision, float]  # photos per second


@dataclass(frozen=True)
class Work:
    """What is timed: rates hold for the same model and work on the same processor."""

    height: int
    width: int
    batch_size: int


def photos_per_second(model: nn.Module, work: Work) -> Rates:
    """Time the forward and backward of a few steps on noise, in turns, and return the best of each precision.

    One thread takes its share of a batch, and what counts is its processor time, so that other work of the
    machine does not decide. With several threads it would: some of oneDNN's bfloat16 kernels spin while their
    threads wait for one another (beside three busy programs, one layer of resnet18 took 500 ms of processor
    time on two threads where it takes 31 on one).

    A model that cannot compute in bfloat16, or has gradients there that are not finite, has a rate of 0. The
    model is left as it is, and so are torch's random numbers.
    """
    threads = torch.get_num_threads()
    work = replace(work, batch_size=max(FEWEST, -(-work.batch_size // threads)))
    best: dict[ResolvedPrecision, float] = {"float32": 0.0, "bfloat16": 0.0}
    begun = time.perf_counter()
    with threads_of(1), torch.random.fork_rng(devices=[]):
        fits = fault_in_bfloat16(model, (work.height, work.width)) is None
        steps = {
            precision: _step(model, work, precision) for precision in best if fits or precision == "float32"
        }
        for number in range(ROUNDS + 1):
            for precision, step in steps.items():
                started = time.process_time()
                step()
                if number:  # the first step of each plans its kernels
                    rate = threads * work.batch_size / (time.process_time() - started)
                    best[precision] = max(best[precision], rate)
            if number and time.perf_counter() - begun > LONG_ENOUGH:
                break
    return best


def _step(model: nn.Module, work: Work, precision: ResolvedPrecision) -> Callable[[], None]:
    device = torch.device("cpu")
    copy = prepare(deepcopy(model), precision, device).train()
    images = torch.randn(work.batch_size, 3, work.height, work.width)
    images = images.contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with autocast(device, precision):
            logits = copy(images)
        copy.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), logits.argmax(1)).backward()  # type: ignore[no-untyped-call]

    return step
