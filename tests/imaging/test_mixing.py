from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest
from torch import Tensor

from maskkit.imaging.mixing import MIXES, Cutmix, Half, Mask, Mix, Mixup, mixing
from maskkit.options.choices import parse
from maskkit.options.techniques import MIXES as TABLE

MIXING = [name for name in MIXES if name != "none"]
ALWAYS = [Mixup(p=1), Cutmix(p=1), Half(p=1), Half(p=1, aligned=False)]


def numbered(count: int, *, height: int = 20, width: int = 25) -> Tensor:
    """Return photos whose every pixel is 100 times the photo's number, plus its column / 100."""
    number = torch.arange(count, dtype=torch.float32)[:, None, None, None]
    column = torch.arange(width, dtype=torch.float32) / 100
    return (100 * number + column).expand(count, 3, height, width).clone()


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def owner(images: Tensor) -> Tensor:
    """Return whose pixel each is, (N, H, W)."""
    return torch.div(images[:, 0] + 1, 100, rounding_mode="floor").long()


def own(count: int) -> Tensor:
    return torch.arange(count)


@dataclass(frozen=True)
class Whole:
    """A mixed batch."""

    images: Tensor  # (N, 3, H, W)
    partner: Tensor  # place in the batch, (N,)
    share: Tensor  # (N,)


def whole(mix: Mix, images: Tensor, generator: np.random.Generator, candidates: Mask | None = None) -> Whole:
    """Mix a whole batch."""
    drawn = mix.draw(len(images), generator, candidates)
    partner = torch.from_numpy(drawn["partner"].copy())
    mixed = mix(images, images[partner], drawn)
    return Whole(mixed.images, partner, mixed.share)


def soft(mixed: Whole, target: Tensor) -> Tensor:
    """Mix targets as training does, (N, C)."""
    share = mixed.share[:, None]
    return share * target + (1 - share) * target[mixed.partner]


def test_there_is_a_way_for_every_name_that_can_be_chosen_and_it_takes_every_setting() -> None:
    assert list(MIXES) == list(TABLE)
    assert mixing(parse("none", TABLE, option="--mix")) is None
    for name in MIXING:
        assert mixing(parse(name, TABLE, option="--mix")) == MIXES[name]()  # the same defaults
    half = mixing(parse("half:aligned=no,partner=age=60plus,p=1", TABLE, option="--mix"))
    assert half == Half(p=1, aligned=False)  # the partner is looked up for each batch


@pytest.mark.parametrize("mix", ALWAYS)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keeps_type_and_memory_format_and_leaves_the_given_batch_alone(
    mix: Mix, memory_format: Any, dtype: torch.dtype
) -> None:
    given = torch.randn(12, 3, 20, 25).to(dtype).contiguous(memory_format=memory_format)
    before = given.clone()
    mixed = whole(mix, given, random())
    assert torch.equal(given, before)
    assert mixed.images.dtype == dtype
    assert mixed.images.shape == given.shape
    assert mixed.images.stride() == given.stride()
    assert mixed.partner.dtype == torch.int64
    assert mixed.share.dtype == torch.float32


@pytest.mark.parametrize("mix", ALWAYS)
def test_the_generator_alone_decides(mix: Mix) -> None:
    torch.manual_seed(1)
    first = whole(mix, numbered(16), random(3))
    torch.manual_seed(2)
    again, other = whole(mix, numbered(16), random(3)), whole(mix, numbered(16), random(4))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.partner, again.partner)
    assert torch.equal(first.share, again.share)
    assert not torch.equal(first.images, other.images)


@pytest.mark.parametrize("mix", ALWAYS)
def test_a_part_of_a_batch_is_mixed_as_within_the_whole(mix: Mix) -> None:
    given = numbered(16)
    drawn = mix.draw(16, random(3))
    part = slice(5, 12)
    mixed = mix(given[part], given[torch.from_numpy(drawn["partner"][part].copy())], drawn[part])
    assert torch.equal(mixed.images, whole(mix, given, random(3)).images[part])
    assert torch.equal(mixed.share, whole(mix, given, random(3)).share[part])


