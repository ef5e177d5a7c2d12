"""The photos that `label` is given: of a table, of a folder that holds one, or of a tree of class folders."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Input
from maskkit.errors import MaskkitError
from maskkit.labels import HOME, LabelSpace
from maskkit.sources.class_folders import PhotoTree
from maskkit.sources.layouts import Listing, PhotoTable
from maskkit.sources.own_classes import say_what_was_found, space_of_folders
from maskkit.sources.people_from_names import with_people
from maskkit.sources.reading import photo_table
from maskkit.storage.address import PathOrAddress, place_of


@dataclass(frozen=True)
class GivenPhotos:
    """Photos as they were named, and the task that they are labelled for."""

    listing: Listing
    space: LabelSpace
    named_by: Input  # the table or the folder; a tree of class folders has no digest of its own
    unlabelled: bool  # whether a folder's photos outside class folders are among them

    @property
    def root(self) -> PathOrAddress:
        """The folder that their paths are relative to."""
        return self.listing.root

    @classmethod
    def of(
        cls,
        source: Source | Path | str,
        *,
        root: str | None = None,
        task: Source | None = None,
        unlabelled: bool = False,
        any_folder: bool = False,
        person_from: str | None = None,
        encoding: str | None = None,
    ) -> GivenPhotos:
        """List the photos; arguments are those of `label`.

        Raises:
            MaskkitError: Nothing was found, or a column, value or folder does not fit the task.
        """
        photos, named_by = _opened(source, root, encoding)
        space, unlabelled = _space_of(photos, task, unlabelled=unlabelled, any_folder=any_folder)
        listing = _listing(photos, space, unlabelled=unlabelled, is_given=task is not None)
        if person_from is not None:
            listing = with_people(listing, person_from, name=named_by.path)
        return cls(listing, space, named_by, unlabelled)


def task_space(task: Source | Path | str | None, photos: PhotoTree | PhotoTable | None = None) -> LabelSpace:
    """Return the label space of a task file; without one, that of class folders, or else the home task's."""
    if task is None:
        return space_of_folders(photos) if isinstance(photos, PhotoTree) else HOME
    task = task if isinstance(task, Source) else Source.open(task)
    return LabelSpace.from_toml(task.data.to_pybytes(), title=task.title)


def task_of_folder(folder: Path | str) -> LabelSpace:
    """Return the label space that a tree of class folders stands for, as `label` takes it."""
    photos, _ = _opened(folder, None, None)
    return task_space(None, photos)


def _opened(
    source: Source | Path | str, root: str | None, encoding: str | None
) -> tuple[PhotoTable | PhotoTree, Input]:
    """Open a table of photos, or list those of a folder that holds none."""
    if isinstance(source, Source):
        return photo_table(source, root=root), Input(source.name, source.sha256)
    folder = place_of(source)
    tables = [folder / name for name in ("train.csv", "info.csv") if (folder / name).is_file()]
    if tables or not folder.is_dir():
        opened = Source.open(str(tables[0] if tables else folder), encoding=encoding)
        return photo_table(opened, root=root), Input(str(source), opened.sha256)
    if root is not None and place_of(root).resolve() != folder.resolve():
        raise MaskkitError(
            f"{folder} is a tree of class folders, and --root is {root}",
            why="such a tree is its own root",
            fix="leave --root out",
        )
    return PhotoTree.of(folder), Input(str(source), "")  # the digest is that of the photos


def _space_of(
    photos: PhotoTree | PhotoTable, task: Source | None, *, unlabelled: bool, any_folder: bool
) -> tuple[LabelSpace, bool]:
    """Return the label space of photos, and whether some of a folder may be without a label."""
    if not any_folder or not isinstance(photos, PhotoTree):
        return task_space(task, None if unlabelled else photos), unlabelled
    with suppress(MaskkitError):  # folders that make up no task, or photos outside the folders of classes
        space = task_space(task, photos)
        photos.listing(space)
        return space, False
    return task_space(task), True


def _listing(
    photos: PhotoTree | PhotoTable, space: LabelSpace, *, unlabelled: bool, is_given: bool
) -> Listing:
    """List photos for a label space; say which it is if it was not given, and is not the home task's."""
    if not isinstance(photos, PhotoTree):
        return photos.listing(space)
    listing = photos.listing(space, unlabelled=unlabelled)
    if not is_given and space != HOME:
        say_what_was_found(photos, space)
    return listing
