"""Perceptual hashes, and the photos that nearly look alike by them.

The hash is the pHash of Zauner 2010 (https://www.phash.org/docs/pubs/thesis_zauner.pdf) in two sizes:
which of the lowest frequencies of a small grey picture are above their median. The coarse one, 64
bits, finds candidates by an index; the fine one, 256 bits, confirms them. Faces cut alike look alike:
among 10.3 million pairs of photos of different people, 417 are within 8 of 64 bits, but none of
these within 40 of 256; and 32 miss one of 2,400 copies that were compressed, resized, brightened or
given another gamma (benchmarks/hashes.py). Hashes of photos decoded at another scale or by another
decoder differ by a few bits, and are not to be compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

SIDE = 32  # pixels of the grey picture
COARSE, FINE = 8, 16  # frequencies per axis
FINE_WORDS = FINE * FINE // 64
COARSE_WITHIN = 8  # bits in which candidates differ at most
FINE_WITHIN = 32  # bits in which photos that nearly look alike differ at most

BANDS = 4  # of 16 bits
AT_ONCE = 4_000_000  # candidate pairs, of 16 bytes

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]  # (pairs, 2), the first below the second


def hash_of(luma: NDArray[Any]) -> tuple[np.uint64, Hashes]:
    """Return the coarse hash, and the fine one, (FINE_WORDS,), of a grey picture, uint8 (height, width)."""
    small = cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    frequencies: NDArray[Any] = cv2.dct(small.astype(np.float32))
    return _above_median(frequencies, COARSE)[0], _above_median(frequencies, FINE)


def _above_median(frequencies: NDArray[Any], side: int) -> Hashes:
    lowest = frequencies[:side, :side].ravel()
    rest = lowest[1:]  # without the first, which is the brightness
    middle = np.partition(rest, rest.size // 2)[rest.size // 2]
    return np.packbits(lowest > middle).view(np.uint64)


def near_pairs(coarse: Hashes, fine: Hashes) -> tuple[Pairs, NDArray[np.int64]]:
    """Find the pairs of photos that nearly look alike, by their hashes (photos,) and (photos, FINE_WORDS).

    Candidates come from an index of four bands of 16 bits (Norouzi et al. 2012, "Fast search in
    Hamming space with multi-index hashing"): within 7 bits, some band differs in at most one. All
    pairs within 7 bits are found, and those within 8 that do not differ by two bits in every band.
    Of photos with the same hashes each is paired with the first only.

    Returns:
        Pairs of rows in ascending order, and in how many of 256 bits they differ, (pairs,).
    """
    both = np.column_stack([coarse, fine])
    _, first, code = np.unique(both, axis=0, return_index=True, return_inverse=True)
    code = code.ravel()
    twins = np.flatnonzero(first[code] != np.arange(len(code)))
    found = [np.column_stack([first[code[twins]], twins])]
    found += [first[pairs] for pairs in _candidates(coarse[first], fine[first])]
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return pairs, _bits_apart(fine[pairs[:, 0]], fine[pairs[:, 1]])


def groups_of(pairs: Pairs, photos: int) -> NDArray[np.int64]:
    """Return the first photo of each photo's group, (photos,): pairs that share a photo are one group."""
    ones = np.ones(len(pairs), np.bool_)
    links = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(photos, photos))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(first[group], np.int64)


def _candidates(coarse: Hashes, fine: Hashes) -> Iterator[Pairs]:
    """Yield pairs of rows that are near by both hashes; a pair may come more than once."""
    flips = [np.uint16(0), *(np.uint16(1) << np.arange(16, dtype=np.uint16))]
    for band in coarse.view(np.uint16).reshape(len(coarse), BANDS).T if len(coarse) else ():
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        for flip in flips:
            start = np.searchsorted(ordered, ordered ^ flip, side="left")
            end = np.searchsorted(ordered, ordered ^ flip, side="right")
            if flip == 0:  # each pair of a bucket once
                start = np.arange(1, len(ordered) + 1)
            for one, other in _expanded(start, np.maximum(end, start)):
                pairs = np.column_stack([order[one], order[other]])
                apart = np.bitwise_count(coarse[pairs[:, 0]] ^ coarse[pairs[:, 1]])
                pairs = pairs[apart <= COARSE_WITHIN]
                yield pairs[_bits_apart(fine[pairs[:, 0]], fine[pairs[:, 1]]) <= FINE_WITHIN]


def _expanded(
    start: NDArray[np.int64], end: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the rows and, as many, the places from each row's start up to its end, some at a time."""
    total = np.concatenate([[0], np.cumsum(end - start)])
    cuts = np.searchsorted(total[1:], np.arange(0, total[-1], AT_ONCE))
    for low, high in pairwise(np.unique([*cuts.tolist(), len(start)])):
        count = (end - start)[low:high]
        row = np.repeat(np.arange(low, high), count)
        place = np.arange(len(row)) - np.repeat(total[low:high] - total[low], count) + start[row]
        yield row, place


def _bits_apart(one: Hashes, other: Hashes) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64))
