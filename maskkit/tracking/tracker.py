"""How a training is logged to a tracker, and why no tracker can harm a training."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from maskkit.errors import MaskkitError
from maskkit.labels import LabelSpace
from maskkit.tracking.destination import Destination, Kind
from maskkit.tracking.facts import RunFacts, final_measures, measures
from maskkit.tracking.mlflow_sink import InMlflow
from maskkit.tracking.pictures import MOST_CLASSES, PicturedMistake, draw_confusion, draw_mistakes
from maskkit.tracking.tensorboard_sink import InTensorboard
from maskkit.tracking.wandb_sink import InWandb

if TYPE_CHECKING:
    from maskkit.training.epochs import Epoch

log = logging.getLogger(__name__)

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


class Tracker:
    """What a training is logged to: nothing. Use it as a context: an interrupted run is closed as one."""

    def begin(self, facts: RunFacts) -> None:
        """Open the run, or go on with it if it has a history."""

    def epoch(self, epoch: Epoch, confusion: NDArray[np.int64]) -> None:
        """Log an epoch and its held-out confusion, (C, C), rows truth.

        Call it before the state is saved that resuming starts from: a kill in between then repeats
        the epoch, which is logged once all the same; the other way round it would be missing.
        """

    def end(self, best: Epoch, mistakes: Mistakes) -> None:
        """Log the epoch that is in the checkpoint, once it is written.

        Args:
            best: The epoch.
            mistakes: Called only if the user wants photos of mistakes, with how many.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Tracking(Tracker):
    """A tracker that logs to a sink, and goes on without it if it fails.

    All that is logged waits in a queue until the sink has taken it. At the first failure one warning is
    given, and what follows only waits, since a server that is gone may cost minutes at each attempt. At
    the end the queue is tried once more, so that a server's short absence loses nothing.

    Args:
        sink: The service.
        title: What warnings call it.
        mistakes: How many photos of the worst mistakes to send; 0 sends none.
    """

    def __init__(self, sink: Sink, title: str, *, mistakes: int = 0) -> None:
        self.sink, self.title, self.mistakes = sink, title, mistakes
        self._queue: deque[Callable[[], None]] = deque()
        self._known = 0
        self._has_failed = self._is_closed = False
        self._space: LabelSpace | None = None

    def begin(self, facts: RunFacts) -> None:
        """Open the run and log those epochs of its history that it lacks."""
        self._space = facts.space
        self._log(partial(self._begin, facts))
        for epoch in facts.history:
            self._log(partial(self._numbers, epoch))

    def epoch(self, epoch: Epoch, confusion: NDArray[np.int64]) -> None:
        """Log an epoch; draw its confusion if it is the best so far: the last one drawn is the best's."""
        self._log(partial(self._numbers, epoch))
        if epoch.is_best and len(confusion) <= MOST_CLASSES:
            self._log(partial(self._picture, epoch, confusion.copy()))

    def end(self, best: Epoch, mistakes: Mistakes) -> None:
        """Log the final numbers and, if wanted, the mistakes; then close the run."""
        self._queue.append(partial(self.sink.final, best.epoch, final_measures(best)))
        if self.mistakes:
            self._queue.append(partial(self._send_mistakes, best, mistakes))
        self._queue.append(partial(self.sink.close, finished=True))
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
            self._log(partial(self.sink.close, finished=False))

    def _begin(self, facts: RunFacts) -> None:
        self._known = self.sink.begin(facts)

    def _numbers(self, epoch: Epoch) -> None:
        if epoch.epoch > self._known:
            self.sink.numbers(epoch.epoch, measures(epoch))

    def _picture(self, epoch: Epoch, confusion: NDArray[np.int64]) -> None:
        if epoch.epoch > self._known and self._space is not None:
            scores = f"macro-F1 {epoch.scores['macro_f1']:.4f}, accuracy {epoch.scores['accuracy']:.4f}"
            title = f"Held-out photos after epoch {epoch.epoch}: {scores}"
            image = draw_confusion(confusion, self._space.names, title=title)
            self.sink.picture(epoch.epoch, "held_out/confusion", image)

    def _send_mistakes(self, best: Epoch, mistakes: Mistakes) -> None:
        found = mistakes(self.mistakes)
        if found:
            self.sink.picture(best.epoch, "best/mistakes", draw_mistakes(found))

    def _log(self, action: Callable[[], None]) -> None:
        self._queue.append(action)
        if not self._has_failed:
            self._send()

    def _send(self) -> None:
        try:
            with redirect_stdout(sys.stderr):  # MLflow prints there; it belongs to the command's results
                while self._queue:
                    self._queue[0]()
                    self._queue.popleft()
        except Exception as error:  # whatever a service's client raises, the training goes on
            if not self._has_failed:
                why = (str(error).strip() or repr(error)).splitlines()[0].rstrip(".")
                log.warning(
                    "%s failed: %s. The training goes on, and its history file has every epoch; "
                    "what is missing is sent once more at the end",
                    self.title, why,
                )  # fmt: skip
            self._has_failed = True


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
            fix=f"pip install 'maskkit[{place.kind}]'",
        )
    sink = SINKS[place.kind](place.target)
    return Tracking(sink, f"tracking in {place.kind}:{place.target}", mistakes=place.mistakes)
