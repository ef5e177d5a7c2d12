"""Manifests whose faults the tests choose."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from maskkit.artifacts.manifest import Manifest
from maskkit.sources.layouts import STATES
from maskkit.stages.label import label

Row = dict[str, Any]


def photos_of(people: int) -> list[Row]:
    """Seven photos each of people of both genders and all ages, in order."""
    return [
        {
            "path": f"{person:03d}/{state}.jpg", "person_id": f"{person:03d}", "mask": mask,
            "gender": ("male", "female")[person % 2], "age": 20 + 3 * (person % 17),
        }
        for person in range(people)
        for state, mask in STATES.items()
    ]  # fmt: skip


def manifest_of(rows: Iterable[Row]) -> Manifest:
    """Make a manifest of rows; `fold` becomes its column if they have one. No photo exists."""
    rows = list(rows)
    names = [name for name in rows[0] if name != "fold"]
    with TemporaryDirectory() as folder:
        table = Path(folder) / "photos.csv"
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        made = label(table, no_check=True)
    if "fold" in rows[0]:
        made = made.then("split", {"fold": pa.array([row["fold"] for row in rows], pa.int16())})
    return made


def sure_probs(manifest: Manifest, *, sureness: float = 0.95) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Probabilities of models that agree with every label, (rows, classes)."""
    classes = len(manifest.space)
    probs = np.full((len(manifest), classes), (1 - sureness) / (classes - 1), np.float32)
    probs[np.arange(len(manifest)), manifest.labels] = sureness
    return probs
