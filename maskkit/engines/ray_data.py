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

from maskkit.errors import MaskkitError

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
        found = data.from_arrow(list(map(_row, tasks))).map_batches(
            Worker,
            fn_constructor_args=[self],
            batch_format="pyarrow",
            batch_size=None,  # a block, which is a task
            compute=data.ActorPoolStrategy(size=min(self.actors, len(tasks))),
            **self.needs,
        )
        for batch in found.iter_batches(batch_size=None, batch_format="pyarrow"):
            yield from batch.column(0).to_pylist()

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

    def __init__(self, work: RayWork) -> None:
        ray: Any = import_module("ray")
        with suppress(OSError):  # on machines without it, paths have to be whole
            os.chdir(work.folder)
        self._function = ray.get(work.function[0])

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the results of a task, and the error of ours that it ended with, if any."""
        (task,) = batch.column(0)
        results, error = [], None
        try:
            for result in self._function(pickle.loads(task.as_buffer())):
                results.append(result)  # noqa: PERF402 - those before an error count
        except MaskkitError as failure:
            error = failure
        return _row(pickle.dumps((results, error)))


def _row(data: bytes) -> pa.Table:
    return pa.table({"pickled": pa.array([data], pa.large_binary())})
