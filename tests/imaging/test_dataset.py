from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_photo
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import Augment, Order, batch_count, batches, shuffled
from maskkit.imaging.decode import load
from maskkit.imaging.photos import Photos, Pixels
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import AUGMENTATIONS

PREPROCESS = Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear")
ROWS = np.arange(11)


class Blank(Photos):
    """Photos of one black pixel, without files."""

    def take(self, rows: NDArray[np.int64]) -> Pixels:
        return np.zeros((len(rows), 1, 1, 3), np.uint8)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for row in ROWS.tolist():
        draw_photo(folder / f"{row}.jpg", mask="none", gender="female", age=20 + 3 * row, seed=row)
    return [folder / f"{row}.jpg" for row in ROWS]


def chosen(text: str) -> Augment | None:
    return augmentation(parse_sum(text, AUGMENTATIONS, option="--augment"))


def rows_of(found: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> list[int]:
    return [int(row) for rows, _ in found for row in rows]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_shows_each_photo_as_decoded_with_its_row(paths: list[Path], workers: int) -> None:
    photos = Photos(paths, PREPROCESS)
    found = list(batches(photos, Order(ROWS[::-1].copy()), batch_size=4, workers=workers))
    assert rows_of(found) == ROWS[::-1].tolist()
    for rows, pixels in found:
        assert pixels.shape == (len(rows), 24, 16, 3)
        assert pixels.dtype == torch.uint8
        for row, image in zip(rows.tolist(), pixels, strict=True):
            assert np.array_equal(image.numpy(), load(paths[row], PREPROCESS))


@pytest.mark.parametrize("name", ["light", "medium"])
def test_the_same_seed_shows_the_same_pixels_whatever_the_number_of_workers(
    paths: list[Path], name: str
) -> None:
    photos = Photos(paths, PREPROCESS)
    order = shuffled(ROWS, seed=3, epoch=1, augment=chosen(name))
    runs = [list(batches(photos, order, batch_size=4, workers=workers)) for workers in (0, 1, 3)]
    for run in runs[1:]:
        for (rows, pixels), (first_rows, first_pixels) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(pixels, first_pixels)


def test_loading_draws_nothing_from_the_models_randomness(paths: list[Path]) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    order = shuffled(ROWS, seed=0, epoch=0, augment=chosen("light"))
    list(batches(Photos(paths, PREPROCESS), order, batch_size=4, workers=1))
    assert torch.equal(torch.random.get_rng_state(), before)


@given(rows=st.integers(0, 300), size=st.integers(1, 70))
def test_batches_hold_every_row_once_and_differ_by_at_most_one(rows: int, size: int) -> None:
    found = list(batches(Blank([], PREPROCESS), Order(np.arange(rows)), batch_size=size, workers=0))
    assert rows_of(found) == list(range(rows))
    sizes = {len(row) for row, _ in found}
    assert len(found) == batch_count(rows, size)
    assert not sizes or max(sizes) <= size + (size == 2 and rows % 2)
    assert 1 not in sizes or 1 in (rows, size)  # no photo is alone that could be in company
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_photo_that_cannot_be_decoded_is_named_as_well_from_a_worker(
    paths: list[Path], workers: int
) -> None:
    missing = paths[0].with_name("gone.jpg")
    with pytest.raises(MaskkitError) as caught:
        list(
            batches(
                Photos([*paths, missing], PREPROCESS), Order(np.arange(12)), batch_size=3, workers=workers
            )
        )
    assert caught.value.what == f"cannot read the photo {missing}"
    assert caught.value.why == "missing"


@pytest.mark.parametrize("workers", [0, 2])
def test_no_rows_make_no_batches(workers: int) -> None:
    assert list(batches(Blank([], PREPROCESS), Order(ROWS[:0]), batch_size=4, workers=workers)) == []


def test_threads_run_only_a_few_batches_ahead_and_end_with_whoever_asks() -> None:
    asked: list[int] = []

    class Counted(Blank):
        def take(self, rows: NDArray[np.int64]) -> Pixels:
            asked.append(len(rows))
            return super().take(rows)

    before = threading.active_count()
    loader = batches(Counted([], PREPROCESS), Order(np.arange(1000)), batch_size=1, workers=2)
    next(loader)
    time.sleep(0.2)
    assert len(asked) <= 6
    loader.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert len(asked) <= 6


def test_shuffling_keeps_every_row_once_and_depends_on_seed_and_epoch_alone() -> None:
    rows = np.arange(100, 200)
    light = chosen("light")
    orders = {
        key: shuffled(rows, seed=key[0], epoch=key[1], augment=light) for key in [(0, 0), (0, 1), (1, 0)]
    }
    for (seed, epoch), order in orders.items():
        assert sorted(order.rows) == rows.tolist()
        assert order.drawn is not None
        again = shuffled(rows, seed=seed, epoch=epoch, augment=light)
        assert np.array_equal(again.rows, order.rows)
        assert again.drawn is not None
        assert np.array_equal(again.drawn, order.drawn)
    first, second, third = (order.rows.tolist() for order in orders.values())
    assert first != second != third != first


def test_the_default_order_and_what_is_drawn_for_it_are_those_of_earlier_versions() -> None:
    """A run of the same options and seed must give the same bytes again; computed with 329939e."""
    orders = [
        shuffled(np.arange(100, 120), seed=3, epoch=2, augment=chosen(name))
        for name in ("none", "light", "medium")
    ]
    expected = [119, 102, 109, 116, 100, 104, 112, 113, 101, 107]
    expected += [103, 106, 105, 118, 110, 117, 108, 114, 111, 115]
    assert [order.rows.tolist() for order in orders] == [expected] * 3
    none, light, medium = (order.drawn for order in orders)
    assert none is None
    assert light is not None
    assert light["grain"][:3].tolist() == [[63, 26], [50, 18], [62, 58]]  # the last but one that is drawn
    assert light["shift"][0].tolist() == pytest.approx([0.03812425211071968, 0.02709824964404106])
    assert light["noise"].sum() == pytest.approx(10.356846)
    assert medium is not None
    assert medium[:3].tolist() == [1466401919, 310673692, 1800229460]
