"""timm's own train.py, then its last checkpoint's answers for one fold as CSV.

    python benchmarks/peers/timm_train.py photos.csv --timm-train pytorch-image-models/train.py \
        --weights lite0.safetensors -o fold0.csv

train.py belongs to a checkout of timm and is no part of its package. Its default augmentation, crops of 8 %
of a photo and more, is meant for ImageNet; crops of 80 % and more, the photos' own proportions, AdamW and a
cosine per step without warm-up are options of it that suit faces and short trainings.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import timm
import torch
from task import MODEL, SIZE, Task, parser, task
from timm.data import ImageDataset, create_loader, resolve_data_config

BATCH, WORKERS = 64, 2
SUITED = (
    "--opt adamw --lr 1e-3 --weight-decay 0.01 --sched cosine --sched-on-updates --warmup-epochs 0 "
    "--scale 0.8 1 --ratio 0.7 0.8 --color-jitter 0.2 --channels-last"
)


def main() -> None:
    """Train on all folds but one, and answer for that one."""
    options = parser(__doc__)
    options.add_argument("--timm-train", type=Path, required=True, help="train.py of a checkout of timm")
    given = options.parse_args()
    work = task(given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        link(work.train, folder / "train")
        link(work.held_out.assign(label=0), folder / "held-out")
        train(work, given.timm_train, folder)
        work.answer(predict(folder / "run" / "one" / "last.pth.tar", folder / "held-out", len(work.classes)))


def link(photos: pd.DataFrame, folder: Path) -> None:
    """Make a folder per class, of links that sort as the rows do."""
    for row, (label, file) in enumerate(zip(photos["label"], photos["file"], strict=True)):
        of_class = folder / f"{label:02}"
        of_class.mkdir(parents=True, exist_ok=True)
        (of_class / f"{row:06}{Path(file).suffix}").symlink_to(Path(file).absolute())


def train(work: Task, script: Path, folder: Path) -> None:
    """Run train.py without its validation, which would cost time and choose an epoch."""
    words = [
        *(sys.executable, script, "--data-dir", folder, "--val-split", "", "--device", "cpu", "--seed", 0),
        *("--model", MODEL, "--pretrained", "--pretrained-path", work.weights),
        *("--num-classes", len(work.classes), "--input-size", 3, *SIZE, "--crop-pct", 1),
        *("--epochs", work.epochs, "-b", BATCH, "-j", WORKERS, *SUITED.split()),
        *("--output", folder / "run", "--experiment", "one", "--checkpoint-hist", 1),
    ]
    subprocess.run([str(word) for word in words], check=True)


@torch.no_grad()
def predict(checkpoint: Path, folder: Path, classes: int) -> torch.Tensor:
    """Return the probabilities of the photos in a folder, sorted by name, float (N, C)."""
    model = timm.create_model(MODEL, num_classes=classes, checkpoint_path=str(checkpoint)).eval()
    config = resolve_data_config({"input_size": (3, *SIZE), "crop_pct": 1.0}, model=model)
    batches = create_loader(
        ImageDataset(str(folder)), batch_size=BATCH, num_workers=WORKERS, is_training=False,
        use_prefetcher=False, **config,
    )  # fmt: skip
    return torch.cat([model(images).softmax(1) for images, _ in batches])


if __name__ == "__main__":
    main()
