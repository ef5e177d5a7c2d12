"""What is kept beside a checkpoint while it is being trained, and only then."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from maskkit.artifacts.files import write_whole
from maskkit.artifacts.header import Record
from maskkit.errors import MaskkitError

MACHINE_OPTIONS = {"workers"}  # may change between the parts of one run: results do not depend on them


def resume_path(output: Path) -> Path:
    """Return the sibling file that `--resume` reads: `fold0.safetensors` has `fold0.resume`."""
    return output.with_suffix(".resume")


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
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        theirs, state = saved["record"], saved["state"]
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise MaskkitError(
            f"cannot resume from {path}",
            why=f"it is damaged or not a resume file: {str(error).splitlines()[0]}",
            fix="use --force to train from the start",
        ) from error
    changed = _differences(theirs, record.to_json())
    if changed:
        raise MaskkitError(
            f"cannot resume from {path}",
            why=f"it belongs to a training with other settings: {'; '.join(changed)}",
            fix="give the same options and inputs, or use --force to train from the start",
        )
    return dict(state)


def _differences(theirs: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    names = [name for name in ours["options"] if name not in MACHINE_OPTIONS]
    found = [
        f"{name} was {theirs['options'].get(name)}, is {ours['options'][name]}"
        for name in names
        if theirs["options"].get(name) != ours["options"][name]
    ]
    if [item["sha256"] for item in theirs["inputs"]] != [item["sha256"] for item in ours["inputs"]]:
        found.append("an input file has other content")
    return found