@pytest.mark.parametrize("mix", ALWAYS)
def test_mixed_targets_sum_to_one(mix: Mix) -> None:
    target = torch.softmax(torch.randn(64, 18), dim=1)
    mixed = soft(whole(mix, numbered(64), random()), target)
    assert (mixed >= 0).all()
    assert torch.allclose(mixed.sum(1), torch.ones(64))


@pytest.mark.parametrize("mix", ALWAYS)
def test_the_share_is_how_much_of_the_pixels_is_the_photos_own(mix: Mix) -> None:
    levels = torch.arange(64, dtype=torch.float32)[:, None, None, None].expand(64, 3, 20, 25).clone()
    mixed = whole(mix, levels, random())
    expected = mixed.share * torch.arange(64) + (1 - mixed.share) * mixed.partner
    assert torch.allclose(mixed.images.mean((1, 2, 3)), expected, atol=1e-4)


@pytest.mark.parametrize("mix", ALWAYS)
def test_each_other_photo_is_a_partner_as_often_and_never_oneself(mix: Mix) -> None:
    times = np.zeros((8, 8), int)
    for seed in range(700):
        partner = whole(mix, numbered(8, height=2, width=8), random(seed)).partner.numpy()
        np.add.at(times, (np.arange(8), partner), 1)
    others = times[~np.eye(8, dtype=bool)]
    assert others.sum() > 0.8 * 5600  # a share of 1 can be drawn
    assert np.abs(others - 100).max() < 50  # five standard deviations
    if not isinstance(mix, Cutmix):
        assert np.diag(times).tolist() == [0] * 8


@pytest.mark.parametrize("mix", ALWAYS)
def test_partners_are_candidates_only(mix: Mix) -> None:
    candidates = np.zeros(40, bool)
    candidates[[3, 17, 20]] = True
    seen = set()
    for seed in range(30):
        mixed = whole(mix, numbered(40), random(seed), candidates)
        is_mixed = mixed.partner != own(40)
        assert is_mixed.all()  # a candidate is given one of the two others
        seen |= set(mixed.partner.tolist())
    assert seen == {3, 17, 20}


@pytest.mark.parametrize("mix", ALWAYS)
def test_a_photo_is_not_mixed_where_nobody_else_may_be_its_partner(mix: Mix) -> None:
    given = numbered(10)
    nobody = whole(mix, given, random(), np.zeros(10, bool))
    assert torch.equal(nobody.images, given)
    assert torch.equal(nobody.partner, own(10))
    assert torch.equal(nobody.share, torch.ones(10))
    one = np.arange(10) == 4
    mixed = whole(mix, given, random(), one)
    assert mixed.share[4] == 1
    assert torch.equal(mixed.images[4], given[4])
    assert (mixed.partner == 4).all()
    alone = whole(mix, given[:1], random())
    assert torch.equal(alone.images, given[:1])
    assert alone.share.tolist() == [1]


@pytest.mark.parametrize("name", MIXING)
def test_photos_are_mixed_with_the_chance_given_and_the_others_stay_exactly_as_they_are(name: str) -> None:
    mix = MIXES[name](p=0.3)
    assert mix is not None
    given = torch.randn(2000, 3, 4, 8)
    mixed = whole(mix, given, random())
    is_mixed = mixed.partner != own(2000)
    assert abs(float(is_mixed.float().mean()) - 0.3) < 0.045  # four standard deviations
    assert torch.equal(mixed.images[~is_mixed], given[~is_mixed])
    assert (mixed.share[~is_mixed] == 1).all()


