"""What a batch is trained towards, and what is left of it after mixing."""

import pytest
import torch

from maskkit.labels import HOME
from maskkit.modeling.target import Target

NAN = float("nan")


@pytest.fixture
def target() -> Target:
    labels = torch.tensor([0, 10, 17])  # wear/male/under30, incorrect/female/30to59, none/female/60plus
    return Target.of_labels(labels, torch.tensor([[20.0], [45.0], [NAN]]), classes=18)


def test_labels_become_probabilities_of_one_class(target: Target) -> None:
    assert target.classes.sum(1).tolist() == [1, 1, 1]
    assert target.hard.tolist() == [0, 10, 17]
    assert target.classes.dtype == torch.float32


def test_gives_the_levels_of_each_factor(target: Target) -> None:
    levels = [target.of_factor(HOME, index).argmax(1).tolist() for index in range(3)]
    assert levels == [[0, 1, 2], [0, 1, 1], [0, 1, 2]]


def test_marginals_of_soft_targets_equal_those_summed_class_by_class() -> None:
    classes = torch.rand(4, 18).softmax(1)
    soft = Target(classes, torch.zeros(4, 1))
    for index, levels in enumerate(HOME.shape):
        expected = torch.zeros(4, levels)
        for number in range(18):
            level = HOME.factors[index].levels.index(HOME.levels_of(number)[index])
            expected[:, level] += classes[:, number]
        torch.testing.assert_close(soft.of_factor(HOME, index), expected)


def test_mixing_keeps_the_share_and_gives_the_rest_to_the_partner(target: Target) -> None:
    mixed = target.mixed(torch.tensor([1, 0, 2]), torch.tensor([0.75, 0.5, 0.5]))
    assert mixed.classes[0, [0, 10]].tolist() == [0.75, 0.25]
    assert mixed.classes[1, [0, 10]].tolist() == [0.5, 0.5]
    assert mixed.numbers[:2, 0].tolist() == [26.25, 32.5]
    torch.testing.assert_close(mixed.classes.sum(1), torch.ones(3))


def test_a_number_is_unknown_only_if_an_unknown_one_has_a_share_in_it(target: Target) -> None:
    mixed = target.mixed(torch.tensor([2, 2, 1]), torch.tensor([1.0, 0.9, 0.0]))
    assert mixed.numbers[:, 0].isnan().tolist() == [False, True, False]
    assert mixed.numbers[[0, 2], 0].tolist() == [20, 45]
    assert mixed.hard.tolist() == [0, 10, 10]


def test_a_part_of_the_batch_keeps_classes_and_numbers_together(target: Target) -> None:
    part = target[1:]
    assert len(part) == 2
    assert part.hard.tolist() == [10, 17]
    assert part.numbers[0, 0] == 45


def test_probabilities_take_the_place_of_a_class_where_there_are_any(target: Target) -> None:
    probs = torch.full((3, 18), NAN)
    probs[1] = torch.arange(18) / 153
    soft = target.softened(probs)
    assert torch.equal(soft.classes[1], probs[1])
    assert torch.equal(soft.classes[[0, 2]], target.classes[[0, 2]])
    assert torch.equal(soft.numbers, target.numbers) or bool(soft.numbers[2].isnan().all())
