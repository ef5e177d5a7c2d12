"""Look at all photos of a manifest, those that are missing or broken among them."""

from __future__ import annotations

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.roots import photo_files
from maskkit.imaging.survey import Survey, survey


def look_at(manifest: Manifest, *, half: bool = False) -> Survey:
    """Survey the photos of each row.

    Args:
        manifest: Lists them.
        half: Decode JPEGs at half their size.

    Raises:
        MaskkitError: No photo can be read.
    """
    if not len(manifest):
        raise MaskkitError(
            f"{manifest.name} has no rows",
            why="there is nothing to look at",
            fix="give one that lists photos",
        )
    found = survey(photo_files(manifest, tolerant=True), scale=2 if half else 1)
    if not found.readable.any():
        named = (f"{manifest.paths[row]} ({why})" for row, why in found.faults.items())
        raise MaskkitError(
            f"none of the {len(manifest)} photos of {manifest.name} can be read",
            why=examples(named),
            fix="check --root, or repair the photos",
        )
    return found
