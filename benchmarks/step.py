"""The training step against the plain loop that public solutions use, on the same photos in memory.

    python benchmarks/step.py --model resnet18 --size 128x96

On a machine that does other work as well, `--threads 1` and the columns of CPU time are what to look at:
threads that wait for one another in vain spin, and several of oneDNN's kernels do.

Plain is the same timm model in float32, eager, NCHW, with cross entropy and AdamW; its photos are normalised
already. maskkit's step is the trainer's own, with all that it does: normalisation, soft targets, weights,
clipping, schedule, moving average. Each variant is a process of its own, as users would run it, and they
take steps in turns. "plain, freed memory kept" is the plain loop with the settings of
maskkit.cli.shell.startup, which would help any program.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from timing import report

from maskkit.cli.shell import startup

WARM_UP, KEEPER = 2, "plain, freed memory kept"
VARIANTS = ("plain", KEEPER, "maskkit float32", "maskkit bfloat16", "maskkit bfloat16 compiled")


def main() -> None:
    arguments = _arguments()
    if arguments.variant:
        _serve(arguments)
        return
    limits = _limits(arguments.threads)
    report("The machine's limits", [limits], save=arguments.save)
    for model in arguments.model or ["tf_efficientnet_lite0", "resnet18"]:
        for size in arguments.size or ["128x96"]:
            chosen = ["plain", *(arguments.only or VARIANTS[1:-1])]
            steps = _in_turns(chosen, model, size, arguments)
            lines = _lines(steps, _flops(model, size), limits, arguments.batch_size)
            report(f"{model} at {size}, batches of {arguments.batch_size}", lines, save=arguments.save)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", help="a timm model; may be given several times")
    parser.add_argument(
        "--size", action="append", help="HEIGHTxWIDTH or one number; may be given several times"
    )
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--runs", type=int, default=9, help="timed steps of each variant")
    parser.add_argument("--threads", type=int, help="of torch; as many as it takes by itself if left out")
    parser.add_argument(
        "--only",
        action="append",
        choices=VARIANTS[1:],
        help="what to compare with plain; may be given several times. All but the compiled one if left out: "
        "they are alive together and take gigabytes each at 224, and compiling takes minutes",
    )
    parser.add_argument("--save", type=Path, help="append the figures to a file of JSON lines")
    parser.add_argument("--variant", help=argparse.SUPPRESS)  # what one of the processes is to time
    return parser.parse_args()


def _in_turns(
    variants: Sequence[str], model: str, size: str, arguments: argparse.Namespace
) -> dict[str, list[tuple[float, float]]]:
    """Return seconds by the clock and of CPU for each step of each variant."""
    shared = ["--model", model, "--size", size, "--batch-size", str(arguments.batch_size)]
    if arguments.threads:
        shared += ["--threads", str(arguments.threads)]
    processes = {
        variant: subprocess.Popen(
            [sys.executable, __file__, "--variant", variant, *shared],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for variant in variants
    }  # fmt: skip
    steps: dict[str, list[tuple[float, float]]] = {variant: [] for variant in variants}
    for turn in range(WARM_UP + arguments.runs):
        for variant, process in processes.items():
            assert process.stdin is not None
            assert process.stdout is not None
            print("step", file=process.stdin, flush=True)
            seconds, cpu = map(float, process.stdout.readline().split())
            if turn >= WARM_UP:
                steps[variant].append((seconds, cpu))
    for process in processes.values():
        process.communicate()
    return steps


def _serve(arguments: argparse.Namespace) -> None:
    """Take a step for each line of standard input."""
    if arguments.variant != "plain":
        startup.prepare_for_torch()  # before torch is loaded
    make = _plain if arguments.variant.startswith("plain") else _maskkit
    _use_threads(arguments.threads)
    step = make(arguments.variant, arguments.model[0], arguments.size[0], arguments.batch_size)
    for _ in sys.stdin:
        clock, cpu = time.perf_counter(), time.process_time()
        step()
        print(time.perf_counter() - clock, time.process_time() - cpu, flush=True)


def _plain(variant: str, name: str, size: str, photos: int) -> Callable[[], object]:  # noqa: ARG001
    import timm
    import torch

    from maskkit.options.values import parse_size

    model = timm.create_model(name, num_classes=18).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss()
    images, target = torch.randn(photos, 3, *parse_size(size)), torch.randint(0, 18, (photos,))

    def step() -> None:
        loss = criterion(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _maskkit(variant: str, name: str, size: str, photos: int) -> Callable[[], object]:
    import numpy as np

    from maskkit.artifacts.checkpoint import Preprocess
    from maskkit.imaging.photos import Photos
    from maskkit.labels import HOME
    from maskkit.modeling.backbone import build, preprocessing_of
    from maskkit.options.train_options import TrainOptions
    from maskkit.options.values import parse_size
    from maskkit.training.fold import Fold
    from maskkit.training.trainer import Trainer

    rows = np.arange(photos)
    label = rows % len(HOME)
    _, precision, *rest = variant.split()
    options = TrainOptions(
        model=name, size=size, batch_size=photos, epochs=1000, device="cpu",
        precision=precision, compile=bool(rest), workers=0,  # type: ignore[arg-type]
    )  # fmt: skip
    model = build(name, classes=len(HOME), drop_rate=options.one("head").number("dropout"))
    preprocess = Preprocess(*parse_size(size), **preprocessing_of(model))
    in_memory = Photos.of_pixels(np.random.default_rng(0).integers(
        0, 256, (photos, preprocess.height, preprocess.width, 3), np.uint8
    ), preprocess)  # fmt: skip
    fold = Fold(
        HOME, in_memory, label, np.empty((photos, 0), np.float32), rows, np.ones(photos, np.float32), label,
        training=rows, held_out=rows[:0],
    )  # fmt: skip
    trainer = Trainer(model, fold, options)
    return lambda: trainer.train(1)


def _lines(
    steps: dict[str, list[tuple[float, float]]], flops: float, limits: dict[str, object], photos: int
) -> list[dict[str, object]]:
    lines = []
    for variant, taken in steps.items():
        seconds, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        by_clock, by_cpu = (
            statistics.median(
                theirs[side] / ours[side] for theirs, ours in zip(steps["plain"], taken, strict=True)
            )
            for side in (0, 1)
        )
        achieved = flops * photos / (cpu if limits["threads"] == 1 else seconds) / 1e9
        limit = limits["bfloat16 GFLOP/s" if "bfloat16" in variant else "float32 GFLOP/s"]
        assert isinstance(limit, float)
        lines.append(
            {
                "variant": variant,
                "photos/s": photos / seconds,
                "x plain": by_clock,
                "CPU ms per photo": 1000 * cpu / photos,
                "CPU, x plain": by_cpu,
                "GFLOP/s": achieved,
                "share of limit, %": 100 * achieved / limit,
            }
        )
    return lines


def _flops(name: str, size: str) -> float:
    """Count the arithmetic of convolutions and products per photo, forward and backward.

    The backward does the forward's products twice; torch's own count of it is wrong for grouped convolutions.
    """
    import timm
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from maskkit.options.values import parse_size

    model = timm.create_model(name, num_classes=18)
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(2, 3, *parse_size(size)))
    return 3 * counter.get_total_flops() / 2


def _use_threads(count: int | None) -> None:
    import torch

    if count:
        torch.set_num_threads(count)


def _limits(threads: int | None) -> dict[str, object]:
    """Return the best rates of large products and of a copy: what no step can exceed."""
    import torch

    _use_threads(threads)

    clock = time.process_time if threads == 1 else time.perf_counter  # waiting for the processor is no limit

    def best(work: Callable[[], object], amount: float) -> float:
        fastest = float("inf")
        for _ in range(15):
            started = clock()
            work()
            fastest = min(fastest, clock() - started)
        return amount / fastest / 1e9

    side = 2048
    single = torch.randn(side, side)
    half, block = single.bfloat16(), torch.ones(2**26)  # 256 MB
    target = torch.empty_like(block)
    return {
        "threads": torch.get_num_threads(),
        "float32 GFLOP/s": best(lambda: single @ single, 2 * side**3),
        "bfloat16 GFLOP/s": best(lambda: half @ half, 2 * side**3),
        "copy GB/s": best(lambda: target.copy_(block), 2 * 4 * 2**26),  # read and written
    }


if __name__ == "__main__":
    main()
