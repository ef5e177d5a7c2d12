"""What is predicted: the rows of a manifest, the photos of a folder, or photos that are named one by one."""

from __future__ import annotations

from collections.abc import Sequence

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Input
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, examples
from maskkit.sources.manifest_columns import unlabelled_folder
from maskkit.sources.single_photos import single_photos
from maskkit.storage.address import PathOrAddress


def photos_to_predict(
    given: Manifest | Sequence[PathOrAddress],
    checkpoints: Sequence[Checkpoint],
    *,
    faults: dict[str, str] | None,
) -> tuple[Manifest, Sequence[Input]]:
    """Return the manifest of what is given, itself or a folder or photos, and each photo as an input.

    Raises:
        MaskkitError: As `folder_of_photos`, or a photo cannot be read.
    """
    if isinstance(given, Manifest):
        return given, ()
    if len(given) == 1 and given[0].is_dir():
        return folder_of_photos(given[0], checkpoints, faults=faults), ()
    _refuse_cutting(given[0], checkpoints)
    return single_photos(given, checkpoints[0].space)


def folder_of_photos(
    folder: PathOrAddress, checkpoints: Sequence[Checkpoint], *, faults: dict[str, str] | None = None
) -> Manifest:
    """Return the manifest of all photos under a folder, of the models' label space.

    `faults` takes what is wrong with photos whose names are not UTF-8; None to raise.

    Raises:
        MaskkitError: There are none, or a model has seen photos that were cut to faces.
    """
    _refuse_cutting(folder, checkpoints)
    return unlabelled_folder(folder, checkpoints[0].space, faults=faults)


def _refuse_cutting(given: PathOrAddress, checkpoints: Sequence[Checkpoint]) -> None:
    cutting = [item.name for item in checkpoints if item.preprocess.crop is not None]
    if cutting:
        what, folder = ("folder", given) if given.is_dir() else ("photo", given.parent)
        raise MaskkitError(
            f"{given} is a {what}, and {examples(cutting)} takes photos that are cut to the face",
            why="faces are found first, by `maskkit crop`",
            fix=f"maskkit label {folder} --unlabelled -o photos.parquet && maskkit crop photos.parquet "
            "-o cropped.parquet, then predict cropped.parquet",
        )
