"""Photos by the people on them: photos of one person are right or wrong together."""

from dataclasses import dataclass

import numpy as np

from maskkit.scoring.metrics import Counts, Integers


@dataclass(frozen=True)
class Kinds:
    """People grouped by what their photos are and were taken for.

    Two people whose photos count in the same cells are interchangeable, so only the number of people of each
    kind has to be known. Kinds are in an order of their own, which makes what rests on them independent of
    the order of rows and of the people's numbers.
    """

    people: Counts  # people of each kind, (K,)
    cell: Counts  # cell of the flattened confusion matrix, ascending, (P,)
    kind: Counts  # the kind that has photos in that cell, (P,)
    photos: Counts  # how many each person of that kind has there, (P,)


def number_people(person: Integers | None, *, rows: int) -> Counts:
    """Number the people 0, 1, ... and make each row without a person a person of its own, (N,).

    Every number is in use. `person` has any code per person, negative where unknown, (N,); it is None if
    nobody is known.
    """
    if person is None:
        return np.arange(rows, dtype=np.int64)
    known = person >= 0
    names, number = np.unique(person[known], return_inverse=True)
    people = np.empty(rows, dtype=np.int64)
    people[known] = number
    people[~known] = len(names) + np.arange(rows - len(number))
    return people


def kinds_of_people(cell: Counts, person: Counts) -> Kinds:
    """Group people by the cells of the confusion matrix that their photos count in, (N,) each."""
    in_order = cell[np.lexsort((cell, person))]
    photos = np.bincount(person)  # (people,)
    first = np.cumsum(photos) - photos
    people, pairs, found = [], [], 0
    for size in np.unique(photos):
        rows = first[photos == size, None] + np.arange(size)  # (people of this size, size)
        patterns, counts = np.unique(in_order[rows], axis=0, return_counts=True)
        kind = np.repeat(np.arange(found, found + len(patterns)), size)
        pairs.append(np.stack([patterns.ravel(), kind]))
        people.append(counts)
        found += len(patterns)
    cell_of, kind_of = np.concatenate(pairs, axis=1)
    pair, photos = np.unique(cell_of * found + kind_of, return_counts=True)
    return Kinds(np.concatenate(people), pair // found, pair % found, photos)
