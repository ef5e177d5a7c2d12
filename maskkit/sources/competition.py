"""The layouts of the mask-wearing competition.

Training: `train.csv` (id, gender, race, age, path), where path names a folder per person that holds
mask1 to mask5, incorrect_mask and normal. Test: `info.csv` (ImageID, ans), where nothing is known.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.errors import MaskkitError
from maskkit.labels import HOME, LabelSpace
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.listing import BLOCK, Listing

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
    base = os.fspath(root)
    layouts: dict[tuple[str, ...], int] = {}  # nearly all folders hold files of the same names
    layout_of = array(
        "q", (layouts.setdefault(_names_in(f"{base}/{name}"), len(layouts)) for name in _each(folders))
    )
    photos = [_photos_by_state(names) for names in layouts]
    paths, person, state = _joined(folders, np.asarray(layout_of), photos)
    given = {"person_id": "id", "gender": "gender", "age": "age"}
    columns = {name: table[column].take(person) for name, column in given.items()}
    masks = pa.DictionaryArray.from_arrays(state, list(STATES.values()))
    missing = _missing(folders, np.asarray(layout_of), photos)
    return Listing(root, {"path": paths, **columns, "mask": pa.chunked_array([masks])}, missing)


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


def _photos_by_state(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the file names per state.

    Dot files such as `._mask1.jpg` of macOS are passed over.
    """
    photos: dict[str, list[str]] = {state: [] for state in STATES}
    for name in names:
        path = PurePath(name)
        if path.stem in photos and path.suffix.lower() in PHOTO_SUFFIXES:
            photos[path.stem].append(name)
    return photos


def _joined(
    folders: pa.ChunkedArray, layout_of: NDArray[np.int64], photos: Sequence[Mapping[str, Sequence[str]]]
) -> tuple[pa.ChunkedArray, pa.Array, pa.Array]:
    """Return the path of every photo, the row of its person, and the code of its state.

    Args:
        folders: Of each person, (people,).
        layout_of: Which of the layouts each folder has, (people,).
        photos: File names per state, of each layout; a state without just one has no photo.
    """
    there = [
        [(code, names[0]) for code, names in enumerate(layout.values()) if len(names) == 1]
        for layout in photos
    ]
    counts = np.array([len(layout) for layout in there], np.int64)  # (layouts,)
    codes = np.array([code for layout in there for code, _ in layout], np.int8)
    names = pa.array([name for layout in there for _, name in layout], pa.string())
    person = np.repeat(np.arange(len(layout_of)), counts[layout_of])  # (photos,)
    end = np.cumsum(counts[layout_of])
    place = np.arange(len(person)) - np.repeat(end - counts[layout_of], counts[layout_of])
    file = (np.cumsum(counts) - counts)[layout_of][person] + place  # among those of all layouts
    blocks = [slice(start, start + BLOCK) for start in range(0, len(person), BLOCK)]
    paths = [
        pc.binary_join_element_wise(
            folders.take(pa.array(person[part])), names.take(pa.array(file[part])), "/"
        )
        for part in blocks
    ]
    chunks = [chunk for part in paths for chunk in part.chunks]
    return pa.chunked_array(chunks, pa.string()), pa.array(person), pa.array(codes[file])


def _missing(
    folders: pa.ChunkedArray, layout_of: NDArray[np.int64], photos: Sequence[Mapping[str, Sequence[str]]]
) -> dict[str, str]:
    """Say what is wrong with each state of which a folder does not have one photo."""
    incomplete = [any(len(names) != 1 for names in layout.values()) for layout in photos]
    return {
        f"{folders[row].as_py()}/{state}": f"two files: {', '.join(names)}" if names else "missing"
        for row in np.flatnonzero(np.array(incomplete, bool)[layout_of]).tolist()
        for state, names in photos[layout_of[row]].items()
        if len(names) != 1
    }
