"""The layouts of the mask-wearing competition.

Training: `train.csv` (id, gender, race, age, path), where path names a folder per person that holds
mask1 to mask5, incorrect_mask and normal. Test: `info.csv` (ImageID, ans), where nothing is known.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.config import PHOTO_SUFFIXES
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, LabelSpace
from maskkit.sources.listing import BLOCK, Listing, TextColumn

TRAIN_COLUMNS = ("id", "gender", "age", "path")
TEST_COLUMN = "ImageID"
STATES = {
    **{f"mask{number}": "wear" for number in range(1, 6)},
    "incorrect_mask": "incorrect",
    "normal": "none",
}


def is_training(table: pa.Table) -> bool:
    """Whether this is the competition's `train.csv`: its paths name folders, not photos."""
    return set(TRAIN_COLUMNS) <= set(table.column_names) and not any(
        str(path).lower().endswith(PHOTO_SUFFIXES) for path in table["path"].slice(0, 100).to_pylist()
    )


def training_photos(table: pa.Table, root: Path, space: LabelSpace) -> Listing:
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
    folders = table["path"].cast(pa.string())
    if folders.null_count:
        raise MaskkitError(
            f"row {pc.index(folders.is_null(), True).as_py() + 1} of train.csv has no path",
            why="it names the folder of a person's photos",
            fix="correct the table",
        )
    paths, rows, found, missing = TextColumn(), array("q"), array("b"), dict[str, str]()
    for row, folder in enumerate(_each(folders)):
        photos, there = _photos_by_state(_names_in(os.path.join(root, folder)))  # noqa: PTH118 - as below
        paths.extend([f"{folder}/{name}" for _, name in there])
        found.extend([code for code, _ in there])
        rows.extend([row] * len(there))
        if len(there) < len(STATES):
            missing |= _missing(folder, photos)
    of_person = pa.array(np.asarray(rows))
    masks = pa.DictionaryArray.from_arrays(pa.array(np.asarray(found)), list(STATES.values()))
    given = {"person_id": "id", "gender": "gender", "age": "age"}
    columns = {name: table[column].take(of_person) for name, column in given.items()}
    return Listing(root, {"path": paths.whole(), **columns, "mask": pa.chunked_array([masks])}, missing)


def unlabelled_photos(table: pa.Table, root: Path) -> Listing:
    """List the photos of `info.csv` in its order, which a submission must keep."""
    return Listing(root, {"path": table[TEST_COLUMN]})


def _each(texts: pa.ChunkedArray) -> Iterator[str]:
    """Yield texts a block at a time: all at once take as much memory as the photos' own paths."""
    for batch in pa.table([texts], names=["text"]).to_batches(max_chunksize=BLOCK):
        yield from batch.column(0).to_pylist()


def _names_in(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - a third of pathlib's time over 2,700 folders
    except (FileNotFoundError, NotADirectoryError):
        return ()


@lru_cache(maxsize=1024)  # nearly all folders hold files of the same names
def _photos_by_state(names: tuple[str, ...]) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """Return the file names per state, and the code and name of each state that has just one.

    Dot files such as `._mask1.jpg` of macOS are passed over.
    """
    photos: dict[str, list[str]] = {state: [] for state in STATES}
    for name in names:
        path = PurePath(name)
        if path.stem in photos and path.suffix.lower() in PHOTO_SUFFIXES:
            photos[path.stem].append(name)
    there = [(code, photos[state][0]) for code, state in enumerate(STATES) if len(photos[state]) == 1]
    return photos, there


def _missing(folder: str, photos: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {
        f"{folder}/{state}": f"two files: {', '.join(names)}" if names else "missing"
        for state, names in photos.items()
        if len(names) != 1
    }
