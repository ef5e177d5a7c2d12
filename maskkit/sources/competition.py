"""The layouts of the mask-wearing competition.

Training: `train.csv` (id, gender, race, age, path), where path names a folder per person that holds
mask1 to mask5, incorrect_mask and normal. Test: `info.csv` (ImageID, ans), where nothing is known.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from maskkit.config import PHOTO_SUFFIXES
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, LabelSpace
from maskkit.sources.listing import Listing

TRAIN_COLUMNS = ("id", "gender", "age", "path")
TEST_COLUMN = "ImageID"
STATES = {
    **{f"mask{number}": "wear" for number in range(1, 6)},
    "incorrect_mask": "incorrect",
    "normal": "none",
}


def is_training(table: pd.DataFrame) -> bool:
    """Whether this is the competition's `train.csv`: its paths name folders, not photos."""
    return set(TRAIN_COLUMNS) <= set(table.columns) and not any(
        str(path).lower().endswith(PHOTO_SUFFIXES) for path in table["path"].head(100)
    )


def training_photos(table: pd.DataFrame, root: Path, space: LabelSpace) -> Listing:
    """List seven photos per person; those that are not there are missing.

    Raises:
        MaskkitError: The label space is not made of mask, gender and age, or a row has no path.
    """
    wanted = {factor.name for factor in HOME.factors}
    if {factor.name for factor in space.factors} != wanted:
        raise MaskkitError(
            "this is the competition's train.csv, and the task has other factors",
            why=f"its photos are of known {', '.join(sorted(wanted))}, nothing else",
            fix="leave --task out, or give a table with a path and your own factors",
        )
    columns: dict[str, list[object]] = {name: [] for name in ("path", "person_id", "mask", "gender", "age")}
    missing: dict[str, str] = {}
    for row, (person, gender, age, folder) in enumerate(table[list(TRAIN_COLUMNS)].itertuples(index=False)):
        if folder is None:
            raise MaskkitError(
                f"row {row + 1} of train.csv has no path",
                why="it names the folder of a person's photos",
                fix="correct the table",
            )
        photos = _photos_by_state(root / str(folder))
        for state, mask in STATES.items():
            found = photos.get(state, [])
            if len(found) != 1:
                missing[f"{folder}/{state}"] = "missing" if not found else f"two files: {', '.join(found)}"
                continue
            for name, value in zip(columns, (f"{folder}/{found[0]}", person, mask, gender, age), strict=True):
                columns[name].append(value)
    return Listing(root, columns, missing)


def unlabelled_photos(table: pd.DataFrame, root: Path) -> Listing:
    """List the photos of `info.csv` in its order, which a submission must keep."""
    return Listing(root, {"path": table[TEST_COLUMN].tolist()})


def _photos_by_state(folder: Path) -> dict[str, list[str]]:
    """Return the file names per state, passing over dot files such as `._mask1.jpg` of macOS."""
    photos: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - a third of pathlib's time over 2,700 folders
    except (FileNotFoundError, NotADirectoryError):
        return photos
    for name in names:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - likewise
        if not name.startswith(".") and suffix.lower() in PHOTO_SUFFIXES:
            photos.setdefault(stem, []).append(name)
    return photos
