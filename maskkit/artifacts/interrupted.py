"""What an interrupted run leaves beside its output: when it may be gone on with, and when thrown away."""

from __future__ import annotations

from pathlib import Path

from maskkit.artifacts.header import Record
from maskkit.artifacts.history import NO_MATTER
from maskkit.errors import MaskkitError


def refuse_to_lose(path: Path, run: str, *, resume: bool, force: bool) -> None:
    """Raise a MaskkitError if an interrupted run, such as a "training", would be thrown away unwanted."""
    if path.exists() and not (resume or force):
        raise MaskkitError(
            f"{path} holds an interrupted {run}",
            why="starting anew would throw it away",
            fix="use --resume to go on from it, or --force to start anew",
        )


def refuse_other_run(path: Path, run: str, theirs: Record, ours: Record) -> None:
    """Raise a MaskkitError unless what a run left at `path` is of the same options and inputs."""
    if changed := differences(theirs, ours):
        raise MaskkitError(
            f"cannot resume from {path}",
            why=f"it belongs to a {run} with other settings: {'; '.join(changed)}",
            fix="give the same options and inputs, or use --force to start anew",
        )


def damaged(path: Path, error: Exception) -> MaskkitError:
    """Return the error of a file that no run can have left."""
    return MaskkitError(
        f"cannot resume from {path}",
        why=f"it is damaged or not a resume file: {(str(error) or repr(error)).splitlines()[0]}",
        fix="use --force to start anew",
    )


def differences(theirs: Record, ours: Record) -> list[str]:
    """Say in what two trainings differ that changes their weights; a file's name or place does not."""
    found = [
        f"{name} was {theirs.options.get(name)}, is {value}"
        for name, value in ours.options.items()
        if name not in NO_MATTER and theirs.options.get(name) != value
    ]
    if theirs.version != ours.version:
        found.append(f"maskkit was {theirs.version}, is {ours.version}")
    if [item.sha256 for item in theirs.inputs] != [item.sha256 for item in ours.inputs]:
        found.append("an input file has other content")
    return found
