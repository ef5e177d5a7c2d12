"""Photos that are given one by one."""

from __future__ import annotations

import os
import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from maskkit.artifacts.checks import check
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import MOST_INPUTS, Header, Input
from maskkit.artifacts.manifest import Manifest, PhotoSource
from maskkit.errors import MaskkitError, examples
from maskkit.labels import LabelSpace
from maskkit.sources.layouts import Listing
from maskkit.sources.manifest_columns import listed
from maskkit.storage.address import Address, PathOrAddress, place_of

MOST = MOST_INPUTS // 2  # photos, of which each is an input of a record


def single_photos(photos: Sequence[PathOrAddress], space: LabelSpace) -> tuple[Manifest, tuple[Input, ...]]:
    """Return the manifest of some photos without labels, and what each is as an input.

    Their paths are relative to the folder that holds all of them, which is their root.

    Raises:
        MaskkitError: A photo cannot be read or is given twice, or there are too many for a record.
    """
    if len(photos) > MOST:
        raise MaskkitError(
            f"{len(photos)} photos are given one by one",
            why=f"each of them is recorded, and {MOST} are the most",
            fix="give the folder that they are in",
        )
    whole = [_whole(photo) for photo in photos]
    if twice := [name for name, count in Counter(whole).items() if count > 1]:
        raise MaskkitError(
            f"{examples(twice)} is given twice", why="each photo is predicted once", fix="give it once"
        )
    folder = _folder_of(photos, whole)
    name = str(photos[0]) if len(photos) == 1 else f"{photos[0]} and {len(photos) - 1} more"
    paths = pa.chunked_array([[posixpath.relpath(name, str(folder)) for name in whole]], pa.string())
    header = Header("manifest", space)
    table = check(listed(Listing(folder, {"path": paths}), space, name=name), header, name=name)
    manifest = Manifest(table, header, photos=PhotoSource(root=str(folder)))
    source = Source(name, pa.py_buffer(manifest.to_bytes()))
    inputs = tuple(Input(str(photo), Source.open(str(photo)).sha256) for photo in photos)
    return Manifest(table, header, source, manifest.photos), inputs


def _whole(photo: PathOrAddress) -> str:
    # By words, as a link may lead elsewhere.
    return str(photo) if isinstance(photo, Address) else os.path.abspath(photo)  # noqa: PTH100


def _folder_of(photos: Sequence[PathOrAddress], whole: Sequence[str]) -> PathOrAddress:
    """Return the folder that holds all photos, whose whole names are given."""
    if not any(isinstance(photo, Address) for photo in photos):
        return Path(os.path.commonpath([os.path.dirname(name) for name in whole]))  # noqa: PTH120 - by words
    if len({name.split("/", 3)[2] if "://" in name else "" for name in whole}) > 1:
        raise MaskkitError(
            f"{examples(whole)} are in no folder that holds all of them",
            why="their paths are relative to one folder, of this machine or of one bucket",
            fix="predict those of each place by themselves",
        )
    common = posixpath.commonpath([posixpath.dirname(name.partition("://")[2]) for name in whole])
    return place_of(f"{whole[0].partition('://')[0]}://{common}")
