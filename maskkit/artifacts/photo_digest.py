"""The digest of a list of photos, which says for which pixels a manifest was made."""

from __future__ import annotations

import hashlib


class PhotoDigest:
    """The sha256 of the names of photos and of the sha256 of their bytes, in their order."""

    def __init__(self) -> None:
        self._found = hashlib.sha256()

    def add(self, name: str, sha256: bytes | None) -> None:
        """Add a photo; without a digest one that could not be read."""
        self._found.update(f"{sha256.hex() if sha256 else '-'} {name}\n".encode())

    @property
    def text(self) -> str:
        """The digest of all that were added, in hexadecimal."""
        return self._found.hexdigest()
