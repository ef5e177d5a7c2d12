"""A short trial of which precision trains a model fastest on this processor, remembered for the next time."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import nn

from maskkit import __version__
from maskkit.artifacts.files import write_whole
from maskkit.cache.records import cache_folder
from maskkit.errors import MaskkitError
from maskkit.modeling.device import ResolvedPrecision, autocast, one_thread, prepare
from maskkit.typed_json import decoded

log = logging.getLogger(__name__)

GAIN = 1.1  # that bfloat16 must bring: its rounding costs something, and choices should not follow the load
ROUNDS, LONG_ENOUGH = 3, 20.0  # timed steps per precision, unless so many seconds have passed
FEWEST = 2  # photos; batch norm cannot learn from one

MOST_BYTES = 100_000  # of a file that remembers a trial

Rates = Mapping[ResolvedPrecision, float]  # photos per second


class StoredRates(msgspec.Struct):
    """The JSON of `Rates`."""

    float32: Annotated[float, Meta(gt=0)]
    bfloat16: Annotated[float, Meta(ge=0)]


class StoredTrial(msgspec.Struct):
    """The JSON of a trial; beside it stands what it was a trial of."""

    rates: StoredRates


@dataclass(frozen=True)
class Work:
    """What is timed: rates hold for the same work on the same processor."""

    model: str
    height: int
    width: int
    batch_size: int
    settings: str = ""  # of the model


def choose_precision(
    model: nn.Module,
    work: Work,
    *,
    folder: Path | None = None,
    measure: Callable[[nn.Module, Work], Rates] | None = None,
) -> ResolvedPrecision:
    """Return the precision that trains `model` fastest on this CPU, from an earlier trial if there was one.

    Trials are remembered in `folder`, or the cache folder. `measure` is `photos_per_second` if None. The
    model is left as it is, and so are torch's random numbers.
    """
    facts = {**asdict(work), "processor": _processor(), "threads": torch.get_num_threads()}
    facts |= {"torch": torch.__version__, "maskkit": __version__}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path: Path | None = None
    with suppress(RuntimeError):  # there is no home folder
        path = (folder or cache_folder()) / "precision" / f"{work.model}-{digest[:16]}.json"
    rates = _recall(path)
    is_new = rates is None
    if rates is None:
        rates = (measure or photos_per_second)(model, work)
        if path is not None:
            # A cache that cannot be written costs a trial, not a training.
            with suppress(MaskkitError, OSError):
                write_whole(path, json.dumps({**facts, "rates": rates}, indent=1).encode())
    choice = fastest(rates)
    other: ResolvedPrecision = "float32" if choice == "bfloat16" else "bfloat16"
    when = "a trial" if is_new else "an earlier trial"
    log.info("precision: %s (%.0f photos/s in %s; %s %.0f)", choice, rates[choice], when, other, rates[other])
    return choice


def fastest(rates: Rates) -> ResolvedPrecision:
    """Return bfloat16 if it is faster by a margin, or float32."""
    return "bfloat16" if rates["bfloat16"] >= GAIN * rates["float32"] else "float32"


def photos_per_second(model: nn.Module, work: Work) -> Rates:
    """Time the forward and backward of a few steps on noise, in turns, and return the best of each precision.

    One thread takes its share of a batch, and what counts is its processor time, so that other work of the
    machine does not decide. With several threads it would: some of oneDNN's bfloat16 kernels spin while their
    threads wait for one another (beside three busy programs, one layer of resnet18 took 500 ms of processor
    time on two threads where it takes 31 on one).

    A model that cannot compute in bfloat16, or has gradients there that are not finite, has a rate of 0.
    """
    threads = torch.get_num_threads()
    work = replace(work, batch_size=max(FEWEST, -(-work.batch_size // threads)))
    best: dict[ResolvedPrecision, float] = {"float32": 0.0, "bfloat16": 0.0}
    begun = time.perf_counter()
    with one_thread(), torch.random.fork_rng(devices=[]):
        steps = {precision: _step(model, work, precision) for precision in best}
        for number in range(ROUNDS + 1):
            for precision in list(steps):
                started = time.process_time()
                try:
                    steps[precision](is_checked=not number and precision != "float32")
                except RuntimeError:  # such as an operation that has no bfloat16
                    if precision == "float32":
                        raise
                    del steps[precision]
                    continue
                if number:  # the first step of each plans its kernels
                    rate = threads * work.batch_size / (time.process_time() - started)
                    best[precision] = max(best[precision], rate)
            if number and time.perf_counter() - begun > LONG_ENOUGH:
                break
    return best


class _Step(Protocol):
    def __call__(self, *, is_checked: bool) -> None:
        """Take a step, and raise a RuntimeError if its gradients are not finite and that is checked."""


def _step(model: nn.Module, work: Work, precision: ResolvedPrecision) -> _Step:
    device = torch.device("cpu")
    copy = prepare(deepcopy(model), precision, device).train()
    images = torch.randn(work.batch_size, 3, work.height, work.width)
    images = images.contiguous(memory_format=torch.channels_last)

    def step(*, is_checked: bool) -> None:
        with autocast(device, precision):
            logits = copy(images)
        copy.zero_grad(set_to_none=True)
        F.cross_entropy(logits.float(), logits.argmax(1)).backward()  # type: ignore[no-untyped-call]
        gradients = (one.grad for one in copy.parameters() if one.grad is not None)
        if is_checked and not all(bool(one.isfinite().all()) for one in gradients):
            raise RuntimeError("gradients are not finite")

    return step


def _processor() -> str:
    """Name the processor and what it can do: virtual machines give several of them the same name."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    has_tiles = torch.cpu._is_amx_tile_supported()
    return f"{name} ({torch.backends.cpu.get_cpu_capability()}{', AMX' if has_tiles else ''})"


def _recall(path: Path | None) -> Rates | None:
    """Return the rates of an earlier trial, or None if there is none that can be read."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            trial = decoded(file.read(MOST_BYTES + 1), StoredTrial, _passed_over, most=MOST_BYTES)
    except (OSError, MaskkitError):
        return None
    return {"float32": trial.rates.float32, "bfloat16": trial.rates.bfloat16}


def _passed_over(why: str) -> MaskkitError:
    return MaskkitError("the trial cannot be read", why=why, fix="none is needed: it is made again")
