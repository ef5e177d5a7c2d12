"""A tree of photos in which the folders name the class."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.listing import Listing, TextColumn


def folder_photos(root: Path, space: LabelSpace, *, unlabelled: bool = False) -> Listing:
    """List the photos under `root`, of the class that their folder names.

    A class folder is named like the class, nested (`wear/female/30to59`) or flat with `_` or `-`
    (`wear_female_30to59`), or by its number (`4`). Photos may lie any deeper. If `unlabelled`, those in
    no class folder have no label.

    Raises:
        MaskkitError: A photo lies in no class folder, unless `unlabelled`, or there are none.
    """
    classes = _folder_names(space)
    paths, labels, counts = TextColumn(), array("q"), array("q")  # a label and a count per folder
    strangers: Counter[str] = Counter()
    for place, photos in _walk(root):
        depths = range(1, len(place) + 1)
        label = next((classes[place[:depth]] for depth in depths if place[:depth] in classes), None)
        if label is None and not unlabelled:
            strangers["/".join(place) or "."] += len(photos)
            continue
        paths.extend("/".join((*place, name)) for name in photos)
        labels.append(-1 if label is None else label)
        counts.append(len(photos))
    outside = [f"{folder} ({count})" for folder, count in strangers.items() if count]
    if unlabelled and not sum(counts):
        raise MaskkitError(
            f"{root} has no photos",
            why=f"photos are files that end in {', '.join(PHOTO_SUFFIXES)}",
            fix="give the folder that they are in, or one above it",
        )
    if outside or not sum(counts):
        what = f"photos outside class folders: {examples(outside)}" if outside else "no photos"
        raise MaskkitError(
            f"{root} has {what}",
            why=f"the folders name the class: {examples(space.names)}, or 0 to {len(space) - 1}",
            fix="rename the folders, or give a table with a path and the factors; "
            "the competition's layout is found by its train.csv or info.csv",
        )
    label_of = np.repeat(np.asarray(labels), np.asarray(counts))  # (photos,)
    return Listing(root, {"path": paths.whole(), **_factor_columns(label_of, space)})


def _folder_names(space: LabelSpace) -> dict[tuple[str, ...], int]:
    names: dict[tuple[str, ...], int] = {}
    levels = [space.levels_of(index) for index in range(len(space))]
    numbers = [(str(index),) for index in range(len(space))]
    flat = ([(mark.join(words),) for words in levels] for mark in "-_")
    # The last says most: a level may itself be named by a number, or contain a mark.
    styles: list[Sequence[tuple[str, ...]]] = [numbers, *flat, levels]
    for style in styles:
        if len(set(style)) == len(space):
            names |= {name: index for index, name in enumerate(style)}
    return names


def _walk(root: Path) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the place and the photos of `root` and all folders below it, also behind symbolic links."""
    waiting: list[tuple[tuple[str, ...], frozenset[str]]] = [((), frozenset())]
    while waiting:
        place, above = waiting.pop()
        folder = root.joinpath(*place)
        here = os.path.realpath(folder)
        if here in above:
            continue  # a link to a folder that it lies in
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise MaskkitError(
                f"cannot list the folder {folder}",
                why=(error.strerror or str(error)).lower(),
                fix="make it readable, or move it out of the tree",
            ) from error
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        folders = [entry.name for entry in seen if entry.is_dir()]
        waiting += [((*place, name), above | {here}) for name in reversed(folders)]
        yield (
            place,
            [
                entry.name
                for entry in seen
                if entry.name.lower().endswith(PHOTO_SUFFIXES) and not entry.is_dir()
            ],
        )


def _factor_columns(labels: NDArray[np.int64], space: LabelSpace) -> dict[str, pa.ChunkedArray]:
    """Return the label and the level names; a folder does not tell a numeric factor's own number."""
    columns = {"label": pa.chunked_array([pa.array(labels, mask=labels < 0)])}
    told = np.unravel_index(np.maximum(labels, 0), space.shape)
    for factor, level in zip(space.factors, told, strict=True):
        if not factor.is_numeric:
            names = pa.DictionaryArray.from_arrays(pa.array(level, mask=labels < 0), list(factor.levels))
            columns[factor.name] = pa.chunked_array([names])
    return columns
