import threading
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.imaging.augment import TwoViews
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import AUGMENTATIONS
from maskkit.options.train_options import TrainOptions
from maskkit.training.feed import Batch, Feed
from maskkit.training.fold import Fold, Unlabeled

CPU = torch.device("cpu")
PREPROCESS = Preprocess(16, 16, (0.0,) * 3, (1.0,) * 3, "bilinear")
LABELLED, OTHERS = 50, 17


def choices(text: str) -> Any:
    return parse_sum(text, AUGMENTATIONS, option="--augment")


def unlabeled(ratio: int = 2, weak: str = "none", strong: str = "none") -> Unlabeled:
    """Photos each of which is of one grey, by which it is known."""
    pixels = np.arange(OTHERS, dtype=np.uint8)[:, None, None, None] * np.ones((16, 16, 3), np.uint8)
    views = TwoViews(choices(weak), choices(strong))
    return Unlabeled(Photos.of_pixels(pixels, PREPROCESS), views, ratio)


def feed(given: Unlabeled | None, **options: Any) -> Feed:
    pixels = np.random.default_rng(0).integers(0, 256, (LABELLED, 16, 16, 3), np.uint8)
    rows = np.arange(LABELLED)
    fold = Fold(
        space=HOME, inputs=Photos.of_pixels(pixels, PREPROCESS), target=rows % 18,
        numbers=np.zeros((LABELLED, 1), np.float32), people=rows, weight=np.ones(LABELLED, np.float32),
        label=rows % 18, training=rows, held_out=rows[:0], unlabeled=given,
    )  # fmt: skip
    return Feed(fold, TrainOptions(**{"batch_size": 16, "workers": 0, "augment": "none", **options}), CPU)


def shown(batch: Batch, view: int) -> list[int]:
    assert batch.views is not None
    return (batch.views[view][:, 0, 0, 0] * 255).round().int().tolist()


@pytest.mark.parametrize("ratio", [1, 2, 7])
def test_each_batch_has_so_many_times_its_photos_and_both_views_are_of_the_same(ratio: int) -> None:
    drawn = []
    for batch in feed(unlabeled(ratio)).epoch(1):
        assert len(shown(batch, 0)) == ratio * len(batch.weight)
        assert shown(batch, 0) == shown(batch, 1)
        assert batch.shown.shape == ((1 + 2 * ratio) * len(batch.weight), 3, 16, 16)
        drawn += shown(batch, 0)
    counts = np.bincount(drawn, minlength=OTHERS)
    assert counts.sum() == ratio * LABELLED
    assert counts.max() - counts.min() <= 1  # all come before one comes again


def test_the_network_is_shown_the_photos_then_their_weak_and_their_strong_views() -> None:
    batch = next(feed(unlabeled(strong="colour:p=1+affine:p=1")).epoch(1))
    assert batch.views is not None
    assert torch.equal(batch.shown, torch.cat([batch.images, *batch.views]))
    assert torch.equal(next(feed(None).epoch(1)).shown, next(feed(None).epoch(1)).images)


def test_parts_divide_the_views_as_they_divide_the_photos() -> None:
    batch = next(feed(unlabeled(ratio=3)).epoch(1))
    parts = list(batch.parts(5))
    assert [len(shown(part, 0)) for part in parts] == [3 * len(part.weight) for part in parts]
    for view in (0, 1):
        assert [one for part in parts for one in shown(part, view)] == shown(batch, view)
    assert sum(len(shown(part, 0)) for part in batch.parts(1000)) == len(shown(batch, 0))


def test_labelled_batches_are_what_they_are_without_others() -> None:
    options = {"mix": "half", "sampler": "sqrt"}
    alone, beside = (list(feed(given, **options).epoch(2)) for given in (None, unlabeled()))
    assert len(alone) == len(beside)
    for one, two in zip(alone, beside, strict=True):
        assert torch.equal(one.images, two.images)
        assert torch.equal(one.target.classes, two.target.classes)
        assert one.views is None


def test_no_two_kinds_of_random_choice_share_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[tuple[int, ...]] = []
    generator = np.random.default_rng

    def noted(seed: tuple[int, ...]) -> np.random.Generator:
        seeds.append(seed)
        return generator(seed)

    given = feed(unlabeled(), mix="half", seed=5)
    monkeypatch.setattr(np.random, "default_rng", noted)
    list(given.epoch(3))
    assert {seed[:2] for seed in seeds} == {(5, 3)}
    first = {
        int(generator(seed).integers(2**62)) for seed in seeds
    }  # NumPy takes (5, 3) and (5, 3, 0) as one
    assert len(first) == len(seeds) == 3  # of the photos, of mixing, of the unlabelled photos


def test_seed_and_epoch_decide_everything_and_threads_nothing() -> None:
    def views(epoch: int, **options: Any) -> torch.Tensor:
        given = unlabeled(weak="light", strong="randaugment")
        return torch.cat([batch.shown for batch in feed(given, **options).epoch(epoch)])

    first = views(1)
    assert torch.equal(first, views(1, workers=3))
    assert not torch.equal(first, views(2))
    assert not torch.equal(first, views(1, seed=1))


def test_the_strong_view_begins_from_the_photo_and_is_varied_further_than_the_weak_one() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    rows = np.arange(40)
    same = TwoViews(choices("none"), choices("coarse-dropout:p=1"))
    views = same(pixels, same.draw(rows, np.random.default_rng(1)))
    assert views.shape == (40, 2, 16, 16, 3)
    assert np.array_equal(views[:, 0], pixels)
    hidden = views[:, 1] != pixels
    assert hidden.any((1, 2, 3)).all()
    assert hidden.mean() < 0.5
    light = TwoViews(choices("light"), [])
    views = light(pixels, light.draw(rows, np.random.default_rng(1)))
    assert (views[:, 0] != views[:, 1]).any((1, 2, 3)).all()  # each view draws for itself


def test_an_epoch_that_is_left_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    batches = feed(unlabeled(), workers=2).epoch(1)
    assert isinstance(batches, Generator)
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


def test_an_epoch_with_fewer_places_than_photos_draws_others_in_the_next() -> None:
    few = feed(replace(unlabeled(), ratio=1), sampler="shuffle:length=8")
    drawn = [{one for batch in few.epoch(number) for one in shown(batch, 0)} for number in (1, 2)]
    assert [len(each) for each in drawn] == [8, 8]
    assert drawn[0] != drawn[1]
