"""Runs in Weights & Biases, online or offline as its own settings say."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from PIL.Image import Image

from maskkit.tracking.facts import RunFacts

log = logging.getLogger(__name__)


class InWandb:
    """A sink that fills a run whose id is the training's.

    wandb cannot go on with an offline run, so each part of a resumed training then holds
    all epochs since the first; `wandb sync` of the last part is the whole run. The target is the project,
    or `TEAM/PROJECT`.
    """

    def __init__(self, target: str) -> None:
        team, _, self.project = target.rpartition("/")
        self.team = team or None
        self.run: Any = None
        self._last = 0

    def begin(self, facts: RunFacts) -> int:
        """Open the run; one that starts anew takes the place of an older run of the same id."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # of its own crashes, to its makers
        import wandb

        self.run = wandb.init(
            entity=self.team,
            project=self.project,
            id=facts.id,
            name=facts.title,
            group=facts.group or None,
            config=dict(facts.options),
            resume="allow" if facts.history else None,
            # Nothing else is sent: no code, no list of packages, nothing of the machine.
            settings=wandb.Settings(
                console="off",
                disable_code=True,
                disable_git=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                x_save_requirements=False,
                host="",
                quiet=True,
                silent=not log.isEnabledFor(logging.INFO),
            ),
        )
        # Its table of runs shows the last value of whatever is logged, which is not the checkpoint's.
        for names in ("train/*", "held_out/*"):
            self.run.define_metric(names, summary="none")
        self._last = self.run.starting_step - 1 if self.run.resumed else 0
        return self._last

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log them as the step of the epoch."""
        self._last = max(self._last, epoch)
        self.run.log(dict(values), step=epoch)

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Log a picture; one of an earlier epoch joins the last step: wandb refuses steps that are past."""
        import wandb

        self._last = max(self._last, epoch)
        self.run.log({name: wandb.Image(image, caption=f"epoch {epoch}")}, step=self._last)

    def final(self, epoch: int, values: Mapping[str, float]) -> None:  # noqa: ARG002 - `kept/epoch` says it
        """Put the final numbers into the run's summary, which the table of runs shows."""
        self.run.summary.update(dict(values))

    def close(self, *, finished: bool) -> None:
        """Finish the run; wandb lists one that was interrupted as failed."""
        if self.run is not None:
            self.run.finish(exit_code=0 if finished else 1)
