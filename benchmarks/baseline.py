"""What public solutions of the competition do, as the peer of our benchmarks.

The dataset opens each photo with Pillow, resizes, mirrors and normalises it with torchvision, in a
DataLoader with two workers; the loop trains a timm model in float32 as it comes. Written after the
competition's baseline from its description, not copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import timm
import torch
from PIL import Image
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

MEAN = STD = (0.5, 0.5, 0.5)
Batches = Iterable[tuple[Tensor, Tensor]]


class PhotoDataset(Dataset[tuple[Tensor, int]]):
    """Photos and their classes."""

    def __init__(
        self, files: Sequence[Path], labels: Sequence[int], *, size: tuple[int, int], flip: bool
    ) -> None:
        self.files, self.labels = files, labels
        steps = [transforms.Resize(size), *([transforms.RandomHorizontalFlip()] if flip else [])]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.open(self.files[index]).convert("RGB")), self.labels[index]


def loader(
    files: Sequence[Path], labels: Sequence[int], *, size: tuple[int, int], train: bool, batch_size: int = 64
) -> Batches:
    """Return the baseline's DataLoader."""
    data = PhotoDataset(files, labels, size=size, flip=train)
    return DataLoader(data, batch_size=batch_size, shuffle=train, num_workers=2, drop_last=train)


class Loop:
    """A plain training loop: float32, eager, NCHW, cross entropy, AdamW."""

    def __init__(self, name: str, *, classes: int = 18) -> None:
        torch.manual_seed(0)
        self.model = timm.create_model(name, num_classes=classes)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.criterion = nn.CrossEntropyLoss()

    def train(self, batches: Batches) -> None:
        """Train for one epoch."""
        self.model.train()
        for images, labels in batches:
            self.optimizer.zero_grad()
            self.criterion(self.model(images), labels).backward()
            self.optimizer.step()

    @torch.no_grad()
    def score(self, batches: Batches) -> float:
        """Return the macro-F1 over all of the batches."""
        self.model.eval()
        pairs = [(self.model(images).argmax(1), labels) for images, labels in batches]
        answers, truth = (torch.cat(each).numpy() for each in zip(*pairs, strict=True))
        return float(f1_score(truth, answers, average="macro"))