def test_mixup_is_the_weighted_mean() -> None:
    given = torch.randn(32, 3, 6, 5, dtype=torch.float64)
    mixed = whole(Mixup(alpha=1), given, random())
    share = mixed.share.double()[:, None, None, None]
    assert torch.allclose(mixed.images, share * given + (1 - share) * given[mixed.partner])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_draws_its_share_from_beta(alpha: float) -> None:
    share = whole(Mixup(alpha=alpha), torch.zeros(4000, 3, 1, 1), random()).share.double().numpy()
    assert kstest(share, beta(alpha, alpha).cdf).pvalue > 0.01


def test_cutmix_counts_the_pasted_pixels_exactly() -> None:
    mixed = whole(Cutmix(), numbered(300, height=19, width=23), random())
    pasted = owner(mixed.images) != own(300)[:, None, None]
    assert torch.equal(mixed.share, (1 - pasted.sum((1, 2)).double() / (19 * 23)).float())
    assert (owner(mixed.images)[pasted] == mixed.partner[:, None, None].expand_as(pasted)[pasted]).all()
    places = numbered(300, height=19, width=23) % 100
    assert torch.allclose(mixed.images % 100, places, atol=1e-2)  # from the same place of the partner


def test_cutmix_pastes_one_box_that_may_be_cut_off_by_the_edge() -> None:
    mixed = whole(Cutmix(), numbered(300, height=40, width=60), random())
    pasted = owner(mixed.images) != own(300)[:, None, None]
    heights, widths = pasted.any(2).sum(1), pasted.any(1).sum(1)
    assert torch.equal(pasted.sum((1, 2)), heights * widths)
    touches = pasted[:, 0].any(1) | pasted[:, -1].any(1) | pasted[:, :, 0].any(1) | pasted[:, :, -1].any(1)
    assert (heights * 1.5 - widths)[~touches].abs().max() <= 1.5  # the photo's shape, but for rounding
    assert 0.3 < touches.float().mean() < 0.95


def test_cutmix_boxes_are_as_large_as_the_share_drawn_before_the_edges_cut_them() -> None:
    # Of a side s with its middle anywhere in 0 to 1, s - s^2 / 4 is inside on average.
    share = whole(Cutmix(), torch.zeros(4000, 1, 50, 50), random()).share.double().numpy()
    side = np.sqrt(np.random.default_rng(1).random(200_000))
    expected = np.mean((side - side**2 / 4) ** 2)
    assert 1 - share.mean() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("aligned", [True, False])
def test_half_keeps_one_side_and_takes_whole_columns_of_the_partner(aligned: bool) -> None:
    mixed = whole(Half(p=1, aligned=aligned), numbered(400, height=3, width=50), random())
    whose = owner(mixed.images)
    assert (whose == whose[:, :1]).all()
    pasted = whose[:, 0] != own(400)[:, None]  # (N, W)
    assert torch.equal(mixed.share, (1 - pasted.sum(1).double() / 50).float())
    assert (pasted.int().diff().abs().sum(1) == 1).all()
    cut = pasted.int().diff().abs().argmax(1) + 1
    assert set(cut.tolist()) == {23, 24, 25, 26, 27}  # 0.46 to 0.54 of 50
    assert 150 < pasted[:, 0].sum() < 250  # the left as often as the right
    for photo, side, at, partner in zip(mixed.images, pasted, cut.tolist(), mixed.partner, strict=True):
        taken = (photo[0, 0, side] - 100 * partner).mul(100).round().int().tolist()  # the partner's columns
        is_left = bool(side[0])
        same = list(range(at)) if is_left else list(range(at, 50))
        other = list(range(50 - at, 50)) if is_left else list(range(50 - at))
        assert taken == (same if aligned else other)


def test_half_draws_its_cut_evenly_between_the_limits() -> None:
    mixed = whole(Half(p=1, low=0.1, high=0.3), torch.zeros(4000, 3, 1, 1000), random())
    smaller = torch.minimum(mixed.share, 1 - mixed.share).double().numpy()
    assert 0.0999 < smaller.min() < 0.101
    assert 0.299 < smaller.max() < 0.3001
    assert smaller.mean() == pytest.approx(0.2, abs=0.005)
