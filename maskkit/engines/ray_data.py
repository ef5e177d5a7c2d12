"""The part of Ray Data: a dataset of tasks, and actors that apply a function to each.

https://docs.ray.io/en/latest/data/data.html
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pyarrow as pa

from maskkit.errors import MaskkitError, reason

MOST_DEATHS = 5  # of workers at one task: Ray would give one that kills any worker to the next for ever
AHEAD = 4  # answers of a conductor that are on their way


@dataclass(frozen=True)
class RayWork:
    """What is done with tasks, and by whom."""

    function: Sequence[Any]  # one reference to it in Ray's store, from which each actor takes it once
    folder: str  # that paths are relative to
    actors: int  # at most
    needs: Mapping[str, int]  # processors or GPUs of each, as Ray names them

    def mapped(self, tasks: Sequence[bytes]) -> Iterator[bytes]:
        """Yield what comes of each task, in their order, as `Worker` writes it."""
        data: Any = import_module("ray.data")
        context = data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        ray: Any = import_module("ray")
        attempts = ray.remote(_counter()).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        found = data.from_arrow([_row(*both) for both in enumerate(tasks)]).map_batches(
            Worker,
            fn_constructor_args=[self, attempts],
            batch_format="pyarrow",
            batch_size=None,  # a block, which is a task
            compute=data.ActorPoolStrategy(size=min(self.actors, len(tasks))),
            **self.needs,
        )
        for batch in found.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from batch["pickled"].to_pylist()

    def mapped_there(self, tasks: Sequence[bytes]) -> Iterator[bytes]:
        """Do as `mapped` where Ray is: its datasets do not work through a `ray://`."""
        ray: Any = import_module("ray")
        conductor = ray.remote(Conductor).options(num_cpus=0).remote(self, tasks)
        coming = [conductor.following.remote() for _ in range(AHEAD)]  # an actor answers in order
        while (found := ray.get(coming.pop(0))) is not None:
            coming.append(conductor.following.remote())
            yield found


class Conductor:
    """An actor that has tasks worked on, for a process that is elsewhere."""

    def __init__(self, work: RayWork, tasks: Sequence[bytes]) -> None:
        self._found = work.mapped(tasks)

    def following(self) -> bytes | None:
        """Return what comes of the next task; None once there is none."""
        return next(self._found, None)


class Worker:
    """An actor that applies a function to tasks."""

    def __init__(self, work: RayWork, attempts: Any) -> None:
        self._ray: Any = import_module("ray")
        self._attempts = attempts
        with suppress(OSError):  # on machines without it, paths have to be whole
            os.chdir(work.folder)
        self._function = self._ray.get(work.function[0])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the results of a task, and the error of ours that it ended with, if any."""
        (number,), (task,) = batch["number"].to_pylist(), batch["pickled"]
        results: list[Any] = []
        error: MaskkitError | None = None
        try:
            if self._ray.get(self._attempts.begun.remote(number)) > MOST_DEATHS:
                raise _deadly()
            for result in self._function(pickle.loads(task.as_buffer())):
                results.append(result)  # noqa: PERF402 - those before an error count
        except MaskkitError as failure:
            error = failure
        except Exception as failure:  # whatever it is, here it ends the command
            error = _failed(failure)
        return _row(number, pickle.dumps((results, error)))


def _row(number: int, data: bytes) -> pa.Table:
    return pa.table({"number": [number], "pickled": pa.array([data], pa.large_binary())})


def _counter() -> type:
    """Return the class of an actor that counts how often tasks were begun."""

    class Attempts:  # which travels by its code, so that its process loads nothing
        def __init__(self) -> None:
            self._count: dict[int, int] = {}

        def begun(self, number: int) -> int:
            self._count[number] = self._count.get(number, 0) + 1
            return self._count[number]

    return Attempts


def _failed(failure: Exception) -> MaskkitError:
    return MaskkitError(
        "a worker of Ray failed",
        why=f"{type(failure).__name__}: {reason(failure)}",
        fix="the same line without --engine fails likewise, if it is not that machine, and says more",
    )


def _deadly() -> MaskkitError:
    return MaskkitError(
        f"{MOST_DEATHS} workers of Ray have died at the same photos",
        why="they lack memory, or what decodes or computes there crashes",
        fix="see Ray's logs, in /tmp/ray/session_latest/logs where it runs; the same line without --engine "
        "ends at the photo",
    )
