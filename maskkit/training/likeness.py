"""A training on everybody that is made like those of the folds: by their options, until the epoch kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median_high
from typing import Any

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.header import Input, Record, merged
from maskkit.errors import MaskkitError, examples
from maskkit.options.choices import Choice, parse
from maskkit.options.techniques import SCHEDULES
from maskkit.options.train_options import TrainOptions

OPTIONS = tuple(field.name for field in fields(TrainOptions))


@dataclass(frozen=True)
class Likeness:
    """What a training on everybody takes from those of the folds, beside its options."""

    until: int = 0  # the epoch that ends it; 0 for the last of its options
    models: tuple[Checkpoint, ...] = ()  # that it is made like

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The checkpoints as files that were read."""
        read = (one.header.input_from(one.source) for one in self.models)
        return tuple(replace(item, option="like") for item in read)

    @property
    def history(self) -> tuple[Record, ...]:
        """Every stage run that led to them."""
        return merged(one.header.history for one in self.models)


def shared_options(models: Sequence[Checkpoint]) -> dict[str, Any]:
    """Return the options of training that these models have in common, but for how a training stops early.

    When theirs stopped is what `chosen_epoch` says; where nobody is held out, nothing could be stopped by.

    Raises:
        MaskkitError: One held nobody out or was not made by `train`, or they were trained otherwise.
    """
    tables = [_options(one) for one in models]
    differing = [name for name in OPTIONS if len({repr(table.get(name)) for table in tables}) > 1]
    if differing:
        shown = (
            f"{name} ({examples(dict.fromkeys(str(table.get(name)) for table in tables))})"
            for name in differing
        )
        raise MaskkitError(
            f"{examples(one.name for one in models)} were not trained alike",
            why=f"they differ in {', '.join(shown)}",
            fix="give the folds of one training",
        )
    shared = dict(tables[0])
    if isinstance(text := shared.get("schedule"), str):
        schedule = parse(text, SCHEDULES, option="--schedule")
        shared["schedule"] = str(Choice(schedule.name, {**schedule.settings, "stop": 0, "keep": "last"}))
    return shared


def chosen_epoch(models: Sequence[Checkpoint]) -> int:
    """Return the median of the epochs that the folds kept; the later of two in the middle.

    A training on everybody follows the schedule of the folds, of as many epochs, and ends with this one: so
    it has the rates, and the share of them that is done, that were scored out-of-fold. A schedule squeezed
    into fewer epochs would be a training that nobody has scored.
    """
    return median_high(one.epoch for one in models)


def unlike(options: TrainOptions, shared: Mapping[str, Any]) -> list[str]:
    """Say in which options a training departs from those that it is made like."""
    ours = options.to_json()
    return [
        f"{name} {ours[name]} (theirs: {value})"
        for name, value in shared.items()
        if name in ours and ours[name] != value
    ]


def _options(model: Checkpoint) -> dict[str, Any]:
    record = model.header.history[-1] if model.header.history else None
    if record is None or record.stage != "train" or model.fold is None:
        raise MaskkitError(
            f"{model.name} is not of a fold's training",
            why="it was trained on everybody, so that no epoch was scored"
            if model.fold is None
            else f"`maskkit {record.stage if record else 'train'}` made it",
            fix="give --like the checkpoints of the folds, as run/fold*.safetensors",
        )
    return {name: value for name, value in record.options.items() if name in OPTIONS and value is not None}
