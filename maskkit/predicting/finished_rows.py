"""Rows whose predictions are added up, kept in a progress file while others are still being predicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.progress_file import ProgressFile

Rows = NDArray[np.int64]
Sums = NDArray[np.float64]


class FinishedRows:
    """The rows of a prediction that are finished, as far as its file knows them and as they come.

    Once `every` rows are gathered, they are written as a block: their numbers, then their sums.
    """

    def __init__(self, file: ProgressFile, *, every: int) -> None:
        self.file, self.every = file, every
        self.waiting: list[tuple[Rows, Sums]] = []

    def read(self, sums: Sums) -> NDArray[np.bool_]:
        """Fill in the sums of rows that an earlier run finished, (rows, C); return which they are, (rows,).

        Raises:
            MaskkitError: The file is of a run with other options or inputs, or another run has it.
        """
        done, width = np.zeros(len(sums), np.bool_), 1 + sums.shape[1]  # numbers of a row
        for data in self.file.blocks():
            count, rest = divmod(len(data), 8 * width)
            rows = np.frombuffer(data, "<i8", count)
            values = np.frombuffer(data, "<f8", count * (width - 1), offset=8 * count)
            if rest or np.isnan(values).any() or not ((rows >= 0) & (rows < len(sums))).all():
                raise self.file.damaged("a block of it is not of these rows and classes")
            sums[rows] = values.reshape(count, -1)
            done[rows] = True
        return done

    def add(self, rows: Rows, sums: Sums) -> None:
        """Remember the sums of these rows, (N, C), and write them once there are enough."""
        self.waiting.append((rows, sums))
        if sum(len(rows) for rows, _ in self.waiting) >= self.every:
            self.write()

    def write(self) -> None:
        """Write what waits.

        Raises:
            MaskkitError: It cannot be written.
        """
        waiting, self.waiting = self.waiting, []
        if waiting:
            rows = np.concatenate([rows for rows, _ in waiting]).astype("<i8")
            sums = np.concatenate([sums for _, sums in waiting]).astype("<f8")
            self.file.append(rows.tobytes() + sums.tobytes())
