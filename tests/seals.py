"""Files without seals, as earlier versions wrote them, for tests of what readers find in damaged ones."""

from __future__ import annotations

from maskkit.artifacts.seal import PARQUET, SAFETENSORS, SEALS, Seal

# What has the place of a seal, and is filled up with spaces.
INSTEAD = {PARQUET: b"", SAFETENSORS: b'{"__metadata__":{'}


def seals_of(data: bytes) -> list[tuple[Seal, int]]:
    """Return the seals that are found in a file, and their places."""

    def read(at: int, count: int) -> bytes:
        return data[at : at + count]

    return [(seal, seal.place(read, len(data))) for seal in SEALS if seal.is_in(read, len(data))]


def unsealed(data: bytes) -> bytes:
    """Return a Parquet or safetensors file without its seal, of as many bytes."""
    ((seal, at),) = seals_of(data)
    return data[:at] + INSTEAD[seal].ljust(len(seal)) + data[at + len(seal) :]
