"""What is kept beside a checkpoint while it is being trained, and only then."""

from __future__ import annotations

import io
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from maskkit.artifacts.files import write_whole
from maskkit.artifacts.header import Record
from maskkit.artifacts.interrupted import damaged, refuse_other_run

RESUME = ".resume"


def resume_path(output: Path) -> Path:
    """Return the sibling file that `--resume` reads: `fold0.safetensors` has `fold0.resume`."""
    return output.with_suffix(RESUME)


def save_state(path: Path, record: Record, state: dict[str, Any]) -> None:
    """Save the state of a training, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"record": record.to_json(), "state": state}, buffer)
    write_whole(path, buffer.getvalue())


def load_state(path: Path, record: Record) -> dict[str, Any]:
    """Read a state that `save_state` wrote for the same options and inputs.

    Raises:
        MaskkitError: The file is damaged, or belongs to a training with other options or inputs.
    """
    theirs, state = _read(path)
    refuse_other_run(path, "training", theirs, record)
    return state


def begun_with(path: Path) -> Record:
    """Return the record of the training that left a state.

    Raises:
        MaskkitError: The file is damaged.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[Record, dict[str, Any]]:
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        return Record.from_json(saved["record"]), dict(saved["state"])
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, UnpicklingError) as error:
        raise damaged(path, error) from error
