"""Ray as the place where photos are worked on: https://docs.ray.io/en/latest/data/data.html.

Tasks are rows of a Ray Dataset, which a pool of actors maps. The function, with its models, is put into Ray's
store once, and each actor takes it from there once. Results stream back in the order of the tasks to this
process, which alone writes and keeps progress: should it be killed, `--resume` goes on. Should a worker be
killed, Ray starts another and gives it the task again.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeVar

from maskkit import __version__, stopping
from maskkit.dry_run import work_begins
from maskkit.engines.quiet import silenced
from maskkit.engines.ray_data import RayWork
from maskkit.engines.threads import on_all_cores
from maskkit.errors import MaskkitError, reason
from maskkit.extras import install_line
from maskkit.options.ray_address import RayAddress

PHOTOS_PER_TASK = 128  # some tenths of a second of work, where a task costs hundredths
MOST_TASKS = 20_000  # that are handed over at a time: they are in memory until they are done
STORE_BYTES = 2**28  # of the store of a Ray that is started here, for tasks and results that wait
SECONDS = 120  # until a worker has to have answered
SECONDS_TO_REACH = 10
VARIABLE, SCHEME = "RAY_ADDRESS", "ray://"
# What has to be said before Ray is loaded: it would tell its makers, and print on standard output.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_SCHEDULER_EVENTS": "0",
}
# As `prepare_for_torch` says it where a command begins; workers begin elsewhere.
OF_WORKERS = {"OPENBLAS_NUM_THREADS": "1", "OMP_DYNAMIC": "false"}

Item = TypeVar("Item")
Result = TypeVar("Result")
Apply = Callable[[Item], Iterator[Result]]


@dataclass
class OnRay:
    """An engine whose functions are applied by Ray, which is begun with the first of them."""

    address: RayAddress
    batches_per_task: int | None = 4
    _ray: Any = field(default=None, repr=False)

    @classmethod
    @contextmanager
    def at(cls, address: RayAddress) -> Iterator[OnRay]:
        """Have such an engine inside the block.

        Raises:
            MaskkitError: Ray is not installed.
        """
        if find_spec("ray") is None:
            why = f"--engine {address} works on photos by it"
            raise MaskkitError("Ray is not installed", why=why, fix=install_line("ray"))
        engine = cls(address)
        try:
            yield engine
        finally:
            engine.close()

    @contextmanager
    def each(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None
    ) -> Iterator[Iterator[Result]]:
        """Apply a function to each item; a task has so many of them that handing it over costs little."""
        rest = iter(items)
        tasks = iter(lambda: list(islice(rest, PHOTOS_PER_TASK)), [])
        with self.through(_OneByOne(function, threads), tasks, threads=1, on_gpu=False) as results:
            yield results

    @contextmanager
    def through(
        self, function: Apply[Item, Result], tasks: Iterable[Item], *, threads: int, on_gpu: bool
    ) -> Iterator[Iterator[Result]]:
        """Yield what a function makes of each task, by actors of so many processors, or of a GPU each.

        Raises:
            MaskkitError: There is no Ray at the address, or it has no machine with that; or as the function.
        """
        work_begins()
        ray = self._connected()
        needs = {"num_gpus": 1} if on_gpu else {"num_cpus": threads}
        work = RayWork([ray.put(function)], os.getcwd(), _room(ray, needs), needs)  # noqa: PTH109
        results = _results(ray, work.mapped_there if self._is_elsewhere else work.mapped, iter(tasks))
        try:
            yield results
        finally:
            results.close()

    def close(self) -> None:
        """Leave Ray, and end it if it was begun here."""
        ray, self._ray = self._ray, None
        if ray is not None:
            with silenced():
                ray.shutdown()

    @property
    def _where(self) -> str:
        return self.address.address or os.environ.get(VARIABLE) or "local"

    @property
    def _is_elsewhere(self) -> bool:
        return self._where.startswith(SCHEME)

    def _connected(self) -> Any:
        if self._ray is None:
            os.environ.update(SETTINGS)
            where = self._where
            own: dict[str, Any] = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
            handlers = {number: signal.getsignal(number) for number in stopping.ENDED}
            try:
                _reach(where)
                with silenced():
                    ray: Any = import_module("ray")
                    import_module("ray.data")  # while nothing that it says is heard
                    ray.init(
                        address=where, log_to_driver=False, logging_level=logging.CRITICAL,
                        runtime_env={"env_vars": OF_WORKERS}, **(own if where == "local" else {}),
                    )  # fmt: skip
            except Exception as error:  # of the network, of gRPC, of Ray
                raise _no_ray(where, error) from error
            finally:
                for number, handler in handlers.items():  # Ray puts its own in the place of ours
                    with suppress(ValueError):  # in another thread than the first
                        signal.signal(number, handler)
            self._ray = ray
            for name in ("ray", "ray.data"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
            if where != "local":
                _refuse_other_version(ray, where)
        return self._ray


def _reach(where: str) -> None:
    """Raise an OSError unless something answers at an address: Ray itself would try for minutes."""
    host, _, port = where.removeprefix(SCHEME).rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_REACH).close()


def _results(
    ray: Any, mapped: Callable[[list[bytes]], Iterator[bytes]], tasks: Iterator[Any]
) -> Generator[Any]:
    """Yield what comes of each task."""
    while some := [pickle.dumps(task) for task in islice(tasks, MOST_TASKS)]:
        try:
            for found in mapped(some):
                stopping.check()
                results, error = pickle.loads(found)
                yield from results
                if error is not None:
                    raise error
        except (ray.exceptions.RayError, ConnectionError) as failure:
            raise MaskkitError(
                "Ray could not go on with the work",
                why=reason(failure),
                fix="see Ray's logs, in /tmp/ray/session_latest/logs where it runs",
            ) from failure


@dataclass(frozen=True)
class _OneByOne:
    """Applies a function to each of some items, or in some threads to several at a time."""

    function: Callable[[Any], Any]
    threads: int | None

    def __call__(self, items: list[Any]) -> Iterator[Any]:
        """Yield what comes of each."""
        if self.threads is None:
            yield from map(self.function, items)
            return
        with on_all_cores(self.function, items, threads=self.threads) as results:
            yield from results


def _room(ray: Any, needs: Mapping[str, int]) -> int:
    """Return how many actors with such needs there is room for; one at least."""
    what, count = ("GPU", 1) if "num_gpus" in needs else ("CPU", needs["num_cpus"])
    machines = [int(node["Resources"].get(what, 0)) for node in ray.nodes() if node["Alive"]]
    if room := sum(found // count for found in machines):
        return room
    if what == "GPU":
        raise MaskkitError(
            "no machine of Ray has a GPU",
            why="this one does, and computes on it: other devices come to other last bits",
            fix="use --device cpu, or a Ray with GPUs",
        )
    raise MaskkitError(
        f"no machine of Ray has {count} processors",
        why=f"this one computes in {count} threads, on which the last bits depend, and the largest of theirs "
        f"has {max(machines, default=0)}",
        fix="put OMP_NUM_THREADS=1 in front of the command, so that each worker needs one",
    )


def _refuse_other_version(ray: Any, where: str) -> None:
    """Raise unless workers have this version of maskkit."""

    def version() -> str:  # travels by its code, as nothing else of maskkit does
        import maskkit

        return str(maskkit.__version__)

    try:
        theirs = ray.get(ray.remote(version).remote(), timeout=SECONDS)
    except Exception as error:  # whatever they lack
        raise MaskkitError(
            f"the workers of Ray at {where} cannot load maskkit",
            why=reason(getattr(error, "cause", None) or error),
            fix="install it there, in the Python that Ray runs in",
        ) from error
    if theirs != __version__:
        raise MaskkitError(
            f"the workers of Ray at {where} have maskkit {theirs}, and this is {__version__}",
            why="what is handed over fits the same version only",
            fix="install the same version everywhere",
        )


def _no_ray(where: str, error: Exception) -> MaskkitError:
    if where == "local":
        return MaskkitError(
            "cannot start Ray on this machine",
            why=reason(error),
            fix="see Ray's logs in /tmp/ray/session_latest/logs, or leave --engine out",
        )
    return MaskkitError(
        f"no Ray answers at {where}",
        why=reason(error),
        fix="check the address, and that `ray start --head` runs there, with this Ray and Python",
    )
