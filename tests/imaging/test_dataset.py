from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_photo
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import augmentation
from maskkit.imaging.dataset import Photos, batch_count, batches, in_order, shuffled
from maskkit.imaging.decode import load

PREPROCESS = Preprocess(24, 16, (0.5,) * 3, (0.5,) * 3, "bilinear")
ROWS = np.arange(11)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for row in ROWS.tolist():
        draw_photo(folder / f"{row}.jpg", mask="none", gender="female", age=20 + 3 * row, seed=row)
    return [folder / f"{row}.jpg" for row in ROWS]


def test_shows_each_photo_as_decoded_with_its_row(paths: list[Path]) -> None:
    rows = []
    for row, pixels in batches(Photos(paths, PREPROCESS), in_order(ROWS[::-1]), batch_size=4, workers=0):
        assert pixels.shape == (len(row), 24, 16, 3)
        assert pixels.dtype == torch.uint8
        rows += row.tolist()
        for index, image in zip(row.tolist(), pixels, strict=True):
            assert np.array_equal(image.numpy(), load(paths[index], PREPROCESS))
    assert rows == ROWS[::-1].tolist()


def test_the_same_seed_shows_the_same_pixels_whatever_the_number_of_workers(paths: list[Path]) -> None:
    draws = shuffled(ROWS, seed=3, epoch=1)
    photos = Photos(paths, PREPROCESS, augmentation("light"))
    runs = [list(batches(photos, draws, batch_size=4, workers=workers)) for workers in (0, 1, 2)]
    for run in runs[1:]:
        for (rows, pixels), (first_rows, first_pixels) in zip(run, runs[0], strict=True):
            assert torch.equal(rows, first_rows)
            assert torch.equal(pixels, first_pixels)


def test_loading_draws_nothing_from_the_models_randomness(paths: list[Path]) -> None:
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    list(
        batches(
            Photos(paths, PREPROCESS, augmentation("light")),
            shuffled(ROWS, seed=0, epoch=0),
            batch_size=4,
            workers=1,
        )
    )
    assert torch.equal(torch.random.get_rng_state(), before)


@given(rows=st.integers(0, 300), size=st.integers(1, 70))
def test_batches_hold_every_row_once_and_differ_by_at_most_one(rows: int, size: int) -> None:
    class Blank(Photos):
        def __getitem__(self, draw: tuple[int, int]) -> tuple[int, np.ndarray]:
            return draw[0], np.zeros((1, 1, 3), np.uint8)

    found = [
        row
        for row, _ in batches(Blank([], PREPROCESS), in_order(np.arange(rows)), batch_size=size, workers=0)
    ]
    assert [index for row in found for index in row.tolist()] == list(range(rows))
    sizes = {len(row) for row in found}
    assert len(found) == batch_count(rows, size)
    assert not sizes or max(sizes) <= size
    assert not sizes or max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_photo_that_cannot_be_decoded_is_named_as_well_from_a_worker(
    paths: list[Path], workers: int
) -> None:
    missing = paths[0].with_name("gone.jpg")
    with pytest.raises(MaskkitError) as caught:
        list(
            batches(
                Photos([*paths, missing], PREPROCESS), in_order(np.arange(12)), batch_size=3, workers=workers
            )
        )
    assert caught.value.what == f"cannot read the image {missing}"
    assert caught.value.why == "missing"


@pytest.mark.parametrize("workers", [0, 2])
def test_no_rows_make_no_batches(workers: int) -> None:
    assert list(batches(Photos([], PREPROCESS), [], batch_size=4, workers=workers)) == []


def test_shuffling_keeps_every_row_once_and_depends_on_seed_and_epoch_alone() -> None:
    rows = np.arange(100, 200)
    draws = {key: shuffled(rows, seed=key[0], epoch=key[1]) for key in [(0, 0), (0, 1), (1, 0)]}
    for key, drawn in draws.items():
        assert sorted(row for row, _ in drawn) == rows.tolist()
        assert len({seed for _, seed in drawn}) > 95
        assert shuffled(rows, seed=key[0], epoch=key[1]) == drawn
    orders = [[row for row, _ in drawn] for drawn in draws.values()]
    assert orders[0] != orders[1] != orders[2] != orders[0]
