from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import ByClass, augmentation
from maskkit.imaging.photos import Photos
from maskkit.labels import HOME
from maskkit.options.train_options import TrainOptions
from maskkit.processes.team import Alone
from maskkit.training.feed import Feed, host_of, own_places
from maskkit.training.fold import Fold

CPU = torch.device("cpu")
PEOPLE, ROWS = 20, 140


@pytest.fixture
def fold() -> Fold:
    """20 people with five masked photos, one worn wrongly and one without; the last four are held out."""
    random = np.random.default_rng(0)
    person = np.arange(ROWS) // 7
    mask = np.array([0, 0, 0, 0, 0, 1, 2])[np.arange(ROWS) % 7]
    age = np.array([20, 40, 65])[person % 3]
    label = mask * 6 + person % 2 * 3 + np.digitize(age, [30, 60])
    pixels = random.integers(0, 256, (ROWS, 16, 16, 3), np.uint8)
    photos = Photos.of_pixels(pixels, Preprocess(16, 16, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    return Fold(
        space=HOME, inputs=photos, target=label, numbers=age[:, None].astype(np.float32), people=person,
        weight=np.ones(ROWS, np.float32), label=label, training=np.flatnonzero(person < 16),
        held_out=np.flatnonzero(person >= 16),
    )  # fmt: skip


def feed(fold: Fold, **options: Any) -> Feed:
    chosen = TrainOptions(**{"batch_size": 32, "workers": 0, "augment": "none", **options})
    return Feed(replace(fold, vary=augmentation(chosen.chosen("augment"))), chosen, CPU)


@pytest.mark.parametrize("mix", ["none", "mixup", "cutmix", "half", "half:partner=age=60plus,p=1"])
def test_targets_sum_to_one_and_weights_stay(fold: Fold, mix: str) -> None:
    for batch in feed(fold, mix=mix).epoch(1):
        torch.testing.assert_close(batch.target.classes.sum(1), torch.ones(len(batch.weight)))
        assert batch.images.shape == (len(batch.weight), 3, 16, 16)
        assert bool((batch.weight == 1).all())


def test_a_mixed_photo_has_the_mean_of_the_ages_as_its_number(fold: Fold) -> None:
    batch = next(feed(fold, mix="mixup:alpha=10").epoch(1))
    shares = batch.target.classes.reshape(-1, 6, 3).sum(1)  # of the bands of age
    expected = shares @ torch.tensor([20.0, 40, 65])
    torch.testing.assert_close(batch.target.numbers[:, 0], expected, rtol=1e-4, atol=1e-3)


def test_partners_come_from_the_level_that_is_named(fold: Fold) -> None:
    old = [2, 5, 8, 11, 14, 17]
    for batch in feed(fold, mix="half:partner=age=60plus,p=1").epoch(1):
        mixed = batch.target.classes.max(1).values < 0.999
        assert bool(mixed.any())
        assert bool((batch.target.classes[mixed][:, old].sum(1) > 0.4).all())


@pytest.mark.parametrize("sampler", ["shuffle", "weighted", "balanced", "sqrt"])
def test_no_sampler_shows_a_photo_that_is_held_out(fold: Fold, sampler: str) -> None:
    options = {"sampler": sampler, "oversample": "age=60plus:3", "undersample": "mask=wear:2"}
    shown = feed(fold, **options).rows(1)
    assert not set(shown.tolist()) & set(fold.held_out.tolist())


def test_undersampling_keeps_so_many_of_each_person_and_draws_anew(fold: Fold) -> None:
    given = feed(fold, undersample="mask=wear:2")
    first, second = given.rows(1), given.rows(2)
    assert len(first) == len(second) == given.photos == 16 * 4
    for rows in (first, second):
        worn = rows[fold.target[rows] < 6]
        assert np.bincount(fold.people[worn]).tolist() == [2] * 16
    assert set(first.tolist()) != set(second.tolist())


def test_oversampling_shows_each_photo_of_a_level_so_often(fold: Fold) -> None:
    rows = feed(fold, oversample="age=60plus:3").rows(1)
    times = np.bincount(rows, minlength=ROWS)[fold.training]
    is_old = fold.target[fold.training] % 3 == 2
    assert set(times[is_old].tolist()) == {3}
    assert set(times[~is_old].tolist()) == {1}


def test_the_length_of_an_epoch_can_be_fixed(fold: Fold) -> None:
    given = feed(fold, sampler="balanced:length=72")
    assert (given.photos, given.steps) == (72, 3)
    counts = np.bincount(fold.target[given.rows(3)])
    assert set(counts[counts > 0].tolist()) == {
        72 // int((np.bincount(fold.target[fold.training]) > 0).sum())
    }


def test_seed_and_epoch_decide_everything(fold: Fold) -> None:
    options = {"sampler": "weighted", "mix": "half", "augment": "light"}
    first = [batch.images for batch in feed(fold, **options).epoch(2)]
    again = [batch.images for batch in feed(fold, workers=2, **options).epoch(2)]
    other = [batch.images for batch in feed(fold, seed=1, **options).epoch(2)]
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_a_rare_level_alone_is_varied_otherwise(fold: Fold) -> None:
    plain = feed(fold)
    rare = np.isin(fold.target % 3, 2)
    chosen = TrainOptions(augment_rare="age=60plus:colour:p=1")
    assert chosen.rare is not None
    level, policies = chosen.rare
    vary = ByClass(None, augmentation(policies), fold.has_level(level))
    varied = Feed(replace(fold, vary=vary), plain.options, CPU)
    rows = plain.rows(1)
    before = torch.cat([batch.images for batch in plain.epoch(1)])
    after = torch.cat([batch.images for batch in varied.epoch(1)])
    same = (before == after).flatten(1).all(1).numpy()
    assert same[~rare[rows]].all()
    assert not same[rare[rows]].any()


def test_a_batch_comes_in_parts_that_make_it_up(fold: Fold) -> None:
    batch = next(feed(fold, batch_size=112).epoch(1))
    parts = list(batch.parts(5))
    assert [len(part.weight) for part in parts] == [22, 22, 23, 22, 23]
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    assert torch.equal(torch.cat([part.target.classes for part in parts]), batch.target.classes)
    assert len(list(batch.parts(1000))) == 112


def test_a_level_that_does_not_exist_is_refused(fold: Fold) -> None:
    with pytest.raises(MaskkitError, match="no level 'old'"):
        feed(fold, undersample="age=old:2")


def test_photos_with_probabilities_are_trained_towards_them_and_others_towards_their_class(
    fold: Fold,
) -> None:
    soft = np.full((ROWS, 18), np.nan, np.float32)
    soft[::3] = np.random.default_rng(1).dirichlet(np.ones(18), len(soft[::3]))
    given = feed(replace(fold, soft=soft))
    expected = np.where(np.isnan(soft), np.eye(18, dtype=np.float32)[fold.target], soft)
    shown = torch.cat([batch.target.classes for batch in given.epoch(1)]).numpy()
    assert (shown == expected[given.rows(1)]).all()


class Process(Alone):
    """One of several processes, which hears of no other."""

    def __init__(self, rank: int, hosts: Sequence[int]) -> None:
        self.rank, self.world, self.hosts = rank, len(hosts), hosts


@pytest.mark.parametrize("count", [2, 3, 7, 31, 32])
@pytest.mark.parametrize("hosts", [(0, 0), (0, 1), (0, 0, 1), (0, 1, 2, 2)])
def test_each_photo_of_a_batch_is_one_processs_and_shares_are_even(count: int, hosts: Sequence[int]) -> None:
    rows = np.random.default_rng(count).integers(0, 1000, count)  # also more than once
    shares = [own_places(rows, Process(rank, hosts)) for rank in range(len(hosts))]
    assert np.array_equal(np.sort(np.concatenate(shares)), np.arange(count))
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert all((np.diff(share) > 0).all() for share in shares)


def test_a_host_shows_its_own_photos_and_others_only_where_a_batch_has_too_few_of_them() -> None:
    rows = np.array([0, 2, 4, 6, 8, 1])  # five of host 0
    shares = [own_places(rows, Process(rank, (0, 1))) for rank in (0, 1)]
    assert [rows[share].tolist() for share in shares] == [[0, 2, 4], [6, 8, 1]]
    random = np.random.default_rng(0)
    moved = [
        np.count_nonzero(host_of(rows[own_places(rows, one)], one) != one.host)
        for rows, one in ((random.permutation(4096)[:128], Process(0, (0, 1))) for _ in range(50))
    ]
    assert np.mean(moved) / 64 < 0.08


@pytest.mark.parametrize("hosts", [(0, 0), (0, 1), (0, 1, 1)])
@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup:p=0.5", "half:partner=age=60plus"])
def test_shares_of_all_processes_are_the_batches_of_one(fold: Fold, hosts: Sequence[int], mix: str) -> None:
    options = TrainOptions(batch_size=17, workers=0, augment="light", mix=mix, sampler="balanced")
    varied = replace(fold, vary=augmentation(options.chosen("augment")))
    whole = list(Feed(varied, options, CPU).epoch(2))
    feeds = [Feed(varied, options, CPU, team=Process(rank, hosts)) for rank in range(len(hosts))]
    shares = list(zip(*(feed.epoch(2) for feed in feeds), strict=True))
    places = [[share.own for share in feed._shares(feed.rows(2), 2)] for feed in feeds]
    assert len(whole) == len(shares)
    for number, (batch, parts) in enumerate(zip(whole, shares, strict=True)):
        for process, part in enumerate(parts):
            own = torch.from_numpy(places[process][number])
            assert torch.equal(part.images, batch.images[own])
            assert torch.equal(part.target.classes, batch.target.classes[own])
            assert torch.equal(part.weight, batch.weight[own])
            assert torch.equal(part.whole.weight, batch.whole.weight)


def test_with_mixing_a_process_decodes_its_photos_and_partners_of_others_but_no_more(fold: Fold) -> None:
    options = TrainOptions(batch_size=32, workers=0, augment="none", mix="cutmix")
    feed = Feed(fold, options, CPU, team=Process(0, (0, 0)))
    rows = feed.rows(1)
    for share in feed._shares(rows, 1):
        size = share.part.stop - share.part.start
        assert size // 2 <= len(share.shown) < size
        assert len(set(share.shown.tolist())) == len(share.shown)
