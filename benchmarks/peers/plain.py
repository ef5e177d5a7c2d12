"""A plain script, as most write it: timm, torchvision, AdamW, cosine; the answers for one fold as CSV.

    python benchmarks/peers/plain.py folds.parquet --weights lite0.safetensors --fold 0 -o fold0.csv

Written as participants write it, with none of their mistakes: people are not divided, photos of both kinds
are prepared alike, and every photo held out is predicted once, by the last epoch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
import timm
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from baseline import loader

from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.roots import photo_files

SIZE = (128, 96)


def main() -> None:
    """Train on all folds but one, and answer for that one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folds")
    parser.add_argument("--model", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("-o", "--output", required=True)
    given = parser.parse_args()

    torch.manual_seed(0)
    manifest = Manifest.read(Source.open(given.folds))
    files, labels = photo_files(manifest), manifest.labels.tolist()
    held = [row for row, fold in enumerate(manifest.folds) if fold == given.fold]
    train = [row for row, fold in enumerate(manifest.folds) if fold != given.fold]
    classes = list(manifest.space.names)
    model = timm.create_model(
        given.model, pretrained=True, num_classes=len(classes), pretrained_cfg_overlay={"file": given.weights}
    )
    batches = loader([files[row] for row in train], [labels[row] for row in train], size=SIZE, train=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.epochs * len(batches))  # type: ignore[arg-type]
    criterion = nn.CrossEntropyLoss()
    for _ in range(given.epochs):
        model.train()
        for images, truth in batches:
            optimizer.zero_grad()
            criterion(model(images), truth).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    answers = loader([files[row] for row in held], [labels[row] for row in held], size=SIZE, train=False)
    with torch.no_grad():
        probs = torch.cat([model(images).softmax(1) for images, _ in answers]).numpy()
    table = pd.DataFrame(probs, columns=classes)
    table.insert(0, "path", [manifest.paths[row] for row in held])
    table.to_csv(given.output, index=False)


if __name__ == "__main__":
    main()
