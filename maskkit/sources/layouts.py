"""How photos lie before they are a manifest: the competition's tables, a tree of class folders, any table.

The competition's training set is `train.csv` (id, gender, race, age, path), where path names a folder per
person that holds mask1 to mask5, incorrect_mask and normal. Its test set is `info.csv` (ImageID, ans), where
nothing is known.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.columns import Ints
from maskkit.artifacts.plain_columns import is_key
from maskkit.errors import MaskkitError, examples
from maskkit.labels import HOME, LabelSpace
from maskkit.options.train_options import PHOTO_SUFFIXES

BLOCK = 100_000  # Python's texts take three times the memory of Arrow's
TRAIN_COLUMNS = ("id", "gender", "age", "path")
TEST_COLUMN = "ImageID"
STATES = {
    **{f"mask{number}": "wear" for number in range(1, 6)},
    "incorrect_mask": "incorrect",
    "normal": "none",
}


@dataclass(frozen=True)
class Listing:
    """Photos as a source names them, before anything is checked."""

    root: Path  # the folder that the paths are relative to
    # `path`, and as far as the source knows them `person_id`, the factors and others; equally long, of any
    # type.
    columns: Mapping[str, pa.ChunkedArray]
    # Photos that the source promises but does not have: name and what is wrong.
    missing: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["path"])


def text_column(texts: Iterable[str]) -> pa.ChunkedArray:
    """Return texts, which may be tens of millions, as a column; only a block of them is in memory twice."""
    waiting = iter(texts)
    blocks = iter(lambda: list(islice(waiting, BLOCK)), [])
    return pa.chunked_array([pa.array(block, pa.string()) for block in blocks], pa.string())


@dataclass(frozen=True)
class PhotoTable:
    """A table of photos as it was read."""

    table: pa.Table  # its columns
    root: Path  # the folder that its paths are relative to
    name: str  # for error texts

    @property
    def is_training(self) -> bool:
        """Whether this is the competition's `train.csv`: its paths name folders, not photos."""
        return set(TRAIN_COLUMNS) <= set(self.table.column_names) and not any(
            str(path).lower().endswith(PHOTO_SUFFIXES)
            for path in self.table["path"].slice(0, 100).to_pylist()
        )

    def listing(self, space: LabelSpace) -> Listing:
        """List the photos of a training, test or any other table.

        Raises:
            MaskkitError: Columns or paths are missing, or `train.csv` is read for a task of other factors.
        """
        names, given = [factor.name for factor in space.factors], self.table.column_names
        self._refuse_nested({"path", TEST_COLUMN, "id", "person_id", "label", *names})
        if self.is_training:
            return self._training(space)
        if TEST_COLUMN in given and "path" not in given:
            return Listing(self.root, {"path": self.table[TEST_COLUMN]})
        # Any other table has `path`, and all factors or none; every column is kept.
        absent = [factor for factor in names if factor not in given]
        if "path" not in given or 0 < len(absent) < len(names):
            lacking = absent if "path" in given else ["path", *absent]
            raise MaskkitError(
                f"{self.name} has no column {', '.join(lacking)}",
                why=f"it has {', '.join(given)}; photos are listed by `path`, "
                f"and their class is made of {', '.join(names)}",
                fix="rename or add the columns; leave all factors out for photos without labels, "
                "or describe your own factors with --task",
            )
        return Listing(self.root, dict(zip(given, self.table.columns, strict=True)))

    def _refuse_nested(self, names: Set[str]) -> None:
        for column in self.table.schema:
            if column.name in names and not is_key(column.type):
                raise MaskkitError(
                    f"{column.name} of {self.name} holds {column.type}",
                    why="it is one text or number for each photo",
                    fix="write it as text, or rename the column if it is something else",
                )

    def _training(self, space: LabelSpace) -> Listing:
        """List seven photos per person; those that are not there are missing."""
        wanted = {factor.name for factor in HOME.factors}
        if {factor.name for factor in space.factors} != wanted:
            raise MaskkitError(
                "this is the competition's train.csv, and the task has other factors",
                why=f"its photos are of known {', '.join(sorted(wanted))}, nothing else",
                fix="leave --task out, or give a table with a path and your own factors",
            )
        folders = self.table["path"].cast(pa.string())
        if folders.null_count:
            raise MaskkitError(
                f"row {pc.index(folders.is_null(), True).as_py() + 1} of train.csv has no path",
                why="it names the folder of a person's photos",
                fix="correct the table",
            )
        base = os.fspath(self.root)
        layouts: dict[tuple[str, ...], int] = {}  # nearly all folders hold files of the same names
        numbers = (layouts.setdefault(_names_in(f"{base}/{name}"), len(layouts)) for name in _each(folders))
        layout_of = np.asarray(array("q", numbers))
        photos = [_photos_by_state(names) for names in layouts]
        paths, person, state = _joined(folders, layout_of, photos)
        given = {"person_id": "id", "gender": "gender", "age": "age"}
        columns = {name: self.table[column].take(person) for name, column in given.items()}
        masks = pa.DictionaryArray.from_arrays(state, list(STATES.values()))
        return Listing(
            self.root,
            {"path": paths, **columns, "mask": pa.chunked_array([masks])},
            _missing(folders, layout_of, photos),
        )


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
    """Return the file names per state, without dot files such as `._mask1.jpg` of macOS."""
    photos: dict[str, list[str]] = {state: [] for state in STATES}
    for name in names:
        path = PurePath(name)
        if path.stem in photos and path.suffix.lower() in PHOTO_SUFFIXES:
            photos[path.stem].append(name)
    return photos


