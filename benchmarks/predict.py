"""predict: photos/s from JPEG to submission, against the same model in a plain loop.

The plain loop is what public solutions of the task do: a DataLoader of two workers that open with PIL and
prepare with torchvision, and the float32 model in torch's own layout. Both answer for the same photos with
the same weights; how many answers differ is printed.

    maskkit label photos/train/train.csv -o labels.parquet
    python benchmarks/predict.py labels.parquet lite0.safetensors resnet18.safetensors --save predict.jsonl
    python benchmarks/predict.py labels.parquet lite0.safetensors --only model --sizes 128x96 224

Checkpoints are those of `maskkit train`. Needs torchvision, which maskkit itself does not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is loaded

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timing import in_turns, medians, report, run_command
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.roots import photo_files
from maskkit.modeling.backbone import random_photos, restore
from maskkit.modeling.folding import folded
from maskkit.modeling.runtimes import NEEDS, classifier, resolve_runtime
from maskkit.options.train_options import Inference, Runtime
from maskkit.options.values import parse_size
from maskkit.stages.predict import predict

CPU = torch.device("cpu")
BATCH = 64


class Plain(Dataset[Tensor]):
    """The competition's baseline data set, with torchvision's transforms."""

    def __init__(self, files: list[Path], preprocess: Preprocess) -> None:
        from torchvision import transforms

        self.files = files
        self.transform = transforms.Compose(
            [
                transforms.Resize(
                    (preprocess.height, preprocess.width), transforms.InterpolationMode.BICUBIC
                ),
                transforms.ToTensor(),
                transforms.Normalize(preprocess.mean, preprocess.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.transform(Image.open(self.files[index]).convert("RGB"))
        return image


def plain_loop(manifest: Manifest, checkpoint: Checkpoint) -> NDArray[np.int64]:
    """Answer every photo as a plain script does, and write the submission."""
    model = restore(checkpoint).eval()
    loader = DataLoader(Plain(photo_files(manifest), checkpoint.preprocess), batch_size=BATCH, num_workers=2)
    with torch.no_grad():
        answer = torch.cat([model(images).argmax(1) for images in loader]).numpy()
    with tempfile.TemporaryFile("w") as file:
        file.write("ImageID,ans\n")
        file.writelines(f"{path},{value}\n" for path, value in zip(manifest.paths, answer, strict=True))
    return answer


def by_maskkit(manifest: Manifest, checkpoint: Checkpoint, runtime: Runtime) -> NDArray[np.int64]:
    """Answer every photo with the stage, and write the submission."""
    predictions = predict(
        manifest, [checkpoint], allow_leak=True, inference=Inference("cpu", BATCH, runtime=runtime)
    )
    with tempfile.TemporaryFile() as file:
        file.write(predictions.encode("submission"))
    return predictions.answer


def from_photos_to_submission(
    manifest_path: Path, checkpoint_path: Path, runs: int, save: Path | None
) -> None:
    """Compare the whole way, within a process and as a command."""
    manifest, checkpoint = Manifest.read(manifest_path), Checkpoint.read(checkpoint_path)
    answers: dict[str, NDArray[np.int64]] = {}

    def keep(name: str, work: Callable[[], NDArray[np.int64]]) -> None:
        answers[name] = work()

    with tempfile.TemporaryDirectory() as folder:
        # The plain loop as a process of its own pays for its imports too.
        command = [sys.executable, "-m", "maskkit", "predict", manifest_path, checkpoint_path, "--allow-leak",
                   "--quiet", "--cache-size", "0", "--submission", "-o", Path(folder) / "submission.csv",
                   "--force"]  # fmt: skip
        script = [sys.executable, __file__, manifest_path, checkpoint_path, "--only", "plain"]
        works = {
            "plain loop": partial(keep, "plain loop", partial(plain_loop, manifest, checkpoint)),
            **{
                f"stage, {name}": partial(keep, name, partial(by_maskkit, manifest, checkpoint, name))
                for name in _installed()
            },
            "maskkit predict, whole command": partial(run_command, command),
            "plain loop, whole script": partial(run_command, script),
        }
        costs = medians(in_turns(works, runs=runs))
    base = costs["plain loop"]
    lines = [
        {
            "way": name,
            "photos/s": len(manifest) / cost.seconds,
            "times": base.seconds / cost.seconds,
            "times, CPU": base.cpu_seconds / cost.cpu_seconds,
            "other answers": _others(answers, name.removeprefix("stage, ")),
        }
        for name, cost in costs.items()
    ]
    size = f"{checkpoint.preprocess.height}x{checkpoint.preprocess.width}"
    report(f"{checkpoint.model} at {size}, {len(manifest)} photos to a submission", lines, save=save)


def _others(answers: dict[str, NDArray[np.int64]], name: str) -> object:
    return int((answers[name] != answers["plain loop"]).sum()) if name in answers else ""


def model_alone(checkpoint: Checkpoint, size: str, runs: int, save: Path | None) -> None:
    """Compare the forward of one batch. Random photos: how many are near a tie is not that of real ones."""
    height, width = parse_size(size)
    images = random_photos((height, width), count=BATCH)
    with torch.inference_mode():
        costs = medians(in_turns(_forwards(restore(checkpoint).eval(), images), runs=runs))
    base = costs["torch, float32, plain"]
    lines = [
        {
            "forward": name,
            "images/s": BATCH / cost.seconds,
            "ms CPU per image": 1000 * cost.cpu_seconds / BATCH,
            "times": base.seconds / cost.seconds,
            "times, CPU": base.cpu_seconds / cost.cpu_seconds,
        }
        for name, cost in costs.items()
    ]
    report(f"{checkpoint.model} at {size}, batches of {BATCH}", lines, save=save)


def _forwards(model: nn.Module, images: Tensor) -> dict[str, Callable[[], object]]:
    plain, last = images.contiguous(), images.contiguous(memory_format=torch.channels_last)
    channels_last = deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fit = folded(channels_last, last[:2])
    half = deepcopy(fit).to(torch.bfloat16)

    def autocast() -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return channels_last(last)

    height, width = images.shape[2:]
    works: dict[str, Callable[[], object]] = {
        "torch, float32, plain": lambda: model(plain),
        "torch, float32, channels-last": lambda: channels_last(last),
        "torch, float32, channels-last, folded": lambda: fit(last),
        "torch, bfloat16 by autocast, channels-last": autocast,
        "torch, bfloat16, channels-last, folded": lambda: half(last.to(torch.bfloat16)),
    }
    for name in _installed():
        for precision in ("float32", "bfloat16"):
            if (name, precision) != ("onnx", "bfloat16"):
                classify = classifier(
                    deepcopy(model), runtime=resolve_runtime(name, CPU), precision=precision,
                    device=CPU, size=(height, width),
                )  # fmt: skip
                settled = ", near ties in float32" if precision == "bfloat16" else ""
                works[f"maskkit, {name}, {precision}{settled}"] = partial(classify, last)
    for work in works.values():
        work()  # compiles, and fills caches
    return works


def _installed() -> list[Runtime]:
    return [name for name, needs in NEEDS.items() if all(find_spec(package) for package in needs)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", default=["128x96", "224"], help="of the model alone")
    parser.add_argument("--only", choices=["photos", "model", "plain"])
    parser.add_argument("--save", type=Path, help="append to this file of JSON lines")
    given = parser.parse_args()
    for path in given.checkpoints:
        if given.only == "plain":
            plain_loop(Manifest.read(given.manifest), Checkpoint.read(path))
        if given.only in (None, "model"):
            for size in given.sizes:
                model_alone(Checkpoint.read(path), size, given.runs, given.save)
        if given.only in (None, "photos"):
            from_photos_to_submission(given.manifest, path, given.runs, given.save)


if __name__ == "__main__":
    main()
