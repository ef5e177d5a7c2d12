"""Classes as directions, and the angular margin of ArcFace."""

from math import acos, cos, pi, sin

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maskkit.labels import HOME
from maskkit.modeling.heads.cosine import Cosine, with_margin
from maskkit.modeling.target import Target


def classify(logits: Tensor, target: Tensor, factor: int | None, scale: float) -> Tensor:
    assert factor is None
    assert scale == 16
    return F.cross_entropy(logits, target, reduction="none")


def at(angle: float, *, margin: float) -> float:
    """The target's cosine, at an angle, after the margin."""
    cosines = torch.tensor([[cos(angle), 0.1]], dtype=torch.float64)
    moved = with_margin(cosines, torch.tensor([0]), margin=margin)
    assert moved[0, 1] == 0.1
    return float(moved[0, 0])


def test_logits_are_scaled_cosines_whatever_the_lengths() -> None:
    head = Cosine(2, HOME, scale=16).eval()
    with torch.no_grad():
        head.directions.copy_(torch.tensor([[3.0, 0.0]]).repeat(18, 1))
        head.directions[1] = torch.tensor([0.0, 0.5])
        head.directions[2] = torch.tensor([-7.0, 0.0])
    logits = head.joint(head(torch.tensor([[1.0, 1.0], [10.0, 0.0]]))[0])
    assert logits[0, :3].tolist() == pytest.approx([16 / 2**0.5, 16 / 2**0.5, -16 / 2**0.5])
    assert logits[1, :3].tolist() == pytest.approx([16, 0, -16], abs=1e-5)


@pytest.mark.parametrize("angle", [0.3, 1.0, 2.0, pi - 0.51])
def test_the_margin_is_added_to_the_angle_in_radians(angle: float) -> None:
    assert at(angle, margin=0.5) == pytest.approx(cos(angle + 0.5), abs=1e-9)


def test_a_margin_worked_by_hand() -> None:
    # cos 60 degrees = 0.5 becomes cos 90 degrees = 0.
    assert at(pi / 3, margin=pi / 6) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("angle", [pi - 0.49, pi - 0.2, pi])
def test_past_pi_the_cosine_is_lowered_instead(angle: float) -> None:
    assert at(angle, margin=0.5) == pytest.approx(cos(angle) - 0.5 * sin(pi - 0.5))


def test_a_larger_angle_is_never_better() -> None:
    angles = torch.linspace(0, pi, 1001, dtype=torch.float64)
    moved = with_margin(angles.cos()[:, None], torch.zeros(1001, dtype=torch.int64), margin=0.5)[:, 0]
    assert bool((moved.diff() < 0).all())
    assert bool((moved <= angles.cos()).all())


def test_the_loss_equals_equation_3() -> None:
    torch.manual_seed(0)
    head, features, labels = Cosine(4, HOME, scale=16, margin=0.3), torch.randn(6, 4), torch.arange(6)
    target = Target.of_labels(labels, torch.zeros(6, 1), classes=18)
    losses = head.losses(head(features), target, classify)
    for row, label in enumerate(labels.tolist()):
        x, weights = features[row].double(), head.directions.detach().double()
        angles = [acos(float(x @ w / x.norm() / w.norm())) for w in weights]
        assert angles[label] + 0.3 < pi
        own = torch.tensor(16 * cos(angles[label] + 0.3), dtype=torch.float64).exp()
        others = (
            torch.tensor([16 * cos(a) for i, a in enumerate(angles) if i != label], dtype=torch.float64)
            .exp()
            .sum()
        )
        assert float(losses[row].detach()) == pytest.approx(float(-(own / (own + others)).log()), rel=1e-4)


def test_the_margin_is_for_training_alone() -> None:
    torch.manual_seed(0)
    with_one = Cosine(4, HOME, scale=16, margin=0.5)
    without = Cosine(4, HOME, scale=16)
    without.load_state_dict(with_one.state_dict())
    features = torch.randn(5, 4)
    assert torch.equal(with_one.joint(with_one(features)[0]), without.joint(without(features)[0]))
    target = Target.of_labels(torch.arange(5), torch.zeros(5, 1), classes=18)
    harder, easier = (head.losses(head(features), target, classify) for head in (with_one, without))
    assert bool((harder > easier).all())


def test_smoothing_happens_on_the_logits_with_the_margin() -> None:
    head = Cosine(4, HOME, scale=16, margin=0.3)
    cosines = head(torch.randn(3, 4))
    target = Target.of_labels(torch.tensor([1, 2, 3]), torch.zeros(3, 1), classes=18)
    smooth = lambda logits, given, _, __: F.cross_entropy(logits, 0.9 * given + 0.1 / 18, reduction="none")  # noqa: E731
    expected = F.cross_entropy(
        16 * with_margin(cosines[0], target.hard, margin=0.3),
        target.hard,
        label_smoothing=0.1,
        reduction="none",
    )
    torch.testing.assert_close(head.losses(cosines, target, smooth), expected)


def test_the_nearest_of_a_classs_centres_counts() -> None:
    torch.manual_seed(0)
    head = Cosine(4, HOME, centers=3)
    features = torch.randn(5, 4)
    cosines = head(features)[0]
    for number in range(18):
        own = head.directions[3 * number : 3 * number + 3]
        expected = F.cosine_similarity(features[:, None], own[None], dim=2).amax(1)
        torch.testing.assert_close(cosines[:, number], expected)


@pytest.mark.parametrize("factor", [1.0, -1.0, 0.0])
def test_gradients_are_finite_at_the_extremes(factor: float) -> None:
    head = Cosine(4, HOME, scale=16, margin=0.5)
    features = (factor * head.directions[:2].detach()).requires_grad_()
    target = Target.of_labels(torch.tensor([0, 1]), torch.zeros(2, 1), classes=18)
    head.losses(head(features), target, classify).sum().backward()  # type: ignore[no-untyped-call]
    for gradient in (features.grad, head.directions.grad):
        assert gradient is not None
        assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_the_gradient_of_the_margin_is_finite_exactly_along_a_class(cosine: float) -> None:
    cosines = torch.tensor([[cosine, 0.0]], requires_grad=True)
    moved = with_margin(cosines, torch.tensor([0]), margin=0.5)
    moved.sum().backward()  # type: ignore[no-untyped-call]
    assert cosines.grad is not None
    assert bool(cosines.grad.isfinite().all())


def test_angles_are_measured_in_float32_under_autocast() -> None:
    head, features = Cosine(64, HOME), torch.randn(5, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(features), head(features.float()))
        assert head(features).dtype == torch.float32
