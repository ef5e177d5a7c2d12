"""What has to hold on a GPU as it does on a processor."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gpu.parts import Given, Line
from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import batches, shuffled
from maskkit.options.train_options import Inference, Precision, TrainOptions
from maskkit.stages.predict import predict
from maskkit.stages.train import train
from maskkit.training.epochs import Epoch
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import settled, start
from maskkit.training.trainer import Trainer

DEVICE_TESTS = ("training", "modeling", "predicting", "stages/test_train.py", "stages/test_predict.py")
# How far the loss of an epoch may be from that of float32, as a share of it. Seeds differ by more.
BOUNDS: dict[Precision, float] = {"bfloat16": 0.05, "float16": 0.05}
SAME_DEVICE = 0.02  # and that of a processor, in float32: a GPU multiplies in TensorFloat-32
PROBABILITY = 0.01  # how far a probability may be from that of a processor


def suite(given: Given) -> Iterator[Line]:
    """The tests of what computes, with the device in the place of the processor."""
    tests = Path(__file__).parents[1]
    chosen = [str(tests / name) for name in (DEVICE_TESTS[-1:] if given.quick else DEVICE_TESTS)]
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--maxfail=40", *chosen]
    if not given.quick:
        words += ["-n", str(min(6, os.cpu_count() or 1))]
    done = subprocess.run(
        words, cwd=tests.parent, env={**os.environ, "MASKKIT_TEST_DEVICE": given.device},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    yield Line("tests of what computes", lines[-1] if lines else done.stderr[-300:], done.returncode == 0)
    for failed in (line for line in lines if line.startswith(("FAILED", "ERROR"))):
        yield Line("test", failed, holds=False)


def curves(given: Given) -> Iterator[Line]:
    """Losses in each precision, beside those of float32 and of a processor; and a run made twice."""
    once, epochs = _trained(given, "float32-once", given.options)
    yield Line("float32", _losses(epochs))
    again, _ = _trained(given, "float32-again", given.options)
    yield Line("made twice", "the same bytes" if once == again else "other bytes", once == again)
    precisions: list[Precision] = ["bfloat16"] if given.device == "cpu" else list(BOUNDS)
    others = {str(name): (replace(given.options, precision=name), BOUNDS[name]) for name in precisions}
    if given.device != "cpu":
        others["a processor"] = replace(given.options, device="cpu"), SAME_DEVICE
    for name, (options, bound) in others.items():
        _, found = _trained(given, name.replace(" ", "-"), options)
        apart = max(
            abs(one.train_loss - other.train_loss) / other.train_loss
            for one, other in zip(found, epochs, strict=True)
        )
        seen = f"{_losses(found)}; {apart:.1%} apart at most, {bound:.0%} allowed"
        yield Line(name, seen, apart <= bound)


def resuming(given: Given) -> Iterator[Line]:
    """A training that is stopped by a signal after an epoch, and gone on with, beside one that is not."""
    more = ["--epochs", str(given.options.epochs + 1)]
    precision = "float32" if given.device == "cpu" else "float16"  # which has most to remember: its scale
    more += ["--precision", precision]
    given.runs(*given.training("whole.safetensors", *more))
    typed = [sys.executable, "-m", "maskkit", *given.training("parted.safetensors", *more)]
    with subprocess.Popen(typed, cwd=given.folder, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if re.search(r"epoch 1/", line):
                running.send_signal(signal.SIGUSR1)
                break
        running.stderr.read()
    stopped = running.returncode == 128 + signal.SIGUSR1
    yield Line("stopped", f"by SIGUSR1, exit code {running.returncode}", stopped)
    given.runs(*given.training("parted.safetensors", *more), "--resume")
    whole, parted = ((given.folder / f"{name}.safetensors").read_bytes() for name in ("whole", "parted"))
    seen = "the same bytes as without" if whole == parted else "other bytes than without"
    yield Line(f"resumed, {precision}", seen, whole == parted)


def compiling(given: Given) -> Iterator[Line]:
    """`--compile` learns what it learns without."""
    options = replace(given.options, precision="bfloat16")
    _, plain = _trained(given, "eager", options)
    try:
        _, found = _trained(given, "compiled", replace(options, compile=True))
    except MaskkitError as error:
        yield Line("--compile", str(error))
        return
    apart = max(abs(a.train_loss - b.train_loss) / b.train_loss for a, b in zip(found, plain, strict=True))
    yield Line(
        "--compile", f"{_losses(found)}; {apart:.1%} from {_losses(plain)}", apart <= BOUNDS["bfloat16"]
    )
    rates = [f"{each[-1].images_per_second:.0f}" for each in (found, plain)]
    yield Line("its speed", "{} photos/s in the last epoch, {} without".format(*rates))


def layout(given: Given) -> Iterator[Line]:
    """Weights and features are channels-last, and photos come from pinned memory."""
    ready = start(FoldRows.of(Manifest.read(str(given.folds)), 0), settled(given.options))
    trainer = Trainer(ready.trainable, ready.fold, ready.options)
    weights = [one for one in trainer.model.parameters() if one.ndim == 4]
    last = sum(one.is_contiguous(memory_format=torch.channels_last) for one in weights)
    yield Line("weights in channels-last", f"{last} of {len(weights)}", last == len(weights))
    shapes: list[bool] = []
    for module in trainer.model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(
                lambda _, __, out: shapes.append(out.is_contiguous(memory_format=torch.channels_last))
            )
    batch = next(iter(trainer.batches(1, is_tracked=False)))
    with torch.no_grad():
        trainer.model(batch.images)
    yield Line("features in channels-last", f"{sum(shapes)} of {len(shapes)}", all(shapes))
    rows = np.arange(len(ready.fold.training))
    order = shuffled(rows, seed=0, epoch=1, augment=augmentation(ready.options.chosen("augment")))
    pinned = given.device == "cuda"
    _, values = next(batches(ready.fold.inputs, order, batch_size=8, workers=2, pin_memory=pinned))
    yield Line("photos in pinned memory", str(values.is_pinned()), values.is_pinned() == pinned)
    yield Line("photos on the device", str(batch.images.device), batch.images.device.type == given.device)


def predicting(given: Given) -> Iterator[Line]:
    """Probabilities of the device beside those of a processor, by torch and by ONNX Runtime."""
    _trained(given, "model", given.options)
    manifest, model = (
        Manifest.read(str(given.folds)),
        Checkpoint.read(str(given.folder / "model.safetensors")),
    )

    def probs(how: Inference) -> NDArray[np.floating]:
        found = predict(manifest, [model], oof=True, inference=how).probs
        assert found is not None
        return found

    here = probs(Inference(given.device, 64, 4, runtime="torch", precision="float32"))
    ways = {"torch on a processor": Inference("cpu", 64, 4, runtime="torch", precision="float32")}
    ways["ONNX Runtime on a processor"] = Inference("cpu", 64, 4, runtime="onnx", precision="float32")
    for name, how in ways.items():
        try:
            there = probs(how)
        except MaskkitError as error:
            yield Line(name, str(error))
            continue
        apart = float(np.abs(here - there).max())
        others = int((here.argmax(1) != there.argmax(1)).sum())
        seen = f"{apart:.2g} apart at most, {others} of {len(here)} answers differ"
        yield Line(name, seen, apart <= PROBABILITY)
    again = probs(Inference(given.device, 64, 4, runtime="torch", precision="float32"))
    same = np.array_equal(here, again)
    yield Line("predicted twice", "the same bits" if same else "other bits", same)


def _trained(given: Given, name: str, options: TrainOptions) -> tuple[bytes, Sequence[Epoch]]:
    """Train fold 0; return the weights as they are written, without the record, and the epochs."""
    epochs: list[Epoch] = []
    rows = FoldRows.of(Manifest.read(str(given.folds)), 0)
    output = given.folder / f"{name}.safetensors"
    train(rows, output, options=options, force=True, on_epoch=epochs.append)
    weights = Checkpoint.read(str(output)).weights()
    return b"".join(weights[name].numpy().tobytes() for name in sorted(weights)), epochs


def _losses(epochs: Sequence[Epoch]) -> str:
    """Return the training loss of each epoch, in words."""
    return "train loss " + ", ".join(f"{epoch.train_loss:.4f}" for epoch in epochs)
