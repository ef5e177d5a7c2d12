"""How photos lie before they are a manifest: the competition's tables, and any table.

The competition's training set is `train.csv` (id, gender, race, age, path), where path names a folder per
person that holds mask1 to mask5, incorrect_mask and normal. Its test set is `info.csv` (ImageID, ans), where
nothing is known.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.columns import Ints
from maskkit.artifacts.plain_columns import is_key
from maskkit.engines.threads import on_all_cores
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, LabelSpace
from maskkit.sources.other_spellings import as_on_disk, full_ids
from maskkit.sources.passed_over import PassedOver
from maskkit.sources.walking import is_photo, unlistable
from maskkit.storage.address import Address, PathOrAddress
from maskkit.storage.objects import READERS, names_in

LOOKED_AT = 100  # rows of a table by which it is told what it is
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

    root: PathOrAddress  # the folder that the paths are relative to
    # `path`, and as far as the source knows them `person_id`, the factors and others; equally long, of any
    # type.
    columns: Mapping[str, pa.ChunkedArray]
    # Photos that the source promises but does not have, or whose name is not UTF-8: name and what is wrong.
    missing: Mapping[str, str] = field(default_factory=dict)
    respelled: int = 0  # photos whose folder is spelled in another form of Unicode than it is named

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
    root: PathOrAddress  # the folder that its paths are relative to
    name: str  # for error texts

    def is_training(self, space: LabelSpace) -> bool:
        """Whether this is the competition's `train.csv`: its paths name folders, which are there.

        If none is there, it still is if it cannot be a table of photos, for it lacks factors of theirs.
        """
        given = set(self.table.column_names)
        if not set(TRAIN_COLUMNS) <= given:
            return False
        first = [str(path) for path in self.table["path"].slice(0, LOOKED_AT).to_pylist()]
        if any(is_photo(path) for path in first):
            return False
        is_table = {factor.name for factor in space.factors} <= given
        return not is_table or any(_is_folder(self.root, path) for path in first)

    def listing(self, space: LabelSpace) -> Listing:
        """List the photos of a training, test or any other table.

        Raises:
            MaskkitError: Columns or paths are missing, or `train.csv` is read for a task of other factors.
        """
        names, given = [factor.name for factor in space.factors], self.table.column_names
        self._refuse_nested({"path", TEST_COLUMN, "id", "person_id", "label", *names})
        if self.is_training(space):
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
        named, folders = folders, as_on_disk(folders, self.root)
        layouts: dict[tuple[str, ...], int] = {}  # nearly all folders hold files of the same names
        with _names_in_each(self.root, _each(folders)) as listed:
            layout_of = np.asarray(array("q", (layouts.setdefault(one, len(layouts)) for one in listed)))
        photos = [_photos_by_state(names) for names in layouts]
        self._note_others(list(layouts), layout_of, folders)
        paths, person, state = _joined(folders, layout_of, photos)
        columns = {"person_id": full_ids(self.table["id"], folders).take(person)}
        columns |= {name: self.table[name].take(person) for name in ("gender", "age")}
        masks = pa.DictionaryArray.from_arrays(state, list(STATES.values()))
        return Listing(
            self.root,
            {"path": paths, **columns, "mask": pa.chunked_array([masks])},
            _missing(folders, layout_of, photos),
            respelled=pc.sum(pc.not_equal(named, folders).take(person)).as_py() or 0,
        )

    def _note_others(
        self, layouts: Sequence[tuple[str, ...]], layout_of: Ints, folders: pa.ChunkedArray
    ) -> None:
        """Say which of a person's photos are passed over because of their suffix."""
        others, counts = PassedOver(), np.bincount(layout_of, minlength=len(layouts))
        for number, names in enumerate(layouts):
            odd = [name for name in names if PurePath(name).stem in STATES and not is_photo(name)]
            for name in odd:
                folder = str(folders[int((layout_of == number).argmax())].as_py())
                others.note(self.root / folder / name, times=int(counts[number]))
        others.warn(self.root)


def _each(texts: pa.ChunkedArray) -> Iterator[str]:
    """Yield texts a block at a time: all at once take as much memory as the photos' own paths."""
    for batch in pa.table([texts], names=["text"]).to_batches(max_chunksize=BLOCK):
        yield from batch.column(0).to_pylist()


def _is_folder(root: PathOrAddress, path: str) -> bool:
    return (root / path).is_dir() if isinstance(root, Address) else os.path.isdir(f"{root}/{path}")  # noqa: PTH112


@contextmanager
def _names_in_each(root: PathOrAddress, folders: Iterator[str]) -> Iterator[Iterator[tuple[str, ...]]]:
    """List each of many folders, those of a store side by side; a context, as `on_all_cores`."""
    if not isinstance(root, Address):
        yield (_names_in(f"{root}/{name}") for name in folders)
        return
    with on_all_cores(lambda name: names_in(root / name), folders, threads=READERS) as listed:
        yield listed


def _names_in(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - a third of pathlib's time over 2,700 folders
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL in a name is a ValueError
        return ()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return ()
        raise unlistable(folder, error) from error


def _photos_by_state(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the file names per state, without dot files such as `._mask1.jpg` of macOS."""
    photos: dict[str, list[str]] = {state: [] for state in STATES}
    for name in names:
        path = PurePath(name)
        if path.stem in photos and is_photo(name):
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
