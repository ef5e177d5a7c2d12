from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.labels import HOME
from maskkit.modeling.heads import Heads
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.losses import LOSSES
from maskkit.modeling.losses.class_weights import class_weights
from maskkit.modeling.target import Target
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import HEADS
from maskkit.options.train_options import TrainOptions
from maskkit.training.criterion import Criterion, factor_counts

CPU = torch.device("cpu")
COUNTS = np.arange(1, 19) ** 2
ONE = torch.ones(6)


def criterion(counts: NDArray[np.int64] = COUNTS, **options: Any) -> Criterion:
    given = TrainOptions(**options)
    return Criterion(counts, HOME, given.chosen("loss"), given.one("class_weights"), CPU)


def batch(seed: int = 0) -> tuple[Tensor, Target]:
    torch.manual_seed(seed)
    labels = torch.tensor([0, 4, 9, 11, 14, 17])
    ages = torch.tensor([20.0, 44, 21, 60, 70, torch.nan])[:, None]
    return torch.randn(6, 18), Target.of_labels(labels, ages, classes=18)


def heads(text: str, features: int = 8) -> Heads:
    torch.manual_seed(0)
    ages = Numbers.of(torch.tensor([[18.0], [40], [70]]), HOME)
    return Heads(features, parse_sum(text, HEADS, option="--head"), HOME, numbers=ages)


def test_by_default_is_cross_entropy_with_smoothing() -> None:
    logits, target = batch()
    losses = criterion()(None, logits, target, ONE, progress=0)
    assert list(losses) == ["joint"]
    expected = F.cross_entropy(logits, target.hard, label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(losses["joint"], expected)


def test_a_sum_adds_each_loss_in_its_weight() -> None:
    logits, target = batch()
    both = criterion(loss="focal:gamma=3,weight=2+poly:weight=0.5")(None, logits, target, ONE, progress=0)
    focal = LOSSES["focal"](logits, target.hard, gamma=3.0)
    poly = LOSSES["poly"](logits, target.hard)
    torch.testing.assert_close(both["joint"], 2 * focal + 0.5 * poly)


def test_smoothing_belongs_to_the_loss_that_has_it() -> None:
    logits, target = batch()
    losses = criterion(loss="ce:smoothing=0.3+f1")(None, logits, target, ONE, progress=0)
    ce = F.cross_entropy(logits, target.hard, label_smoothing=0.3, reduction="none")
    torch.testing.assert_close(losses["joint"], ce + LOSSES["f1"](logits, target.hard))


def test_a_photo_weighs_in_the_loss_of_a_batch_as_it_does_in_the_mean() -> None:
    logits, target = batch()
    weight = torch.tensor([1.0, 1, 1, 1, 0, 0])
    losses = criterion(loss="f1")(None, logits, target, weight, progress=0)
    alone = LOSSES["f1"](logits[:4], target.hard[:4])
    torch.testing.assert_close(losses["joint"][:4], alone)


@pytest.mark.parametrize("name", ["ldam", "logit-adjusted", "balanced-softmax"])
def test_losses_that_count_know_the_counts_of_training(name: str) -> None:
    logits, target = batch()
    losses = criterion(loss=name)(None, logits, target, ONE, progress=0)
    expected = LOSSES[name](logits, target.hard, counts=torch.from_numpy(COUNTS))
    torch.testing.assert_close(losses["joint"], expected)
    even = criterion(np.full(18, 7), loss=name)(None, logits, target, ONE, progress=0)
    assert not torch.allclose(losses["joint"], even["joint"])


def test_each_factor_is_weighed_and_counted_by_its_own_levels() -> None:
    assert factor_counts(COUNTS, HOME, 1).tolist() == [
        int(COUNTS.reshape(3, 2, 3)[:, level].sum()) for level in (0, 1)
    ]
    head = heads("factors:dropout=0").train()
    features, target = torch.randn(6, 8), batch()[1]
    outputs = head(features)
    losses = criterion(class_weights="inverse", loss="ce")(head, outputs, target, ONE, progress=0)
    logits = outputs["factors"][0].split(HOME.shape, dim=1)
    expected = torch.zeros(6)
    for index, part in enumerate(logits):
        counts = torch.from_numpy(factor_counts(COUNTS, HOME, index))
        weight = class_weights(counts, scheme="inverse")
        truth = target.of_factor(HOME, index).argmax(1)
        expected += F.cross_entropy(part, truth, weight=weight, reduction="none")
    torch.testing.assert_close(losses["factors"], expected)


def test_classes_are_weighed_once_their_share_of_the_epochs_is_done() -> None:
    logits, target = batch()
    late = criterion(class_weights="inverse:start=0.8", loss="ce")
    plain = F.cross_entropy(logits, target.hard, reduction="none")
    weights = class_weights(torch.from_numpy(COUNTS), scheme="inverse")
    torch.testing.assert_close(late(None, logits, target, ONE, progress=0.79)["joint"], plain)
    torch.testing.assert_close(
        late(None, logits, target, ONE, progress=0.8)["joint"], plain * weights[target.hard]
    )


def test_the_margin_of_a_rare_class_is_in_units_of_the_cosines() -> None:
    head = heads("cosine:scale=30").train()
    features, target = torch.randn(6, 8), batch()[1]
    outputs = head(features)
    losses = criterion(loss="ldam:margin=0.5")(head, outputs, target, ONE, progress=0)
    margins = 0.5 * (COUNTS.min() / COUNTS) ** 0.25
    shifted = outputs["cosine"][0].clone()
    rows = torch.arange(6)
    shifted[rows, target.hard] -= torch.from_numpy(margins).float()[target.hard]
    torch.testing.assert_close(losses["cosine"], F.cross_entropy(30 * shifted, target.hard, reduction="none"))


def test_each_part_of_a_head_is_told_by_its_name_and_in_its_weight() -> None:
    head = heads("joint:dropout=0,hidden=4+regression:weight=0.25").train()
    outputs, target = head(torch.randn(6, 8)), batch()[1]
    losses = criterion()(head, outputs, target, ONE, progress=0)
    assert list(losses) == ["joint", "regression"]
    assert losses["regression"][5] == 0  # nobody knows that age
    heavier = heads("joint:dropout=0,hidden=4+regression:weight=0.5").train()
    twice = criterion()(heavier, outputs, target, ONE, progress=0)
    torch.testing.assert_close(twice["regression"], 2 * losses["regression"])


MAIN = [
    "joint:hidden=16,samples=3,dropout=0.1", "factors:dropout=0", "cosine", "arcface",
    "joint:hidden=8+factors",
    "joint:hidden=8+regression", "factors+coral:step=5", "factors+corn:step=5",
]  # fmt: skip


@pytest.mark.parametrize("head", MAIN)
@pytest.mark.parametrize("loss", ["ce:smoothing=0.1", "focal", "ldam", "logit-adjusted", "poly", "ce+f1"])
def test_one_batch_is_memorised_under_every_loss_and_head(loss: str, head: str) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), heads(head, features=32))
    inner = model[-1]
    assert isinstance(inner, Heads)
    images, label = torch.randn(18, 32), torch.randperm(18)
    target = Target.of_labels(label, (18 + 3.0 * label)[:, None], classes=18)
    learn = criterion(np.full(18, 3), loss=loss)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        outputs: Mapping[str, Tensor] = model.train()(images)
        losses = learn(inner, outputs, target, torch.ones(18), progress=0)
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum(0).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.inference_mode():
        assert model.eval()(images).argmax(1).tolist() == label.tolist()