def _joined(
    folders: pa.ChunkedArray, layout_of: Ints, photos: Sequence[Mapping[str, Sequence[str]]]
) -> tuple[pa.ChunkedArray, pa.Array, pa.Array]:
    """Return the path of every photo, the row of its person, and the code of its state.

    Each person has a folder and its layout, (people,); a state without just one file has no photo.
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
    chunks = []
    for start in range(0, len(person), BLOCK):
        part = slice(start, start + BLOCK)
        files = names.take(pa.array(file[part]))
        chunks += pc.binary_join_element_wise(folders.take(pa.array(person[part])), files, "/").chunks
    return pa.chunked_array(chunks, pa.string()), pa.array(person), pa.array(codes[file])


def _missing(
    folders: pa.ChunkedArray, layout_of: Ints, photos: Sequence[Mapping[str, Sequence[str]]]
) -> dict[str, str]:
    """Say what is wrong with each state of which a folder does not have one photo."""
    incomplete = [any(len(names) != 1 for names in layout.values()) for layout in photos]
    return {
        f"{folders[row].as_py()}/{state}": f"two files: {', '.join(names)}" if names else "missing"
        for row in np.flatnonzero(np.array(incomplete, bool)[layout_of]).tolist()
        for state, names in photos[layout_of[row]].items()
        if len(names) != 1
    }


def folder_photos(folder: Path, space: LabelSpace, *, unlabelled: bool = False) -> Listing:
    """List the photos under a folder, of the class that the folder around each names.

    A class folder is named like the class, nested (`wear/female/30to59`) or flat (`_` or `-` for `/`), or by
    its number (`4`). Photos may lie any deeper. If `unlabelled`, those in no class folder have no label.

    Raises:
        MaskkitError: A photo lies in no class folder, unless `unlabelled`, or there are none.
    """
    classes = _folder_names(space)
    labels, counts = array("q"), array("q")  # of each folder
    outside: Counter[str] = Counter()

    def paths() -> Iterator[str]:
        for place, photos in _walk(folder):
            depths = range(1, len(place) + 1)
            label = next((classes[place[:depth]] for depth in depths if place[:depth] in classes), None)
            if label is None and not unlabelled:
                outside["/".join(place) or "."] += len(photos)
                continue
            labels.append(-1 if label is None else label)
            counts.append(len(photos))
            yield from ("/".join((*place, name)) for name in photos)

    path = text_column(paths())
    named = [f"{place} ({count})" for place, count in outside.items() if count]
    if unlabelled and not len(path):
        raise MaskkitError(
            f"{folder} has no photos",
            why=f"photos are files that end in {', '.join(PHOTO_SUFFIXES)}",
            fix="give the folder that they are in, or one above it",
        )
    if named or not len(path):
        what = f"photos outside class folders: {examples(named)}" if named else "no photos"
        raise MaskkitError(
            f"{folder} has {what}",
            why=f"the folders name the class: {examples(space.names)}, or 0 to {len(space) - 1}",
            fix="rename the folders, or give a table with a path and the factors; "
            "the competition's layout is found by its train.csv or info.csv",
        )
    label_of = np.repeat(np.asarray(labels), np.asarray(counts))  # (photos,)
    return Listing(folder, {"path": path, **_factor_columns(label_of, space)})


def _folder_names(space: LabelSpace) -> dict[tuple[str, ...], int]:
    names: dict[tuple[str, ...], int] = {}
    levels = [space.levels_of(index) for index in range(len(space))]
    numbers = [(str(index),) for index in range(len(space))]
    flat = ([(mark.join(words),) for words in levels] for mark in "-_")
    # The last takes precedence: a level may itself be named by a number, or contain a mark.
    styles: list[Sequence[tuple[str, ...]]] = [numbers, *flat, levels]
    for style in styles:
        if len(set(style)) == len(space):
            names |= {name: index for index, name in enumerate(style)}
    return names


def _walk(folder: Path) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the place and the photos of a folder and all below it, also behind symbolic links."""
    waiting: list[tuple[tuple[str, ...], frozenset[str]]] = [((), frozenset())]
    while waiting:
        place, above = waiting.pop()
        here = os.path.realpath(folder.joinpath(*place))
        if here in above:
            continue  # a link to a folder that it lies in
        try:
            entries = sorted(os.scandir(folder.joinpath(*place)), key=lambda entry: entry.name)
        except OSError as error:
            raise MaskkitError(
                f"cannot list the folder {folder.joinpath(*place)}",
                why=(error.strerror or str(error)).lower(),
                fix="make it readable, or move it out of the tree",
            ) from error
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        folders = [entry.name for entry in seen if entry.is_dir()]
        waiting += [((*place, name), above | {here}) for name in reversed(folders)]
        photos = [entry for entry in seen if entry.name.lower().endswith(PHOTO_SUFFIXES)]
        yield place, [entry.name for entry in photos if not entry.is_dir()]


def _factor_columns(labels: Ints, space: LabelSpace) -> dict[str, pa.ChunkedArray]:
    """Return the label and the level names; a folder does not name a numeric factor's own number."""
    columns = {"label": pa.chunked_array([pa.array(labels, mask=labels < 0)])}
    levels = np.unravel_index(np.maximum(labels, 0), space.shape)
    for factor, level in zip(space.factors, levels, strict=True):
        if not factor.is_numeric:
            names = pa.DictionaryArray.from_arrays(pa.array(level, mask=labels < 0), list(factor.levels))
            columns[factor.name] = pa.chunked_array([names])
    return columns
