from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskkit.imaging import hashing
from maskkit.imaging.hashing import FINE_WITHIN, FINE_WORDS, groups_of, hash_of, near_pairs


def scene(seed: int, size: tuple[int, int] = (128, 96)) -> NDArray[np.uint8]:
    """A smooth random grey picture."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (9, 7)).astype(np.float32)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def bits_apart(one: NDArray[Any], other: NDArray[Any]) -> int:
    return int(np.bitwise_count(hash_of(one)[1] ^ hash_of(other)[1]).sum())


def darker(picture: NDArray[Any]) -> NDArray[Any]:
    return (picture * 0.8).astype(np.uint8)


def smaller(picture: NDArray[Any]) -> NDArray[Any]:
    return cv2.resize(picture, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)


def compressed(picture: NDArray[Any]) -> NDArray[Any]:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 50])
    found = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert found is not None
    return found


@pytest.mark.parametrize("change", [darker, smaller, compressed])
def test_a_changed_copy_is_near_and_another_picture_is_not(change: Any) -> None:
    for seed in range(8):
        assert bits_apart(scene(seed), change(scene(seed))) <= FINE_WITHIN
        assert bits_apart(scene(seed), scene(seed + 100)) > 2 * FINE_WITHIN


def test_brightness_alone_changes_no_bit() -> None:
    picture = scene(3) // 2
    assert bits_apart(picture, picture + 40) <= 4  # rounding of the resized picture


def all_near_pairs(coarse: NDArray[np.uint64], fine: NDArray[np.uint64], within: int) -> set[tuple[int, int]]:
    """By looking at every pair."""
    return {
        (one, other)
        for one in range(len(coarse))
        for other in range(one + 1, len(coarse))
        if np.bitwise_count(coarse[one] ^ coarse[other]) <= within
        and np.bitwise_count(fine[one] ^ fine[other]).sum() <= FINE_WITHIN
    }


def some_hashes(seed: int, photos: int, most_flips: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes in families: a few random ones, and others made of them by flipping bits."""
    random = np.random.default_rng(seed)
    heads = max(1, photos // 4)
    bits = random.integers(0, 2, (heads, 64 * (1 + FINE_WORDS)), np.uint8)[random.integers(0, heads, photos)]
    for row in bits:
        row[random.choice(64, random.integers(0, most_flips + 1), replace=False)] ^= 1
        row[64 + random.choice(256, random.integers(0, 30), replace=False)] ^= 1
    words = np.packbits(bits, axis=1).view(np.uint64)
    return words[:, 0].copy(), words[:, 1:].copy()


@given(seed=st.integers(0, 1000), photos=st.integers(0, 40), most_flips=st.integers(0, 6))
def test_the_index_finds_all_pairs_within_seven_bits_and_none_beyond_eight(
    seed: int, photos: int, most_flips: int
) -> None:
    coarse, fine = some_hashes(seed, photos, most_flips)
    pairs, bits = near_pairs(coarse, fine)
    found = {(int(one), int(other)) for one, other in pairs}
    assert len(found) == len(pairs)
    differing = {
        pair
        for pair in all_near_pairs(coarse, fine, 7)
        # Of equal photos each is paired with the first, and pairs with others by it.
        if all(
            not ((coarse[row] == coarse[:row]) & (fine[row] == fine[:row]).all(axis=1)).any() for row in pair
        )
    }
    assert differing <= found <= all_near_pairs(coarse, fine, 8)
    assert bits.tolist() == [int(np.bitwise_count(fine[a] ^ fine[b]).sum()) for a, b in pairs]


def test_many_equal_photos_are_each_paired_with_the_first_only() -> None:
    coarse, fine = np.zeros(500, np.uint64), np.zeros((500, FINE_WORDS), np.uint64)
    pairs, bits = near_pairs(coarse, fine)
    assert pairs.tolist() == [[0, other] for other in range(1, 500)]
    assert not bits.any()


def test_what_is_expanded_at_a_time_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    coarse, fine = some_hashes(5, 60, 4)
    whole = near_pairs(coarse, fine)[0]
    monkeypatch.setattr(hashing, "AT_ONCE", 7)
    assert np.array_equal(near_pairs(coarse, fine)[0], whole)
    assert len(whole) > 20


def test_pairs_that_share_a_photo_are_one_group_named_by_its_first() -> None:
    assert groups_of(np.array([[1, 4], [2, 3], [4, 6]]), 7).tolist() == [0, 1, 2, 2, 1, 5, 1]
    assert groups_of(np.empty((0, 2), np.int64), 3).tolist() == [0, 1, 2]
