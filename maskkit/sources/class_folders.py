"""Photos in folders that name their class."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from maskkit.artifacts.columns import Ints
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.options.train_options import PHOTO_SUFFIXES
from maskkit.sources.layouts import Listing, text_column
from maskkit.sources.passed_over import PassedOver
from maskkit.sources.walking import walk
from maskkit.texts import composed, foreign_name, is_utf8, readable


def folder_photos(folder: Path, space: LabelSpace, *, unlabelled: bool = False) -> Listing:
    """List the photos under a folder, of the class that the folder around each names.

    A class folder is named like the class, nested (`wear/female/30to59`) or flat (`_` or `-` for `/`), or by
    its number (`4`). Photos may lie any deeper. If `unlabelled`, those in no class folder have no label.

    Raises:
        MaskkitError: A photo lies in no class folder, unless `unlabelled`, or there are none.
    """
    classes = {tuple(map(composed, name)): label for name, label in _folder_names(space).items()}
    labels, counts = array("q"), array("q")  # of each folder
    outside: Counter[str] = Counter()
    missing: dict[str, str] = {}
    respelled = 0
    others = PassedOver()

    def paths() -> Iterator[str]:
        for place, photos in walk(folder, others):
            names = ["/".join((*place, name)) for name in photos]
            foreign = [name for name in names if not is_utf8(name)]
            missing.update((readable(name), foreign_name(name)) for name in foreign)
            names = [name for name in names if is_utf8(name)] if foreign else names
            alike, depths = tuple(map(composed, place)), range(1, len(place) + 1)
            label = next((classes[alike[:depth]] for depth in depths if alike[:depth] in classes), None)
            if label is None and not unlabelled:
                outside["/".join(place) or "."] += len(names)
                continue
            nonlocal respelled
            respelled += len(names) if alike != place and label is not None else 0
            labels.append(-1 if label is None else label)
            counts.append(len(names))
            yield from names

    path = text_column(paths())
    others.warn(folder)
    named = [f"{place} ({count})" for place, count in outside.items() if count]
    if unlabelled and not len(path) and not missing:
        raise MaskkitError(
            f"{folder} has no photos",
            why=f"photos are files that end in {', '.join(PHOTO_SUFFIXES)}",
            fix="give the folder that they are in, or one above it",
        )
    if named or not (len(path) or missing):
        what = f"photos outside class folders: {examples(named)}" if named else "no photos"
        raise MaskkitError(
            f"{folder} has {what}",
            why=f"the folders name the class: {examples(space.names)}, or 0 to {len(space) - 1}",
            fix="rename the folders, or give a table with a path and the factors; "
            "the competition's layout is found by its train.csv or info.csv",
        )
    label_of = np.repeat(np.asarray(labels), np.asarray(counts))  # (photos,)
    columns = {"path": path, **_factor_columns(label_of, space)}
    return Listing(folder, columns, missing, respelled)


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
