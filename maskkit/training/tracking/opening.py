"""From the text of `--track` to a tracker."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from maskkit.errors import MaskkitError
from maskkit.training.tracking.destination import Destination, Kind
from maskkit.training.tracking.in_mlflow import InMlflow
from maskkit.training.tracking.in_tensorboard import InTensorboard
from maskkit.training.tracking.in_wandb import InWandb
from maskkit.training.tracking.tracker import Sink, Tracker, Tracking, Untracked

SINKS: dict[Kind, Callable[[str], Sink]] = {
    "tensorboard": InTensorboard,
    "wandb": InWandb,
    "mlflow": InMlflow,
}


def open_tracker(text: str | None) -> Tracker:
    """Return the tracker that `--track` names; one that tells nobody for None.

    Nothing is written or sent before its `begin`.

    Raises:
        MaskkitError: The text cannot be read, the tracker's package is not installed, or its place is
            one that it can never write to.
    """
    if text is None:
        return Untracked()
    place = Destination.parse(text)
    if find_spec(place.kind) is None:  # each package is named like its kind
        raise MaskkitError(
            f"--track {text} needs the package {place.kind}",
            why="it is not installed",
            fix=f"pip install 'maskkit[{place.kind}]'",
        )
    sink = SINKS[place.kind](place.target)
    return Tracking(sink, f"tracking in {place.kind}:{place.target}", mistakes=place.mistakes)
