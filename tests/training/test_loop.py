from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.target import Target
from maskkit.options.techniques import Stepping
from maskkit.options.train_options import TrainOptions
from maskkit.processes.team import ALONE
from maskkit.training.average import averaging
from maskkit.training.criterion import Consistency, Criterion, annealing_of
from maskkit.training.feed import Batch, Whole
from maskkit.training.first_steps import LOOK_AT, FirstSteps
from maskkit.training.loop import Learner, train_epoch
from maskkit.training.optimizers import build_optimizer
from maskkit.training.schedule import Schedule

CPU = torch.device("cpu")


class Tiny(nn.Module):
    """A network without batch norm, so that photos do not see one another."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.classifier = nn.Sequential(nn.Linear(12, 16), nn.Tanh()), nn.Linear(16, 18)

    def get_classifier(self) -> nn.Module:
        return self.classifier

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.body(images))
        return logits


def learner(**options: Any) -> Learner:
    chosen = TrainOptions(**{"epochs": 3, "schedule": "constant:warmup=0", "average": "none", **options})
    model, how = Tiny(), chosen.one("optimizer")
    optimizer = build_optimizer(model, how, chosen.learning_rate)
    schedule = Schedule(optimizer, chosen.one("schedule"), steps_per_epoch=2, epochs=3)
    consistency, weighing = chosen.one("consistency"), chosen.one("class_weights")
    criterion = Criterion(np.arange(1, 19), HOME, chosen.chosen("loss"), weighing, CPU)
    return Learner(
        model=model,
        network=model,
        heads=None,
        criterion=annealing_of(consistency, criterion, lambda: schedule.progress),
        consistency=Consistency(consistency),
        optimizer=optimizer,
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        schedule=schedule,
        average=averaging(model, chosen.one("average")),
        precision="float32",
        clip=how.part(Stepping).clip,
        accumulate=how.part(Stepping).accumulate,
        first_steps=FirstSteps(model, look_at=LOOK_AT),
    )


def batches(count: int = 2, size: int = 64) -> Iterator[Batch]:
    torch.manual_seed(7)
    for _ in range(count):
        label = torch.randint(18, (size,))
        target = Target.of_labels(label, torch.full((size, 1), torch.nan), classes=18)
        images, weight = torch.randn(size, 12), torch.rand(size) + 0.5
        yield Batch(images, target, weight, Whole(weight.sum()))


def weights(given: Learner) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in given.model.parameters()])


@pytest.mark.parametrize("loss", ["ce:smoothing=0.1", "focal", "ldam"])
def test_four_parts_of_sixteen_teach_what_a_batch_of_64_does(loss: str) -> None:
    whole, parts = learner(loss=loss), learner(loss=loss, optimizer="adamw:accumulate=4")
    losses = [train_epoch(one, batches(), progress=0) for one in (whole, parts)]
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-5, atol=1e-6)
    assert losses[0]["joint"] == pytest.approx(losses[1]["joint"], rel=1e-5)
    assert not torch.allclose(weights(whole), weights(learner()))


def test_a_step_is_that_of_the_weighted_mean() -> None:
    given = learner(optimizer="sgd:momentum=0,nesterov=false,clip=0,head=1,weight_decay=0", learning_rate=0.1)
    model = Tiny()
    batch = next(batches(1))
    losses = nn.functional.cross_entropy(
        model(batch.images), batch.target.hard, label_smoothing=0.1, reduction="none"
    )
    ((losses * batch.weight).sum() / batch.weight.sum()).backward()  # type: ignore[no-untyped-call]
    expected = torch.cat(
        [(item - 0.1 * item.grad).detach().flatten() for item in model.parameters() if item.grad is not None]
    )
    train_epoch(given, [batch], progress=0)
    torch.testing.assert_close(weights(given), expected)


def test_tells_the_weighted_mean_of_the_losses_before_each_step() -> None:
    still = learner(learning_rate=0.0)
    told = train_epoch(still, batches(3), progress=0)
    losses, shares = [], []
    for batch in batches(3):
        logits = still.model(batch.images)
        losses.append(
            nn.functional.cross_entropy(logits, batch.target.hard, label_smoothing=0.1, reduction="none")
        )
        shares.append(batch.weight)
    loss, share = torch.cat(losses), torch.cat(shares)
    assert told == {"joint": pytest.approx(float(((loss * share).sum() / share.sum()).detach()), rel=1e-5)}


def test_the_gradient_is_clipped_to_its_norm() -> None:
    change = {}
    for clip in (0.01, 0):
        given = learner(
            optimizer=f"sgd:momentum=0,nesterov=false,clip={clip},head=1,weight_decay=0", learning_rate=1.0
        )
        before = weights(given)
        train_epoch(given, batches(1), progress=0)
        change[clip] = float((weights(given) - before).norm())
    assert change[0.01] == pytest.approx(0.01, rel=1e-3)
    assert change[0] > 0.05


def test_the_gradient_is_clipped_as_it_is_and_not_as_it_was_scaled_for_float16() -> None:
    plain = "sgd:momentum=0,nesterov=false,clip=0.01,head=1,weight_decay=0"
    scaled = replace(learner(optimizer=plain, learning_rate=1.0), scaler=torch.amp.GradScaler("cpu"))
    before = weights(scaled)
    train_epoch(scaled, batches(1), progress=0)
    assert scaled.scaler.get_scale() > 1000
    assert float((weights(scaled) - before).norm()) == pytest.approx(0.01, rel=1e-3)


def test_stops_where_the_loss_is_no_longer_finite_and_says_between_which_steps() -> None:
    given = learner()
    many = list(batches(45))
    many[30] = replace(many[30], images=many[30].images * torch.nan)
    with pytest.raises(MaskkitError, match=r"loss of joint .* between steps 21 and 40") as caught:
        train_epoch(given, many, progress=0)
    assert "lr-find" in caught.value.fix


def with_views(batch: Batch, times: int = 2) -> Batch:
    weak = torch.randn(len(batch.weight) * times, 12)
    whole = replace(batch.whole, views=len(weak))
    return replace(batch, whole=whole, views=(weak, weak + 0.5 * torch.randn_like(weak)))


PLAIN = "sgd:momentum=0,nesterov=false,clip=0,head=1,weight_decay=0"
LEARNT = ["uda:weight=3,threshold=0.07,temperature=0.5", "fixmatch:weight=3,threshold=0.08"]


@pytest.mark.parametrize("consistency", LEARNT)
def test_a_step_is_that_of_the_labelled_loss_and_of_the_weighted_consistency(consistency: str) -> None:
    given = learner(
        optimizer=PLAIN, learning_rate=0.1, loss="ce", unlabeled="more.parquet", consistency=consistency
    )
    model = Tiny()
    batch = with_views(next(batches(1)))
    assert batch.views is not None
    losses = nn.functional.cross_entropy(model(batch.images), batch.target.hard, reduction="none")
    weak, strong = (model(view) for view in batch.views)
    weak = weak.detach()
    if consistency.startswith("uda"):
        target = (weak / 0.5).softmax(1)
        apart = (target * (target.log() - strong.log_softmax(1))).sum(1)
        sure = weak.softmax(1).amax(1) > 0.07
    else:
        apart = nn.functional.cross_entropy(strong, weak.argmax(1), reduction="none")
        sure = weak.softmax(1).amax(1) >= 0.08
    assert 0 < sure.sum() < len(sure)
    supervised = (losses * batch.weight).sum() / batch.weight.sum()
    unsupervised = (apart * sure).sum() / len(sure)
    (supervised + 3 * unsupervised).backward()
    expected = torch.cat(
        [(item - 0.1 * item.grad).detach().flatten() for item in model.parameters() if item.grad is not None]
    )
    told = train_epoch(given, [batch], progress=0)
    torch.testing.assert_close(weights(given), expected)
    assert told["joint"] == pytest.approx(float(supervised.detach()), rel=1e-5)
    assert told["consistency"] == pytest.approx(3 * float(unsupervised.detach()), rel=1e-5)
    assert given.consistency.take_share(ALONE) == pytest.approx(float(sure.float().mean()))


@pytest.mark.parametrize("consistency", LEARNT)
def test_parts_of_a_batch_with_views_teach_what_it_does_at_once(consistency: str) -> None:
    options = {"unlabeled": "more.parquet", "consistency": consistency}
    whole = learner(**options)
    parts = learner(optimizer="adamw:accumulate=5", **options)
    given = [with_views(batch) for batch in batches()]
    losses = [train_epoch(one, given, progress=0) for one in (whole, parts)]
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-5, atol=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert whole.consistency.take_share(ALONE) == parts.consistency.take_share(ALONE)


def test_annealing_follows_the_steps_of_the_whole_training() -> None:
    given = learner(unlabeled="more.parquet", consistency="uda:annealing=linear,weight=0", learning_rate=0.0)
    for batch in batches(6):  # of 3 epochs with 2 steps each
        share = given.schedule.progress
        known = given.model(batch.images).softmax(1)[torch.arange(64), batch.target.hard]
        stays = known <= share * 17 / 18 + 1 / 18
        told = train_epoch(given, [with_views(batch)], progress=0)["joint"]
        logits = given.model(batch.images)
        losses = nn.functional.cross_entropy(logits, batch.target.hard, label_smoothing=0.1, reduction="none")
        expected = (losses * batch.weight)[stays].sum() / batch.weight[stays].sum()
        assert told == pytest.approx(float(expected.detach()), rel=1e-5)
    assert given.schedule.progress == 1
