"""What processes that compute together tell each other: gradients, sums, results, and that it is to end.

They stay in step by agreements: points that all of them reach, at which each says whether it has failed or
was asked to end, and all learn of it. Whatever one sends to the others begins with one, so that a failure
anywhere between two is known to all, and no process waits for another that will never come. Only within an
exchange, from the forward pass to the summed gradients, can a process that fails not say so: its connections
break, which ends the others.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import Store

from maskkit import stopping
from maskkit.engines.quiet import OUTPUT, silenced
from maskkit.errors import MaskkitError, reason
from maskkit.processes.launched import Launch
from maskkit.stopping import StopRequested

Value = TypeVar("Value")

LONG = timedelta(days=1)  # what one may work by itself, such as decoding the photos of its host
STEP = timedelta(minutes=30)  # and within an epoch


class OtherEndedError(MaskkitError):
    """Another process has ended, or cannot be reached."""


class Alone:
    """The only process: what it sends to the others goes nowhere. A `Team` overrides all of it."""

    rank, world = 0, 1
    hosts: Sequence[int] = (0,)  # that each process is on

    @property
    def host(self) -> int:
        """The host that this process is on."""
        return self.hosts[self.rank]

    @property
    def is_first_of_host(self) -> bool:
        """Whether it is the one that does what is to be done once on a host."""
        return self.hosts.index(self.host) == self.rank

    def agree(self, *, is_stoppable: bool = True) -> None:
        """Go on, unless a process has failed or, where the work is stoppable, was asked to end.

        Raises:
            StopRequested: One was asked to end, and has deferred that.
            MaskkitError: One has failed.
        """
        if is_stoppable:
            stopping.check()

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank."""
        return [value]

    def same(self, value: Value) -> Value:
        """Return the value of the first process."""
        return value

    @contextlib.contextmanager
    def exchanging(self) -> Iterator[None]:
        """Compute and send inside the block, of which all processes do the same."""
        yield

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Add the tensors of all processes up, in place; inside an exchange."""

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Average the tensors of all processes, in place; inside an exchange."""

    def parallel(self, network: nn.Module) -> nn.Module:
        """Return the network such that gradients are the mean over all processes."""
        return network

    def unsummed(self, network: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Let gradients of `network`, as from `parallel`, wait inside the block for later ones."""
        del network
        return contextlib.nullcontext()


ALONE = Alone()


class Team(Alone):
    """Several processes, all of which do the same."""

    def __init__(self, launch: Launch, store: Store) -> None:
        self.launch, self.store = launch, store
        self.rank, self.world = launch.rank, launch.world
        self.failed: BaseException | None = None  # what the others are to know of this process
        self.is_agreed = False  # whether what was raised last is known to all
        self.is_torn = False  # whether nothing can be sent any more
        tensors = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        with self.reached(), silenced(OUTPUT):  # on which gloo tells how many it is connected to
            dist.init_process_group(tensors, store=store, rank=self.rank, world_size=self.world, timeout=STEP)
            self._words = _new_group(LONG)
        self.hosts = self.gather(launch.host)

    def agree(self, *, is_stoppable: bool = True) -> None:
        """Go on, unless a process has failed or was asked to end."""
        asked = (stopping.asked() or 0) if is_stoppable else 0
        words = torch.tensor([int(self.failed is not None), asked])
        with self.reached():
            work = dist.all_reduce(words, dist.ReduceOp.MAX, group=self._words, async_op=True)
            assert work is not None
            work.wait(LONG if not is_stoppable else STEP)
            has_failed, number = words.tolist()
            errors = self._of_all(self.failed) if has_failed else []
        self.failed = None
        self.is_agreed = bool(has_failed or number)
        for rank, error in enumerate(errors):
            if error is not None:
                raise self._named(rank, error)
        if number:
            raise StopRequested(number)

    def _named(self, rank: int, error: BaseException) -> BaseException:
        """Return the error of a process as the others raise it."""
        if rank == 0 or not isinstance(error, MaskkitError):
            return error
        error.what = f"process {rank + 1} of {self.world}, on host {self.hosts[rank]}: {error.what}"
        return error

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank."""
        self.agree(is_stoppable=False)
        with self.reached():
            return self._of_all(value)

    def _of_all(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value, group=self._words)
        return found

    def same(self, value: Value) -> Value:
        """Return the value of the first process."""
        self.agree(is_stoppable=False)
        one = [value if self.rank == 0 else None]
        with self.reached():
            dist.broadcast_object_list(one, src=0, group=self._words)
        return cast(Value, one[0])

    @contextlib.contextmanager
    def exchanging(self) -> Iterator[None]:
        """Compute and send inside the block; what fails here tears the team."""
        try:
            with self.reached():
                yield
        except BaseException:
            self.is_torn = True
            raise

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Add the tensors of all processes up, in place, by one message for each type of numbers."""
        for alike in _by_type(tensors):
            flat = torch.cat([one.reshape(-1) for one in alike])
            dist.all_reduce(flat)
            for one, summed in zip(alike, torch.split(flat, [one.numel() for one in alike]), strict=True):
                one.copy_(summed.view_as(one))

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Average the tensors of all processes, in place."""
        self.add(tensors)
        for one in tensors:
            one.div_(self.world)

    def parallel(self, network: nn.Module) -> nn.Module:
        """Return the network in torch's DistributedDataParallel; what learns in it must not change then."""
        with self.exchanging(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a name that older versions have alone
            return nn.parallel.DistributedDataParallel(
                network,
                broadcast_buffers=False,  # `mean` makes them alike
                find_unused_parameters=True,  # some models of timm have such
            )

    def channel(self) -> dist.ProcessGroup:
        """Return a new way for messages, which all processes make together."""
        self.agree(is_stoppable=False)
        with self.reached():
            return _new_group(LONG)

    def unsummed(self, network: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Let gradients wait for later ones."""
        assert isinstance(network, nn.parallel.DistributedDataParallel)
        found: contextlib.AbstractContextManager[None] = network.no_sync()
        return found

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Do what all processes do inside the block, and end it together, well or with a failure of one."""
        try:
            yield
            self.agree(is_stoppable=False)
        except BaseException as error:
            if not (self.is_agreed or self.is_torn):
                self.failed = _sendable(error, self.launch)
                with contextlib.suppress(MaskkitError, StopRequested):
                    self.agree(is_stoppable=False)
            self.is_agreed = False
            raise

    @contextlib.contextmanager
    def reached(self) -> Iterator[None]:
        """Raise an OtherEndedError if another process cannot be reached."""
        try:
            yield
        except RuntimeError as error:
            if not _is_of_connection(error):
                raise
            self.is_torn = True
            raise OtherEndedError(
                "another process of this command has ended, or cannot be reached",
                why=f"{self.launch.name} has lost its connection to it",
                fix="see what that process or torchrun says, and start all of them again",
            ) from error


def _new_group(patience: timedelta) -> dist.ProcessGroup:
    """Return another way for messages among all processes, which have to arrive within so long."""
    with silenced(OUTPUT):
        made = dist.new_group(backend="gloo", timeout=patience)
    assert isinstance(made, dist.ProcessGroup)
    return made


def shares_of(count: int, world: int) -> list[int]:
    """Return where the shares of so many things begin, and the last one ends, (world + 1,).

    >>> shares_of(7, 3)
    [0, 2, 4, 7]
    """
    return [count * rank // world for rank in range(world + 1)]


def _is_of_connection(error: RuntimeError) -> bool:
    if isinstance(error, dist.DistError):
        return True
    return any(word in str(error) for word in ("gloo", "Connection", "NCCL", "Socket", "Broken pipe"))


def _sendable(error: BaseException, launch: Launch) -> BaseException:
    """Return an error in a form in which every process knows it."""
    if isinstance(error, MaskkitError | StopRequested):
        return error
    return MaskkitError(
        f"{launch.name} has failed",
        why=f"{type(error).__name__}: {reason(error) if isinstance(error, Exception) else error}",
        fix="see what it has said; one process alone, without torchrun, may say more",
    )


def _by_type(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    found: dict[torch.dtype, list[Tensor]] = {}
    for one in tensors:
        found.setdefault(one.dtype, []).append(one)
    return list(found.values())
