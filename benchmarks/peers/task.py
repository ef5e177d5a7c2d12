"""What every peer is given, and what it gives back: tables of photos as CSV, so that none needs maskkit."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

SIZE = (128, 96)
MODEL = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Task:
    """Photos to learn from and to answer for, each with `path`, `file`, `label` and `name` of its class."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    classes: list[str]
    weights: str
    epochs: int
    output: Path

    def answer(self, probs: Any) -> None:
        """Write the probabilities of the photos held out, float (N, C), in their order."""
        table = pd.DataFrame(probs, columns=self.classes)
        table.insert(0, "path", list(self.held_out["path"]))
        table.to_csv(self.output, index=False)


def parser(about: str) -> argparse.ArgumentParser:
    """Return the options that every peer has."""
    found = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("photos", help="CSV: path,file,label,name,held_out")
    found.add_argument("--weights", required=True, help="ImageNet weights of the model")
    found.add_argument("--epochs", type=int, default=5)
    found.add_argument("-o", "--output", type=Path, required=True)
    return found


def task(given: argparse.Namespace) -> Task:
    """Read what was given."""
    photos = pd.read_csv(given.photos)
    held_out = photos["held_out"] == 1
    classes = list(photos.drop_duplicates("label").sort_values("label")["name"])
    return Task(photos[~held_out], photos[held_out], classes, given.weights, given.epochs, given.output)
