"""How fast a GPU learns beside a plain loop of timm, in how much memory, and how long it waits for photos."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import timm
import torch
from torch import nn

from gpu.parts import Given, Line
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.options.train_options import TrainOptions
from maskkit.stages.bench import Speed, bench
from maskkit.training.fold import Fold
from maskkit.training.loop import train_step
from maskkit.training.setup import settled
from maskkit.training.starting_model import pretrained
from maskkit.training.trainer import Trainer

MODELS = ("resnet18", "resnet50", "vit_base_patch16_224")
TURNS, STEPS, WARM_UP = 5, 12, 6  # steps of a turn; of the warm-up before the first
BATCH = 128


def feeding(given: Given) -> Iterator[Line]:
    """How long the GPU waits for photos: photos per second in training, against steps on photos in memory."""
    for model in ("test_resnet",) if given.quick else MODELS[:2]:
        size, batch = ("32", 16) if given.quick else ("224", BATCH)
        options = TrainOptions(model=model, size=size, batch_size=batch, device=given.device)
        found = bench(Manifest.read(str(given.folds)), options=options, seconds=0.2 if given.quick else 1.5)
        rates = {part: _best(found.speeds, part) for part in ("decode", "augment", "load", "step", "train")}
        seen = ", ".join(f"{part} {rate:.0f}" for part, rate in rates.items())
        waits = max(0.0, 1 - rates["train"] / rates["step"])
        yield Line(f"{model} at {size}", f"photos/s: {seen}; the device waits {waits:.0%} of the time")
        yield Line(f"{model} at {size}", f"{found.limit}; best: {found.options}")


def steps(given: Given) -> Iterator[Line]:
    """Training steps on photos in memory, in bfloat16, maskkit and a plain loop of timm in turns."""
    size, batch = (32, 8) if given.quick else (224, BATCH)
    for model in ("test_resnet",) if given.quick else MODELS:
        ways = {"maskkit": _ours, "plain": _plain}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        memory = dict.fromkeys(ways, 0.0)
        taken = {name: make(given, model, size, batch) for name, make in ways.items()}
        for _ in range(2 if given.quick else TURNS):
            for name, step in taken.items():
                if not rates[name]:
                    _timed(step, WARM_UP, given.device)
                _forget_peak(given.device)
                rates[name].append(STEPS * batch / _timed(step, STEPS, given.device))
                memory[name] = max(memory[name], _peak(given.device))
        medians = {name: statistics.median(each) for name, each in rates.items()}
        seen = ", ".join(
            f"{name} {medians[name]:.0f} ({min(each):.0f} to {max(each):.0f})" for name, each in rates.items()
        )
        ratio = medians["maskkit"] / medians["plain"]
        yield Line(f"{model} at {size}, photos/s", f"{seen}; {ratio:.2f} times as fast")
        if given.device == "cuda":  # with both models in it, whose weights are the smaller part
            peaks = ", ".join(f"{name} {peak:.1f} GiB" for name, peak in memory.items())
            yield Line(f"{model} at {size}, peak memory", peaks)
        taken.clear()


def _ours(given: Given, model: str, size: int, batch: int) -> Callable[[], object]:
    """Return what takes a step as `maskkit train` does, on photos that are in memory already."""
    options = settled(TrainOptions(
        model=model, weights="none", size=str(size), batch_size=batch, workers=4, head="joint",
        device=given.device, precision="bfloat16",
    ))  # fmt: skip
    network, preprocess = pretrained(Manifest.read(str(given.folds)), options)
    pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), np.uint8)
    rows = np.arange(batch * (WARM_UP + STEPS * TURNS))
    fold = Fold(
        space=HOME, inputs=Photos.of_pixels(pixels, preprocess, count=len(rows)), target=rows % len(HOME),
        numbers=np.empty((len(rows), 0), np.float32), people=rows, weight=np.ones(len(rows), np.float32),
        label=rows % len(HOME), training=rows, held_out=rows[:0],
    )  # fmt: skip
    trainer = Trainer(network, fold, options)
    batches = trainer.batches(1, is_tracked=False)

    def step() -> None:
        train_step(trainer.learner, next(batches), progress=0.0)
        trainer.learner.schedule.step()
        trainer.learner.average.after_step()

    return step


def _plain(given: Given, model: str, size: int, batch: int) -> Callable[[], object]:
    """Return what takes a step as timm's train.py does with --amp and --channels-last."""
    device = given.device
    network = timm.create_model(model, num_classes=len(HOME)).train()
    network.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, len(HOME), (batch,), device=device)

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = criterion(network(images), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _best(speeds: Sequence[Speed], part: str) -> float:
    """Return the most photos per second that some part of training has reached."""
    return max(one.photos_per_second for one in speeds if one.part == part)


def _timed(step: Callable[[], object], count: int, device: str) -> float:
    """Return the seconds that so many steps take, when all that they began is done."""
    _wait(device)
    started = time.perf_counter()
    for _ in range(count):
        step()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak(device: str) -> float:
    """Return the most memory that was taken since, in GiB."""
    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
