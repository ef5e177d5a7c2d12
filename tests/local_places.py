"""Photos of tests, which nearly all are on this machine."""

from pathlib import Path

from maskkit.storage.address import PathOrAddress


def here(place: PathOrAddress) -> Path:
    """Return a path as one, where it may be an address by its type alone."""
    assert isinstance(place, Path)
    return place
