"""Where to compute, in which number format and memory layout, and whether compiled."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal, cast

import torch
from torch import nn

from maskkit.artifacts.header import Record
from maskkit.artifacts.script import PROCESSES, THREADS
from maskkit.errors import MaskkitError
from maskkit.modeling.depthwise import speed_up
from maskkit.options.train_options import Device, Precision
from maskkit.processes.launched import launch

log = logging.getLogger(__name__)

MOST_THREADS = 1024  # that a file may ask for

ResolvedPrecision = Literal["float32", "bfloat16", "float16"]


def resolve_device(choice: Device) -> torch.device:
    """Return the device chosen, or for `auto` the fastest there is.

    Raises:
        MaskkitError: The device chosen is not there.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        return torch.device(next(name for name, is_there in present.items() if is_there))
    if not present[choice]:
        raise MaskkitError(
            f"there is no {choice} device",
            why=f"this machine and this build of torch have {', '.join(n for n in present if present[n])}",
            fix="use --device auto",
        )
    return torch.device(choice)


def resolve_precision(choice: Precision, device: torch.device) -> ResolvedPrecision:
    """Turn "auto" into the precision that suits `device`.

    That is bfloat16 where the processor computes with it itself, rather than by emulation, and float32
    elsewhere. Which is faster there depends on the model: `maskkit.modeling.precision_rule` decides.

    Raises:
        MaskkitError: It is "bfloat16" and torch has no autocast for `device`, or "float16" elsewhere than on
            CUDA.
    """
    if choice == "auto":
        return "bfloat16" if _computes_in_bfloat16(device) else "float32"
    if choice == "bfloat16" and not torch.amp.is_autocast_available(device.type):
        raise MaskkitError(
            f"cannot compute in bfloat16 on {device.type}",
            why="this version of torch has no mixed precision for that device",
            fix="use float32 or auto",
        )
    if choice == "float16" and device.type != "cuda":
        raise MaskkitError(
            f"cannot train in float16 on {device.type}",
            why="its small range needs gradients to be scaled, which is for CUDA devices without bfloat16",
            fix="use bfloat16, float32 or auto",
        )
    return choice


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context in which a model on `device` computes in `precision`, as from `resolve_precision`."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float16)


def prepare(model: nn.Module, precision: str, device: torch.device) -> nn.Module:
    """Move `model` to `device`, in place, in the layout and with the convolutions that are fastest there.

    Weights become channels-last, which features then follow from the first convolution on. Names and values
    of the state are unchanged, copies (such as an EMA) are prepared too, and preparing again does no harm.
    `autocast(device, precision)` has to surround the model.
    """
    model = model.to(device)
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.ndim == 4:  # `Module.to` would also try five, which have no such layout
            tensor.data = tensor.data.to(memory_format=torch.channels_last)
    if device.type == "cuda":
        # TensorFloat-32 for products of float32, as cuDNN has for convolutions by default. A resumed run
        # would differ from others with cudnn.benchmark, which picks kernels by the clock and so stays off,
        # and with kernels that add in the order in which threads come.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.deterministic = True
    if precision == "bfloat16" and device.type == "cpu":
        speed_up(model)
    return model


def compiled(model: nn.Module, device: torch.device, *, backend: str = "inductor") -> nn.Module:
    """Return a compiled view of `model`: the same parameters, under which training steps run faster.

    The model, in the layout and precision in which it will be called, its state and its copies stay as they
    are; only calls of what is returned are compiled, each size of batch once.

    Raises:
        MaskkitError: This machine cannot compile, most often for want of a C++ compiler.
    """
    # Sizes differ by one photo; code for any size would be slower than code for these two.
    try:
        # A small function finds out in seconds, before anything has been decoded.
        probe = torch.compile(lambda values: values.sin() + 1, backend=backend, dynamic=False)
        probe(torch.ones(8, device=device))
    except Exception as error:  # torch has a class of its own for each of many ways to fail
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise MaskkitError(
            "cannot compile the model",
            why=lines[0] if lines else repr(error),
            fix="install a C++ compiler (such as g++, with Python's headers), or leave --compile out",
        ) from error
    # Its annotation promises a callable, which for a module is a module.
    return cast(nn.Module, torch.compile(model, backend=backend, dynamic=False))


def now() -> float:
    """Return the time in seconds when all that was begun on a GPU is done, for differences."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def threads_of(number: int) -> Iterator[None]:
    """Let torch compute in so many threads meanwhile."""
    threads = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def recorded_threads(device: str) -> Mapping[str, int]:
    """Return what a record says of the threads that torch computes in.

    On a processor they divide sums, whose last bits depend on how. On other devices they matter to none.
    """
    return {THREADS: torch.get_num_threads()} if device == "cpu" else {}


def recorded_processes(earlier: Record | None) -> Mapping[str, int | str]:
    """Return what a record says of the processes that compute a batch together, whose shares divide its sums.

    `earlier` is the run that is gone on with: by another number of them, neither number gives its bytes.
    """
    world = launch().world
    before = world if earlier is None else earlier.found.get(PROCESSES, 1)
    if before == world:
        return {PROCESSES: world} if world > 1 else {}
    log.warning(
        "begun by %s and gone on with by %s: the last digits will be those of neither",
        *(f"{number} processes" if number != 1 else "one process" for number in (before, world)),
    )
    return {PROCESSES: f"{before}, then {world}"}


def compute_as_begun(earlier: Record) -> None:
    """Have torch compute in as many threads as the run that is gone on with, from now on."""
    threads = earlier.found.get(THREADS)
    if isinstance(threads, int) and 0 < threads <= MOST_THREADS:
        torch.set_num_threads(threads)


def _computes_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda" and torch.cuda.is_available():
        with torch.cuda.device(device):  # the question below is about the current device
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Private, but older than `get_capabilities`, the public call: it is missing from torch 2.6.
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
