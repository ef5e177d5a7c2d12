"""How a training is logged to a tracker, and why no tracker can harm a training."""

from __future__ import annotations

import logging
import re
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, Self, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from maskkit.errors import MaskkitError, reason
from maskkit.extras import install_line
from maskkit.tracking.facts import RunFacts, final_measures, measures
from maskkit.tracking.mlflow_sink import InMlflow
from maskkit.tracking.pictures import MOST_CLASSES, PicturedMistake, draw_confusion, draw_mistakes
from maskkit.tracking.tensorboard_sink import InTensorboard
from maskkit.tracking.wandb_sink import InWandb

if TYPE_CHECKING:
    from maskkit.training.epochs import Epoch

log = logging.getLogger(__name__)

Kind = Literal["tensorboard", "wandb", "mlflow"]

TARGETS: dict[Kind, str] = {"tensorboard": "DIR", "wandb": "PROJECT", "mlflow": "URI"}
EXAMPLES: dict[Kind, str] = {
    "tensorboard": "tensorboard:runs",
    "wandb": "wandb:masks",
    "mlflow": "mlflow:sqlite:///mlflow.db",
}
MOST_MISTAKES = 100
_SETTINGS = re.compile(r"(?:,\w+=[^,]*)+$")  # at the end only: folders and addresses may hold commas

Mistakes = Callable[[int], Sequence[PicturedMistake]]  # how many are wanted -> the worst, with their photos


class Sink(Protocol):
    """What a service has to offer. Any call may raise; a call that did may come again."""

    def begin(self, facts: RunFacts) -> int:
        """Open the run; return the last epoch that it has already, 0 if none."""

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Keep the numbers of an epoch."""

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Keep a picture of an epoch."""

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        """Keep the final numbers, which are those of this epoch."""

    def close(self, *, finished: bool) -> None:
        """Close the run, as finished or as interrupted."""


Action = Callable[[Sink], None]  # what waits until the sink takes it


