"""Which of several processes of one command this is, as torchrun and its like say it in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
GPUS = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Launch:
    """The place of this process among those that were started together."""

    rank: int = 0  # among all; 0 is the first, which writes and talks
    world: int = 1  # how many there are
    local_rank: int = 0  # among those of this host
    local_world: int = 1  # how many there are on this host
    host: int = 0  # its number

    @property
    def is_first(self) -> bool:
        """Whether it is the one that does the command, and has the others help."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """The process as users count them."""
        return f"process {self.rank + 1} of {self.world}"


class _Part:
    """Whether this process takes part in what others do."""

    is_taken = False


def take_part() -> None:
    """Believe what the environment says of other processes from now on.

    The command line does; a program that imports maskkit may have been started so for a purpose of its own.
    """
    _Part.is_taken = True


def launch() -> Launch:
    """Return what the environment says; the only process there is, if it says nothing or no numbers."""
    if not _Part.is_taken or not all(name in os.environ for name in NEEDED):
        return Launch()
    try:
        rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local, local_world, host = (
            int(os.environ.get(name, usual))
            for name, usual in (("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"), ("GROUP_RANK", "0"))
        )
    except ValueError:
        return Launch()
    return Launch(rank, world, local, local_world, host) if 0 <= rank < world and world > 1 else Launch()


def claim_device(one: Launch) -> None:
    """Let this process see one GPU, its own; to be called before torch looks for any.

    So "cuda" means that GPU in every thread, and no process takes memory of another's. If the launcher has
    chosen one already, it stays.
    """
    if one.world == 1:
        return
    # torch's own warnings of the library's inside would come from every process.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    seen = [name for name in os.environ.get(GPUS, "").split(",") if name]
    if len(seen) == 1:
        return
    place = one.local_rank
    os.environ[GPUS] = str(place) if GPUS not in os.environ else seen[place] if place < len(seen) else ""
