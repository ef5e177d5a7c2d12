"""The artifacts that a command's signature names as its inputs.

A type checker sees the classes themselves. When a command is declared, nothing that they need is imported: a
stand-in says where each is found.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskkit.artifacts.checkpoint import Checkpoint
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.files import Source
    from maskkit.artifacts.manifest import Manifest
    from maskkit.artifacts.predictions import Predictions
else:
    Checkpoint = type("Checkpoint", (), {"module": "maskkit.artifacts.checkpoint"})
    Decision = type("Decision", (), {"module": "maskkit.artifacts.decision"})
    Source = type("Source", (), {"module": "maskkit.artifacts.files"})  # bytes, whatever they are
    Manifest = type("Manifest", (), {"module": "maskkit.artifacts.manifest"})
    Predictions = type("Predictions", (), {"module": "maskkit.artifacts.predictions"})

__all__ = ["KINDS", "Checkpoint", "Decision", "Manifest", "Predictions", "Source", "read_as"]

KINDS: tuple[Any, ...] = (Checkpoint, Decision, Source, Manifest, Predictions)


def read_as(kind: Any, source: Source, **how: Any) -> Any:
    """Read an artifact of one of the kinds; a source stays as it is."""
    if kind is Source:
        return source
    return getattr(import_module(kind.module), kind.__name__).read(source, **how)
