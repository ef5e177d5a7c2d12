"""`train --budget`: the plan of a training by the clock, and what is said of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maskkit.cli.shell import terminal
from maskkit.cli.shell.resuming import line_instead_of
from maskkit.options.train_options import TrainOptions
from maskkit.options.values import as_clock, as_duration, parse_duration

if TYPE_CHECKING:
    from maskkit.artifacts.header import Record
    from maskkit.stages.plan import TrainingPlan
    from maskkit.training.epochs import Epoch
    from maskkit.training.fold_rows import FoldRows

log = logging.getLogger(__name__)


@dataclass
class TimeBudget:
    """The time that a command may take, from when this was made."""

    text: str | None  # as typed; None for any time
    begun: float = field(default_factory=time.perf_counter)
    plan: TrainingPlan | None = None  # what was chosen for it
    folds: int = 1

    @property
    def seconds(self) -> int:
        """How long it is."""
        return parse_duration(self.text or "")

    def passed(self) -> float:
        """Return the seconds that have gone."""
        return time.perf_counter() - self.begun

    def planned(
        self,
        options: TrainOptions,
        rows: Sequence[FoldRows],
        earlier: Iterable[Record | None],
        explicit: Collection[str],
    ) -> TrainOptions:
        """Return the options that end in time, of all folds, or those of an `earlier` run of one.

        Those that are `explicit` stay as they are.
        """
        if self.text is None:
            return options
        from maskkit.stages.plan import as_planned
        from maskkit.stages.plan import plan as stage
        from maskkit.training.budget import in_words

        begun = next((record for record in earlier if record is not None), None)
        if begun is not None:
            options = as_planned(options, begun, explicit)
            terminal.note(f"going on as planned before: {in_words(options)}")
        else:
            self.folds = len(rows)
            self.plan = stage(
                rows[0], options=options, explicit=explicit, seconds=self.seconds,
                folds=self.folds, spent=self.passed,
            )  # fmt: skip
            options = self.plan.options
            terminal.note(self._in_words(self.plan))
            terminal.note(f"the same without a clock: {line_instead_of('--budget', self.plan.chosen)}")
        return options

    def _in_words(self, plan: TrainingPlan) -> str:
        from maskkit.training.budget import in_words

        others = [f"{name} {value}" for name, value in plan.chosen.items() if name not in ("size", "epochs")]
        folds = [] if self.folds == 1 else [f"for each of {self.folds} folds"]
        parts = [in_words(plan.options), *others, *folds]
        parts += [
            f"{as_duration(plan.pace.epoch)} each here",
            f"done in about {as_clock(plan.seconds_in_all)}",
        ]
        return f"{self.text}: {', '.join(parts)}"

    def watch(self, done: int, epoch: Epoch) -> None:
        """Warn after the first epoch of a fold, `done` folds being trained, if the time will be too short."""
        if self.plan is None or epoch.epoch != 1:
            return
        from maskkit.training.budget import overrun

        later = self.folds - done - 1
        epochs = self.plan.options.epochs
        late = overrun(
            self.seconds, passed=self.passed(), epoch=epoch.seconds,
            left=(later + 1) * epochs - 1, later=[self.plan.pace.start] * later,
        )  # fmt: skip
        if late:
            log.warning(
                "at the speed of this epoch, %s instead of %s, it ends %s after --budget %s: the machine is "
                "slower than it was when that was measured, maybe for other work. The plan stays, so that it "
                "can be made again; a shorter one is found by starting anew, with --force",
                as_duration(epoch.seconds), as_duration(self.plan.pace.epoch), as_duration(late), self.text,
            )  # fmt: skip
