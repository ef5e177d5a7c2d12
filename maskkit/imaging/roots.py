"""Where a manifest's photos are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.spelling import spelled_otherwise
from maskkit.storage.address import Address, PathOrAddress, place_of
from maskkit.storage.objects import has_bucket

VARIABLE = "MASKKIT_ROOT"
LOOKED_AT = 5


def photo_folder(manifest: Manifest, *, tolerant: bool = False) -> PathOrAddress:
    """Return the root of a manifest's photos, after looking whether the first few are there.

    It is that of `manifest.photos`, or MASKKIT_ROOT, or `recorded_root`. If `tolerant`, one of the first few
    photos is enough.

    Raises:
        MaskkitError: The first photos are not under the root; better now than after an epoch. Or the root is
            an address that nobody has given.
    """
    chosen = chosen_root(manifest)
    folder = recorded_root(manifest) if chosen is None else chosen
    files = _files_under(folder, _first_paths(manifest))
    missing = _missing(files)
    if missing and not (tolerant and len(missing) < len(files)):
        raise _not_there(manifest, folder, files.index(missing[0]), is_chosen=chosen is not None)
    return folder


def photo_files(
    manifest: Manifest, *, tolerant: bool = False, rows: slice | None = None
) -> list[PathOrAddress]:
    """Return the file of each row, or of these rows, under `photo_folder`."""
    folder = photo_folder(manifest, tolerant=tolerant)
    if rows is None:
        return _files_under(folder, manifest.paths)
    return _files_under(folder, manifest.table["path"][rows].to_pylist())


def _first_paths(manifest: Manifest) -> list[str]:
    return manifest.table["path"][:LOOKED_AT].to_pylist()  # type: ignore[no-any-return]


def chosen_root(manifest: Manifest) -> PathOrAddress | None:
    """Return the root that somebody gave, None if nobody did."""
    text = manifest.photos.root or os.environ.get(VARIABLE)
    return place_of(text) if text else None


def recorded_root(manifest: Manifest) -> Path:
    """Return the root that `label` recorded, seen from the first folder where the first photos are under it.

    A relative one is looked for from the folder that the command is in, then from the manifest's own, and
    from those above that: in one of them `label` ran, if the manifest was not taken elsewhere. Where none has
    all of the first photos, it is the one that has most of them.

    Raises:
        MaskkitError: It is an address. A manifest may come from anybody, and alone makes nothing be fetched.
    """
    if isinstance(manifest.root, Address):
        raise MaskkitError(
            f"the photos of {manifest.name} are not on this machine",
            why=f"`label` saw them at {manifest.root}, and an address is only read if somebody gives it",
            fix=f"give it with --root {manifest.root} or {VARIABLE}, or the folder of a copy",
        )
    places = list(_places(manifest.root, manifest.photos.beside))
    missing = [len(_missing(_files_under(folder, _first_paths(manifest)))) for folder in places]
    return places[missing.index(min(missing))]


def _places(root: Path, beside: Path | None) -> Iterator[Path]:
    yield root
    if beside is not None and not root.is_absolute():
        yield beside / root
        yield from (folder / root for folder in Path(os.path.abspath(beside)).parents)  # noqa: PTH100 - by words


def _files_under(folder: PathOrAddress, paths: Sequence[str]) -> list[PathOrAddress]:
    # `..` steps back over the words of the root, not to where a link leads.
    spelled = spelled_otherwise(folder, paths)  # as where they were unpacked on another system
    if isinstance(folder, Address):
        return [folder.stepped(spelled.get(path, path)) for path in paths]
    return [
        Path(os.path.normpath(folder / path)) if path.startswith("../") else folder / path
        for path in (spelled.get(path, path) for path in paths)
    ]


def _missing(files: Sequence[PathOrAddress]) -> list[PathOrAddress]:
    """Return which files are not there; one with too long a name is not."""
    return [file for file in files if not _is_file(file)]


def _is_file(file: PathOrAddress) -> bool:
    return file.is_file() if isinstance(file, Address) else os.path.isfile(file)  # noqa: PTH113 - as said above


def _not_there(manifest: Manifest, folder: PathOrAddress, row: int, *, is_chosen: bool) -> MaskkitError:
    beside, name, root = manifest.photos.beside, _first_paths(manifest)[row], manifest.root
    why = f"there is no {folder / name}"
    if isinstance(folder, Address):
        why = (
            f"there is no {folder.stepped(name)}"
            if has_bucket(folder)
            else f"there is no bucket {folder.bucket}"
        )
    if not is_chosen and beside is not None and isinstance(root, Path) and not root.is_absolute():
        # Both places, each as a whole path: that the root is relative is what people overlook.
        here, there = os.path.abspath(str(folder)), os.path.abspath(beside / root)  # noqa: PTH100
        why = f"there is no {name} in {here}, as seen from the folder you are in"
        if there != here:
            why += f", nor in {there}, as seen from the manifest's"
    return MaskkitError(
        f"the photos of {manifest.name} are not under {folder}",
        why=why,
        fix=f"give their folder with --root or {VARIABLE}, or run this from where `maskkit label` ran",
    )
