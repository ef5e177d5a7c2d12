"""The state of an interrupted training, in a file beside its checkpoint."""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Record
from maskkit.artifacts.history import damaged, refuse_other_run
from maskkit.artifacts.publishing import write_whole
from maskkit.artifacts.seal import ZIP
from maskkit.errors import MaskkitError
from maskkit.modeling.state_files import read_state_file
from maskkit.storage.address import PathOrAddress
from maskkit.typed_json import fitting


@dataclass(frozen=True)
class SavedState:
    """What an interrupted training has left."""

    path: PathOrAddress
    record: Record
    state: dict[str, Any]  # of its trainer
    replaces: frozenset[str]  # sha256 of the checkpoint that it was allowed to replace, if any

    @classmethod
    def read(cls, path: PathOrAddress) -> SavedState:
        """Read what `save_state` wrote; raise a MaskkitError if it is damaged."""
        refuse = partial(damaged, path)
        try:
            with _here(path) as file:
                content = read_state_file(file).content
        except MaskkitError as error:
            raise refuse(error.why) from error
        parts = fitting(content, dict[str, Any], refuse)
        record = Record.from_json(parts.get("record"), refuse, at="record")
        state = fitting(parts.get("state"), dict[str, Any], refuse, at="state")
        return cls(path, record, state, frozenset(fitting(parts.get("replaces", []), list[str], refuse)))

    def state_for(self, record: Record) -> dict[str, Any]:
        """Return the state; raise a MaskkitError if it is of other options or inputs."""
        refuse_other_run(self.path, "training", self.record, record)
        return self.state


@contextmanager
def _here(path: PathOrAddress) -> Iterator[Path]:
    """Give a file of this machine that holds what is at a path or an address; a context."""
    if isinstance(path, Path):
        yield path
        return
    with NamedTemporaryFile(suffix=path.suffix) as copy:
        copy.write(Source.open(str(path)).data)
        copy.flush()
        yield Path(copy.name)


def save_state(
    path: PathOrAddress, record: Record, state: dict[str, Any], *, replaces: Collection[str] = ()
) -> None:
    """Save the state of a training, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"record": record.to_json(), "state": state, "replaces": sorted(replaces)}, buffer)
    buffer.seek(-2, io.SEEK_END)
    buffer.write(struct.pack("<H", len(ZIP)) + ZIP.blank)  # the comment that ends a zip file, and its length
    ZIP.fill(buffer.getbuffer())
    write_whole(path, buffer.getbuffer(), force=True)