class Tracker:
    """What a training is logged to; it goes on without its sink if that fails, or if there is none.

    All that is logged waits in a queue until the sink has taken it. At the first failure one warning is
    given, and what follows only waits, since a server that is gone may cost minutes at each attempt. At
    the end the queue is tried once more, so that a server's short absence loses nothing.

    Use it as a context: an interrupted run is closed as one. The title is for warnings; photos of the worst
    mistakes are sent only if `mistakes` says how many.
    """

    def __init__(self, sink: Sink | None = None, title: str = "", *, mistakes: int = 0) -> None:
        self.sink, self.title, self.mistakes = sink, title, mistakes
        self._queue: deque[Action] = deque()
        self._known = 0
        self._has_failed = self._is_closed = False
        self._names: list[str] = []

    def begin(self, facts: RunFacts) -> None:
        """Open the run, or go on with it, and log those epochs of its history that it lacks."""
        self._names = facts.space.names
        self._log(partial(self._begin, facts))
        for epoch in facts.history:
            self._log(partial(self._numbers, epoch))

    def epoch(self, epoch: Epoch, confusion: NDArray[np.int64]) -> None:
        """Log an epoch; draw its held-out confusion, (C, C), rows truth, if it is the best so far.

        Call it before the state is saved that resuming starts from: a kill in between then repeats
        the epoch, which is logged once all the same; the other way round it would be missing.
        """
        self._log(partial(self._numbers, epoch))
        if epoch.is_best and len(confusion) <= MOST_CLASSES:  # so the last one drawn is the best's
            self._log(partial(self._picture, epoch, confusion.copy()))

    def end(self, best: Epoch, mistakes: Mistakes) -> None:
        """Log the epoch that is in the checkpoint, once it is written, and close the run.

        `mistakes` is called only if the user wants photos of mistakes, with how many, and there are any of
        people held out.
        """
        self._queue.append(lambda sink: sink.final(best.epoch, final_measures(best)))
        if self.mistakes and best.held_out_loss is not None:
            self._queue.append(partial(self._send_mistakes, best, mistakes))
        self._queue.append(lambda sink: sink.close(finished=True))
        self._is_closed = True
        had_failed = self._has_failed
        self._send()
        if had_failed and not self._queue:
            log.info("%s has everything now", self.title)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the run as interrupted, unless it has ended."""
        if not self._is_closed:
            self._log(lambda sink: sink.close(finished=False))

    def _begin(self, facts: RunFacts, sink: Sink) -> None:
        self._known = sink.begin(facts)

    def _numbers(self, epoch: Epoch, sink: Sink) -> None:
        if epoch.epoch > self._known:
            sink.numbers(epoch.epoch, measures(epoch))

    def _picture(self, epoch: Epoch, confusion: NDArray[np.int64], sink: Sink) -> None:
        if epoch.epoch > self._known:
            scores = f"macro-F1 {epoch.scores['macro_f1']:.4f}, accuracy {epoch.scores['accuracy']:.4f}"
            title = f"Held-out photos after epoch {epoch.epoch}: {scores}"
            image = draw_confusion(confusion, self._names, title=title)
            sink.picture(epoch.epoch, "held_out/confusion", image)

    def _send_mistakes(self, best: Epoch, mistakes: Mistakes, sink: Sink) -> None:
        if found := mistakes(self.mistakes):
            sink.picture(best.epoch, "kept/mistakes", draw_mistakes(found))

    def _log(self, action: Action) -> None:
        self._queue.append(action)
        if not self._has_failed:
            self._send()

    def _send(self) -> None:
        if self.sink is None:
            self._queue.clear()
            return
        try:
            with redirect_stdout(sys.stderr):  # MLflow prints there; it belongs to the command's results
                while self._queue:
                    self._queue[0](self.sink)
                    self._queue.popleft()
        except Exception as error:  # whatever a service's client raises, the training goes on
            if not self._has_failed:
                why = reason(error).rstrip(".")
                log.warning(
                    "%s failed: %s. The training goes on, and its history file has every epoch; "
                    "what is missing is sent once more at the end",
                    self.title, why,
                )  # fmt: skip
            self._has_failed = True


@dataclass(frozen=True)
class Destination:
    """A service and the place in it: the text of `--track`."""

    kind: Kind  # the service
    target: str  # a folder, a project (of a team: `TEAM/PROJECT`), or an address, which may hold colons
    mistakes: int = 0  # how many photos of the worst mistakes are sent at the end; 0 sends no photo at all

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read `KIND:TARGET[,mistakes=N]`; raise a MaskkitError of what is unknown, or has no target."""
        kind, _, rest = text.partition(":")
        if kind not in get_args(Kind):
            raise MaskkitError(
                f"--track {text} names no tracker: {kind!r}",
                why=f"there are {', '.join(TARGETS)}",
                fix=f"write {', '.join(f'{name}:{what}' for name, what in TARGETS.items())}",
            )
        known = cast(Kind, kind)
        found = _SETTINGS.search(rest)
        target, settings = (rest, "") if found is None else (rest[: found.start()], found[0])
        if not target.strip():
            raise MaskkitError(
                f"--track {text} does not say where",
                why=f"it is {known}:{TARGETS[known]}",
                fix=f"write, for example, --track {EXAMPLES[known]}",
            )
        return cls(known, target, _mistakes(text, settings.split(",")[1:]))


def _mistakes(text: str, settings: list[str]) -> int:
    names = [setting.partition("=")[0] for setting in settings]
    if names not in ([], ["mistakes"]):
        raise MaskkitError(
            f"--track {text} has the settings {', '.join(names)}",
            why="the one setting there is, once, is mistakes: how many photos of the worst mistakes are sent",
            fix="leave the others out, or write ,mistakes=16",
        )
    number = settings[0].partition("=")[2] if settings else "0"
    if not re.fullmatch("[0-9]{1,3}", number) or int(number) > MOST_MISTAKES:
        raise MaskkitError(
            f"--track {text} asks for {number or 'no number of'} mistakes",
            why=f"it is a number of photos from 0 to {MOST_MISTAKES}",
            fix="write ,mistakes=16, or leave it out to send no photo",
        )
    return int(number)


SINKS: dict[Kind, Callable[[str], Sink]] = {
    "tensorboard": InTensorboard,
    "wandb": InWandb,
    "mlflow": InMlflow,
}


def open_tracker(text: str | None) -> Tracker:
    """Return the tracker that `--track` names; one that logs nothing for None.

    Nothing is written or sent before its `begin`.

    Raises:
        MaskkitError: The text cannot be read, the tracker's package is not installed, or its place is
            one that it can never write to.
    """
    if text is None:
        return Tracker()
    place = Destination.parse(text)
    if find_spec(place.kind) is None:  # each package is named like its kind
        raise MaskkitError(
            f"--track {text} needs the package {place.kind}",
            why="it is not installed",
            fix=install_line(place.kind),
        )
    sink = SINKS[place.kind](place.target)
    return Tracker(sink, f"tracking in {place.kind}:{place.target}", mistakes=place.mistakes)
