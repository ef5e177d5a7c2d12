"""A plain script, as most write it: timm, torchvision, AdamW, cosine; the answers for one fold as CSV.

    python benchmarks/peers/plain.py photos.csv --weights lite0.safetensors -o fold0.csv

Written as participants write it, with none of their mistakes: people are not divided, photos of both kinds
are prepared alike, and every photo held out is predicted once, by the last epoch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import timm
import torch
from task import MODEL, SIZE, parser, task
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from baseline import loader


def main() -> None:
    """Train on all folds but one, and answer for that one."""
    work = task(parser(__doc__).parse_args())
    torch.manual_seed(0)
    model = timm.create_model(
        MODEL, pretrained=True, num_classes=len(work.classes), pretrained_cfg_overlay={"file": work.weights}
    )
    batches = loader(list(work.train["file"]), list(work.train["label"]), size=SIZE, train=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, work.epochs * len(batches))  # type: ignore[arg-type]
    criterion = nn.CrossEntropyLoss()
    for _ in range(work.epochs):
        model.train()
        for images, truth in batches:
            optimizer.zero_grad()
            criterion(model(images), truth).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    answers = loader(list(work.held_out["file"]), list(work.held_out["label"]), size=SIZE, train=False)
    with torch.no_grad():
        work.answer(torch.cat([model(images).softmax(1) for images, _ in answers]).numpy())


if __name__ == "__main__":
    main()
