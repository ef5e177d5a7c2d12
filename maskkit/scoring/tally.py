"""What people's photos count for: of each class, those that are of it, were taken for it, and both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from maskkit.scoring.kinds import Kinds
from maskkit.scoring.metrics import Counts, Floats, Integers

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Tally:
    """Photos per kind of people and column; a column is a class, and of several models each has its own.

    The share of a column are its hits among its photos: those that are of the class, were taken for it, or
    both. Of a class that is the Jaccard index J, of which F1 = 2 J / (1 + J) is another scale. Where nothing
    is taken for a column but what is of it, the share is that of the right answers.
    """

    people: Floats  # people of each kind, (K,)
    hits: csr_array  # photos that are of the class and were taken for it, (K, M)
    truth: csr_array  # photos that are of it, (K, M)
    alarms: csr_array  # photos that were taken for it and are not, (K, M)
    models: int = 1  # whose columns stand one after the other, as many of each

    @classmethod
    def of_classes(cls, kinds: Kinds, truth: Integers, answers: Sequence[Integers], *, classes: int) -> Tally:
        """Tally the classes of cells, (P,) each, by truth and by the answers of each model."""
        each = [_marks(truth, classes, answer == truth) for answer in answers]
        wrong = [_marks(answer, classes, answer != truth) for answer in answers]
        return cls._of(kinds, each, [_marks(truth, classes)] * len(answers), wrong)

    @classmethod
    def of_right(cls, kinds: Kinds, right: Sequence[NDArray[Any]]) -> Tally:
        """Tally the answers of each model that are right, of all cells, (P,) each."""
        one = np.zeros(len(right[0]), np.int64)
        each = [_marks(one, 1, is_right != 0) for is_right in right]
        none = _marks(one, 1, np.zeros(len(one), np.bool_))
        return cls._of(kinds, each, [_marks(one, 1)] * len(right), [none] * len(right))

    @classmethod
    def _of(cls, kinds: Kinds, hits: list[Any], truth: list[Any], alarms: list[Any]) -> Tally:
        from scipy.sparse import csr_array, hstack

        shape = (len(kinds.people), hits[0].shape[0])
        photos = csr_array((kinds.photos.astype(np.float64), (kinds.kind, kinds.cell)), shape=shape)
        hit, true, false = (csr_array(photos @ hstack(each, format="csr")) for each in (hits, truth, alarms))
        return cls(kinds.people.astype(np.float64), hit, true, false, models=len(hits))

    def __len__(self) -> int:
        """Return the number of columns M."""
        return int(self.hits.shape[1])

    @property
    def classes(self) -> int:
        """Return the number of columns of a model."""
        return len(self) // self.models

    @cached_property
    def hit(self) -> Floats:
        """Hits of each column, (M,)."""
        return np.asarray(self.people @ self.hits)

    @cached_property
    def support(self) -> Floats:
        """Photos that are of each column, (M,)."""
        return np.asarray(self.people @ self.truth)

    @cached_property
    def photos(self) -> Floats:
        """Photos that are of each column or were taken for it, (M,)."""
        return np.asarray(self.support + self.people @ self.alarms)

    def take(self, classes: Counts) -> Tally:
        """Return some of the classes, of each model."""
        columns = np.concatenate([classes + model * self.classes for model in range(self.models)])
        hit, true, false = (each[:, columns] for each in (self.hits, self.truth, self.alarms))
        return Tally(self.people, hit, true, false, models=self.models)

    def of_model(self, model: int) -> Tally:
        """Return the columns of one model."""
        own = slice(model * self.classes, (model + 1) * self.classes)
        return Tally(self.people, self.hits[:, own], self.truth[:, own], self.alarms[:, own])

    def people_with(self, photos: csr_array) -> Floats:
        """Count the people who have a photo in each column, (M,), of a matrix such as `hits`."""
        return np.asarray(self.people @ (photos > 0))

    def squares(self, one: csr_array, other: csr_array) -> Floats:
        """Sum the products of two columns over people, (M, M)."""
        return np.asarray((one.T @ other.multiply(self.people[:, None])).todense())


def _marks(column: Integers, columns: int, where: Any = None) -> csr_array:
    """Return 1 at the column of each cell, (P, columns), and 0 elsewhere; nothing of cells left out."""
    from scipy.sparse import csr_array

    cells = np.arange(len(column)) if where is None else np.flatnonzero(where)
    return csr_array((np.ones(len(cells)), (cells, column[cells])), shape=(len(column), columns))
