from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskkit.labels import HOME
from maskkit.modeling.heads import Heads, divided, joint_logits
from maskkit.modeling.heads.numbers import Numbers
from maskkit.modeling.losses import CONSISTENCIES
from maskkit.modeling.target import Target
from maskkit.options.choices import parse, parse_sum
from maskkit.options.techniques import CONSISTENCIES as TABLE
from maskkit.options.techniques import HEADS
from maskkit.options.train_options import TrainOptions
from maskkit.processes.team import ALONE
from maskkit.training.criterion import Annealed, Consistency, Criterion, annealing_of
from maskkit.training.feed import Batch, Whole

CPU = torch.device("cpu")


def chosen(text: str) -> Consistency:
    return Consistency(parse(text, TABLE, option="--consistency"))


def batch(photos: int = 6, times: int = 2) -> Batch:
    torch.manual_seed(0)
    label, views = torch.randint(18, (photos,)), torch.randn(2, photos * times, 8)
    target = Target.of_labels(label, torch.full((photos, 1), torch.nan), classes=18)
    images, weight = torch.randn(photos, 8), torch.rand(photos) + 0.5
    return Batch(images, target, weight, Whole(weight.sum(), len(views[0])), (views[0], views[1]))


def criterion(**options: Any) -> Criterion:
    given = TrainOptions(**options)
    return Criterion(np.arange(1, 19), HOME, given.chosen("loss"), given.one("class_weights"), CPU)


@pytest.mark.parametrize(
    "name", ["uda:temperature=0.7,threshold=0.5,weight=3", "fixmatch:threshold=0.5,weight=3"]
)
def test_is_the_weighted_mean_over_all_photos_whether_they_count_or_not(name: str) -> None:
    given, choice = batch(), parse(name, TABLE, option="--consistency")
    logits = 2 * torch.randn(24, 18)
    own = {key: choice.settings[key] for key in ("temperature", "threshold") if key in choice.settings}
    losses, confident = CONSISTENCIES[choice.name](logits[:12], logits[12:], **own)
    consistency = Consistency(choice)
    told = consistency(None, logits, whole=given.whole)
    torch.testing.assert_close(told["consistency"] / given.weight.sum(), 3 * losses.sum() / 12)
    assert 0 < confident.sum() < 12
    assert consistency.take_share(ALONE) == pytest.approx(float(confident.float().mean()))
    assert consistency.take_share(ALONE) is None


def test_without_consistency_nothing_is_added_and_no_share_is_told() -> None:
    nothing = Consistency(parse("none", TABLE, option="--consistency"))
    assert nothing(None, torch.zeros(0, 18), whole=replace(batch().whole, views=0)) == {}
    assert nothing.take_share(ALONE) is None


def heads(text: str) -> Heads:
    torch.manual_seed(0)
    ages = Numbers.of(torch.tensor([[18.0], [40], [70]]), HOME)
    return Heads(8, parse_sum(text, HEADS, option="--head"), HOME, numbers=ages)


@pytest.mark.parametrize(
    "text",
    ["joint:hidden=4,dropout=0", "factors:dropout=0", "cosine", "arcface:centers=2",
     "joint:hidden=4,dropout=0+factors:dropout=0+regression"],
)  # fmt: skip
def test_a_head_says_of_the_classes_in_training_what_it_says_in_evaluation(text: str) -> None:
    head, features = heads(text), torch.randn(5, 8)
    trained, asked = joint_logits(head, head.train()(features)), head.eval()(features)
    torch.testing.assert_close(trained.softmax(1), asked.softmax(1))


def test_several_draws_of_dropout_speak_by_the_mean_of_their_log_probabilities() -> None:
    head, features = heads("joint:hidden=4,samples=3").train(), torch.randn(5, 8)
    outputs = head(features)
    expected = outputs["joint"].log_softmax(2).mean(0)
    torch.testing.assert_close(joint_logits(head, outputs), expected)


def test_outputs_are_divided_between_the_photos_and_their_views() -> None:
    head, features = heads("joint:hidden=4,samples=3+regression").train(), torch.randn(5, 8)
    outputs = head(features)
    first, others = divided(outputs, 2)
    assert {name: (first[name].shape[1], others[name].shape[1]) for name in outputs} == {
        "joint": (2, 3), "regression": (2, 3),
    }  # fmt: skip
    logits = torch.randn(5, 18)
    assert torch.equal(torch.cat([*divided(logits, 2)]), logits)  # type: ignore[list-item]


def test_annealed_is_the_mean_over_the_photos_that_are_not_known_yet() -> None:
    given, logits = batch(photos=40), 3 * torch.randn(40, 18)
    losses = Annealed(criterion(loss="ce"), "linear", lambda: 0.2)(
        None, logits, given.target, given.weight, progress=0
    )["joint"]
    threshold = 0.2 * (1 - 1 / 18) + 1 / 18
    known = logits.softmax(1)[torch.arange(40), given.target.hard]
    stays = known <= threshold
    assert 0 < stays.sum() < 40
    plain = F.cross_entropy(logits, given.target.hard, reduction="none")
    expected = (plain * given.weight)[stays].sum() / given.weight[stays].sum()
    torch.testing.assert_close((losses * given.weight).sum() / given.weight.sum(), expected)
    assert bool((losses[~stays] == 0).all())


@pytest.mark.parametrize("loss", ["ce", "ce+f1", "ldam"])
def test_if_all_photos_are_known_the_loss_and_its_gradient_are_zero(loss: str) -> None:
    given = batch()
    logits = (30 * given.target.classes).requires_grad_()
    losses = Annealed(criterion(loss=loss), "exp", lambda: 0.0)(
        None, logits, given.target, given.weight, progress=0
    )["joint"]
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert losses.tolist() == [0] * 6
    assert logits.grad is not None
    assert bool((logits.grad == 0).all())


def test_annealing_applies_to_every_part_of_a_head() -> None:
    head, given = heads("factors:dropout=0+regression").train(), batch()
    outputs = head(given.images)
    plain = criterion()(head, outputs, given.target, given.weight, progress=0)
    losses = Annealed(criterion(), "linear", lambda: 1.0)(
        head, outputs, given.target, given.weight, progress=0
    )  # at the end all photos stay
    assert list(losses) == list(plain)
    for name in plain:
        torch.testing.assert_close(losses[name], plain[name])


def test_only_what_was_chosen_anneals() -> None:
    learn = criterion()
    for text in ("none", "fixmatch", "uda"):
        assert annealing_of(parse(text, TABLE, option="--consistency"), learn, lambda: 0.0) is learn
    made = annealing_of(parse("uda:annealing=log", TABLE, option="--consistency"), learn, lambda: 0.5)
    assert isinstance(made, Annealed)
    assert (made.schedule, made.progress()) == ("log", 0.5)


@pytest.mark.parametrize("name", ["uda:threshold=0.05", "fixmatch:threshold=0.05"])
def test_a_step_of_gradient_brings_the_views_together(name: str) -> None:
    given, consistency = batch(), chosen(name)
    model = nn.Linear(8, 18)

    def loss() -> Tensor:
        return consistency(None, model(torch.cat(given.views or ())), whole=given.whole)["consistency"]

    before = loss()
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.sub_(0.01 * parameter.grad)
    assert float(loss().detach()) < float(before.detach())
