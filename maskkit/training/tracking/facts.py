"""What a tracker is told of a training before its first epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskkit.artifacts.header import Record
from maskkit.artifacts.settings import NO_MATTER
from maskkit.labels import LabelSpace
from maskkit.training.history import Epoch


@dataclass(frozen=True)
class RunFacts:
    """One training of one fold.

    Args:
        id: 16 hexadecimal digits, the same whenever this training is gone on with or repeated.
        group: The checkpoint's folder, which the folds of one experiment share.
        name: The checkpoint's name.
        options: All options, which are the run's hyperparameters.
        space: The classes.
        history: The epochs that earlier parts of the run have done; empty for one that starts anew.
    """

    id: str
    group: str
    name: str
    options: Mapping[str, Any]
    space: LabelSpace
    history: tuple[Epoch, ...] = ()

    @classmethod
    def of(
        cls, output: Path, record: Record, space: LabelSpace, history: Sequence[Epoch] = ()
    ) -> RunFacts:  # fmt: skip
        """Describe the training that will write `output`, as its record says it is done."""
        place = output.resolve()
        return cls(
            _id(place, record), place.parent.name, place.stem, dict(record.options), space, tuple(history)
        )

    @property
    def title(self) -> str:
        """The run as people know it, such as `run/fold0`."""
        return f"{self.group}/{self.name}" if self.group else self.name


def _id(place: Path, record: Record) -> str:
    """Digest what tells this training from others: no clock, and nothing that a resumed part may change."""
    told = {name: value for name, value in record.options.items() if name not in NO_MATTER}
    contents = [item.sha256 for item in record.inputs]
    text = json.dumps([str(place), record.stage, record.version, told, contents], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
