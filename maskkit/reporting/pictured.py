"""Small pictures of the worst mistakes, and of what the model looked at in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.manifest import Manifest
from maskkit.progress import track
from maskkit.scoring.mistakes import WrongAnswer
from maskkit.scoring.shown_photos import ShownPhoto

if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pictured:
    """The pictures of one photo."""

    photo: str | None  # a data URI; None if the photo cannot be read
    heats: tuple[tuple[str, str], ...] = ()  # a class's label, and a data URI of the photo under its heat
    by: str = ""  # the model that explains


def thumbnails_of(shown: Sequence[ShownPhoto], manifest: Manifest) -> Mapping[str, str | None]:
    """Return a small picture of each photo by its path, None for one that cannot be read.

    Raises:
        MaskkitError: The photos are not under the root.
    """
    from maskkit.imaging.roots import photo_files
    from maskkit.imaging.thumbnails import thumbnail

    rows = dict(zip(manifest.paths, photo_files(manifest, tolerant=True), strict=True))
    return {one.path: thumbnail(rows[one.path]) for one in track(shown, len(shown), "thumbnails")}


def pictures_of(
    mistakes: Sequence[WrongAnswer], manifest: Manifest, *, explain: Sequence[Checkpoint] = ()
) -> Mapping[str, Pictured]:
    """Return the pictures of each mistake by its path, with what the models of `explain` looked at.

    Raises:
        MaskkitError: The photos are not under the root, or a model is of other classes or has no feature map.
    """
    from maskkit.imaging.roots import photo_files
    from maskkit.imaging.thumbnails import thumbnail

    if not mistakes:
        return {}
    wanted = pa.array([one.path for one in mistakes])
    rows = pc.index_in(wanted, value_set=manifest.table["path"]).to_numpy().astype(np.int64)
    files = photo_files(manifest, tolerant=True)
    shown = {
        one.path: Pictured(thumbnail(files[row]))
        for one, row in track(zip(mistakes, rows, strict=True), len(mistakes), "thumbnails")
    }
    if explain:
        readable = [place for place, one in enumerate(mistakes) if shown[one.path].photo is not None]
        chosen = [mistakes[place] for place in readable]
        shown |= _explained(chosen, manifest, rows[readable], explain, shown)
    return shown


def _explained(
    mistakes: Sequence[WrongAnswer],
    manifest: Manifest,
    rows: NDArray[np.int64],
    models: Sequence[Checkpoint],
    shown: Mapping[str, Pictured],
) -> dict[str, Pictured]:
    """Ask for each mistake a model that has not seen its person, and return its pictures with the heat."""
    from maskkit.artifacts.header import same_space
    from maskkit.imaging.cropping import same_faces

    for model in models:
        same_space(manifest.space, model.space, names=(manifest.name, model.name))
        same_faces(manifest, model)
    spoken = who_explains(manifest.select(rows), models)
    if (spoken < 0).any():
        text = "%d of %d mistakes are not explained: every model has seen their people"
        log.warning(text, (spoken < 0).sum(), len(rows))
    found = {}
    for number in np.unique(spoken[spoken >= 0]).tolist():
        places = np.flatnonzero(spoken == number)
        asked = [mistakes[place] for place in places.tolist()]
        heated = _heated(asked, manifest.select(rows[places]), models[number])
        for one, pictures in zip(asked, heated, strict=True):
            found[one.path] = replace(shown[one.path], heats=pictures, by=models[number].name)
    return found


def _heated(
    mistakes: Sequence[WrongAnswer], manifest: Manifest, model: Checkpoint
) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield for each mistake, a row of the manifest each, the photo under the heat for both classes."""
    from maskkit.imaging.kept_photos import open_photos
    from maskkit.imaging.thumbnails import HEIGHT, as_uri
    from maskkit.modeling.backbone import restore
    from maskkit.modeling.explaining import heats, under_heat

    photos = open_photos(manifest, model.preprocess)
    pixels = photos.take(np.arange(len(manifest)))  # (n, height, width, 3)
    names = manifest.space.names
    classes = [
        [names.index(one.prediction) for one in mistakes],
        [names.index(one.truth) for one in mistakes],
    ]
    heat = heats(restore(model), pixels, photos.prepare, classes, name=model.model)
    for one, photo, *each in zip(mistakes, pixels, *heat, strict=True):
        labels = (f"for {one.taken_for}", f"for {one.truth_there}")
        hot = (as_uri(under_heat(photo, part, height=HEIGHT), height=HEIGHT) for part in each)
        yield tuple(zip(labels, hot, strict=True))


def who_explains(manifest: Manifest, models: Sequence[Checkpoint]) -> NDArray[np.int64]:
    """Return which model has not seen the person of each photo, (rows,); -1 if all have.

    Of several, the one that held the photo's fold out; else the first.
    """
    people = manifest.people
    unseen = np.stack([~one.seen.contains(people.names)[people.codes] for one in models])  # (models, rows)
    fold = manifest.folds if manifest.has("fold") else np.full(len(manifest), -1)
    own = np.stack([np.isin(fold, [] if one.fold is None else [one.fold]) for one in models])
    best = np.argmax(unseen * (1 + own), axis=0)
    return np.where(unseen.any(axis=0), best, -1).astype(np.int64)
