"""Artifacts that are given as objects, or by the names of their files."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self, TypeVar

from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell.common_options import CachedPhotoOptions


class Readable(Protocol):
    """An artifact that is read from a file."""

    @classmethod
    def read(cls, source: Path | str) -> Self: ...  # noqa: D102 - said by each


Artifact = TypeVar("Artifact", bound=Readable)


def opened(kind: type[Artifact], given: Artifact | Path | str) -> Artifact:
    """Return an artifact, read if it is given by the name of its file."""
    return kind.read(given) if isinstance(given, Path | str) else given


def optional(kind: type[Artifact], given: Artifact | Path | str | None) -> Artifact | None:
    """Return the same, or None if nothing is given."""
    return None if given is None else opened(kind, given)


def located(given: Manifest | Path | str, root: str | None, cache: str | None, cache_size: str) -> Manifest:
    """Return a manifest with its photos where they are, and the place where decoded ones are kept."""
    return CachedPhotoOptions(root, cache, cache_size).located(opened(Manifest, given))
