"""Work that is shared among processes, forked with all modules loaded."""

from __future__ import annotations

import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def shared(work: Callable[[Item, int], Result], items: Sequence[Item], jobs: int) -> list[Result]:
    """Return what `work` makes of each item, in their order; it also takes the number of its process."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(jobs)]
        children = []
        for number, file in enumerate(files):
            child = os.fork()
            if not child:
                code = 1
                try:
                    for item in items[number::jobs]:
                        pickle.dump(work(item, number), file)
                    file.flush()
                    code = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)  # never back into the parent's code
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        if any(codes):
            raise RuntimeError("a process has failed")
        results: list[Result | None] = [None] * len(items)
        for number, file in enumerate(files):
            file.seek(0)
            for place in range(number, len(items), jobs):
                results[place] = pickle.load(file)
    return results  # type: ignore[return-value]
