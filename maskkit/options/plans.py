"""What `train --budget` chooses among: options that go together, from the best that is known downwards.

The order is all that says which is better; how long each takes is measured where it is to run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.options.train_options import TrainOptions

Rung = Mapping[str, Any]  # names and values of `TrainOptions`

# Longer trainings of one model were not seen to be better (examples/README.md, "What is worth its time"):
# with more time, a second one with another --seed is worth more, and to ask both.
RUNGS: Sequence[Rung] = (
    {"size": "160x120", "epochs": 3},
    {"size": "128x96", "epochs": 3},
    {"size": "128x96", "epochs": 2},
    {"size": "96x72", "epochs": 2},
    {"size": "128x96", "epochs": 1},
    {"size": "96x72", "epochs": 1},
)


def planned_names(explicit: Collection[str]) -> tuple[str, ...]:
    """Return the options that a plan decides: those of the rungs, but for what was given explicitly.

    Raises:
        MaskkitError: There is none.
    """
    names = list(dict.fromkeys(name for rung in RUNGS for name in rung))
    if left := tuple(name for name in names if name not in explicit):
        return left
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in names)
    raise MaskkitError(
        "there is nothing left for --budget to plan",
        why=f"it chooses {flags}, which are given",
        fix="leave one of them out, or --budget",
    )


def candidates(
    options: TrainOptions, explicit: Collection[str], space: LabelSpace
) -> Mapping[TrainOptions, Rung]:
    """Return the trainings to choose among, best first: `options`, and what each rung has changed in them.

    Options given explicitly stay. What then contradicts, or names a level that these labels do not have, is
    passed over.

    Raises:
        MaskkitError: Nothing is left to choose.
    """
    names = planned_names(explicit)
    found: dict[TrainOptions, Rung] = {}
    faults = []
    for rung in RUNGS:
        changes = {name: rung[name] for name in names if name in rung}
        try:
            one = replace(options, **changes)
            for level in one.levels:
                space.place_of(level.factor, level.level)
        except MaskkitError as error:
            faults.append(error)
        else:
            found.setdefault(one, changes)
    if not found:
        raise faults[0]
    return found
