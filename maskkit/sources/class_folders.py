"""Photos in folders that name their class."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from maskkit.artifacts.columns import Ints
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.layouts import Listing, text_column
from maskkit.sources.passed_over import PassedOver
from maskkit.sources.walking import walk
from maskkit.storage.address import PathOrAddress
from maskkit.texts import composed, foreign_name, is_utf8, readable


@dataclass(frozen=True)
class PhotoTree:
    """The photos of a folder and of all below it, before it is known what its folders name."""

    folder: PathOrAddress
    path: pa.ChunkedArray  # of every photo whose name is UTF-8, relative to the folder
    places: Sequence[tuple[str, ...]]  # the names of the folders on the way to each folder, also an empty one
    counts: Ints  # photos among the paths in each place, (places,)
    missing: Mapping[str, str]  # photos whose name is not UTF-8, and what is wrong

    @classmethod
    def of(cls, folder: PathOrAddress) -> PhotoTree:
        """List what is under a folder; say which photos are passed over because of their suffix."""
        places: list[tuple[str, ...]] = []
        counts = array("q")
        missing: dict[str, str] = {}
        others = PassedOver()

        def paths() -> Iterator[str]:
            for place, photos in walk(folder, others):
                names = ["/".join((*place, name)) for name in photos]
                foreign = [name for name in names if not is_utf8(name)]
                missing.update((readable(name), foreign_name(name)) for name in foreign)
                names = [name for name in names if is_utf8(name)] if foreign else names
                places.append(place)
                counts.append(len(names))
                yield from names

        path = text_column(paths())
        others.warn(folder)
        return cls(folder, path, places, np.asarray(counts, np.int64), missing)

    def has_classes(self, space: LabelSpace) -> bool:
        """Whether any photo is in a folder that names a class."""
        return bool(((self._classes(space) >= 0) & (self.counts > 0)).any())

    def listing(self, space: LabelSpace, *, unlabelled: bool = False) -> Listing:
        """Give each photo the class that the folder around it names.

        A class folder is named like the class, nested (`wear/female/30to59`) or flat (`_` or `-` for `/`), or
        by its number (`4`). Photos may lie any deeper. If `unlabelled`, those in no class folder have no
        label.

        Raises:
            MaskkitError: A photo lies in no class folder, unless `unlabelled`, or there are none.
        """
        label = self._classes(space)  # (places,)
        outside = np.flatnonzero((label < 0) & (self.counts > 0)).tolist()
        if not len(self.path) and not self.missing:
            raise self.without_photos()
        if outside and not unlabelled:
            named = (f"{'/'.join(self.places[row]) or '.'} ({self.counts[row]})" for row in outside)
            raise MaskkitError(
                f"{self.folder} has photos outside class folders: {examples(named)}",
                why=f"the folders name the class: {examples(space.names)}, or 0 to {len(space) - 1}",
                fix="rename or move the folders, describe your own classes with --task, take these photos "
                "without a label by --unlabelled, or give a table with a path and the factors",
            )
        is_respelled = [label[row] >= 0 and composed_place(one) != one for row, one in enumerate(self.places)]
        columns = {"path": self.path, **_factor_columns(np.repeat(label, self.counts), space)}
        respelled = int(self.counts[np.asarray(is_respelled, bool)].sum())
        return Listing(self.folder, columns, self.missing, respelled)

    def without_photos(self) -> MaskkitError:
        """Return the error that says so of the folder."""
        return MaskkitError(
            f"{self.folder} has no photos",
            why=f"photos are files that end in {', '.join(PHOTO_SUFFIXES)}",
            fix="give the folder that they are in, or one above it",
        )

    def _classes(self, space: LabelSpace) -> Ints:
        """Return the class that each place names, (places,); -1 if none.

        The deepest folders that name one say which: in `19/ok` of a grid, 19 is no class's number.
        """
        classes = {composed_place(name): label for name, label in _folder_names(space).items()}
        found = []
        for place in map(composed_place, self.places):
            above = (place[:depth] for depth in range(len(place), 0, -1))
            found.append(next((classes[one] for one in above if one in classes), -1))
        return np.asarray(found, np.int64)


def folder_photos(folder: PathOrAddress, space: LabelSpace, *, unlabelled: bool = False) -> Listing:
    """List the photos under a folder with the class that the folder around each names."""
    return PhotoTree.of(folder).listing(space, unlabelled=unlabelled)


def composed_place(place: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of folders in NFC."""
    return tuple(map(composed, place))


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


def _factor_columns(labels: Ints, space: LabelSpace) -> dict[str, pa.ChunkedArray]:
    """Return the label and the level names; a folder does not name a numeric factor's own number."""
    columns = {"label": pa.chunked_array([pa.array(labels, mask=labels < 0)])}
    levels = np.unravel_index(np.maximum(labels, 0), space.shape)
    for factor, level in zip(space.factors, levels, strict=True):
        if not factor.is_numeric:
            names = pa.DictionaryArray.from_arrays(pa.array(level, mask=labels < 0), list(factor.levels))
            columns[factor.name] = pa.chunked_array([names])
    return columns
