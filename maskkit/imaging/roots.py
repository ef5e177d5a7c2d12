"""Where a manifest's photos are."""

from __future__ import annotations

import os
from pathlib import Path

from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.spelling import spelled_otherwise

VARIABLE = "MASKKIT_ROOT"
LOOKED_AT = 5


def photo_files(manifest: Manifest, *, tolerant: bool = False) -> list[Path]:
    """Return the file of each row, after looking whether the first few are there.

    The root is that of `manifest.photos`, or MASKKIT_ROOT, or the one that `label` recorded. If `tolerant`,
    one of the first few photos is enough.

    Raises:
        MaskkitError: The first photos are not under the root; better now than after an epoch.
    """
    folder = Path(manifest.photos.root or os.environ.get(VARIABLE) or manifest.root)
    # `..` steps back over the words of the root, not to where a link leads.
    spelled = spelled_otherwise(folder, manifest.paths)  # as where they were unpacked on another system
    files = [
        Path(os.path.normpath(folder / path)) if path.startswith("../") else folder / path
        for path in (spelled.get(path, path) for path in manifest.paths)
    ]
    first = files[:LOOKED_AT]
    missing = [file for file in first if not os.path.isfile(file)]  # noqa: PTH113 - False for too long a name
    if missing and not (tolerant and len(missing) < len(first)):
        raise MaskkitError(
            f"the photos of {manifest.name} are not under {folder}",
            why=f"there is no {missing[0]}",
            fix=f"run this from the folder in which `maskkit label` ran, or give --root or {VARIABLE}",
        )
    return files
