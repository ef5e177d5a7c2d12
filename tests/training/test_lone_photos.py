from __future__ import annotations

import pytest
import torch
from torch import nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.options.train_options import TrainOptions
from maskkit.training.lone_photos import refuse_lone_photos, takes_batches_of

SIZE = (32, 32)  # whose last map is one pixel


def small(name: str = "test_resnet") -> nn.Module:
    return build(name, classes=3)


def refused(photos: int, **options: object) -> MaskkitError:
    with pytest.raises(MaskkitError, match="test_resnet cannot learn from one photo at a time") as caught:
        refuse_lone_photos(small(), TrainOptions(**options), photos=photos, size=SIZE)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    ("photos", "batch_size", "accumulate", "fixes"),
    [
        (9, 1, 1, ["--batch-size 2"]),
        (9, 4, 4, ["accumulate=1", "--batch-size 9"]),  # three batches of three
        (64, 8, 8, ["accumulate=4", "--batch-size 16"]),
        (65, 64, 20, ["accumulate=16", "--batch-size 65"]),  # 32 and 33
        (3, 64, 2, ["accumulate=1"]),
        (1, 64, 1, []),
    ],
)
def test_a_step_of_one_photo_is_refused_with_ways_that_work(
    photos: int, batch_size: int, accumulate: int, fixes: list[str]
) -> None:
    error = refused(photos, batch_size=batch_size, optimizer=f"adamw:accumulate={accumulate}")
    ways = error.fix.split(", or ")
    assert [
        way.split()[-1] if "accumulate" in way else " ".join(way.split()[1:]) for way in ways[:-1]
    ] == fixes
    assert "convnext_atto" in ways[-1]
    for way in fixes:
        size = int(way.split()[1]) if "batch" in way else batch_size
        parts = int(way.split("=")[1]) if "=" in way else accumulate
        options = TrainOptions(batch_size=size, optimizer=f"adamw:accumulate={parts}")
        refuse_lone_photos(small(), options, photos=photos, size=SIZE)
    assert "Expected more than 1 value per channel" in error.why


@pytest.mark.parametrize(
    ("name", "photos", "options", "size"),
    [
        ("test_resnet", 9, {"batch_size": 2}, SIZE),  # the odd one joins another batch
        ("test_resnet", 8, {"batch_size": 4, "optimizer": "adamw:accumulate=2"}, SIZE),
        ("test_resnet", 9, {"batch_size": 1}, (96, 96)),  # whose maps have several values per channel
        ("test_convnext", 9, {"batch_size": 1}, SIZE),
        ("test_resnet", 9, {"batch_size": 1, "unlabeled": "more", "consistency": "uda"}, SIZE),
    ],
)
def test_what_can_be_learnt_is_not_refused(
    name: str, photos: int, options: dict[str, object], size: tuple[int, int]
) -> None:
    refuse_lone_photos(small(name), TrainOptions(**options), photos=photos, size=size)  # type: ignore[arg-type]


def test_swa_shows_labelled_photos_without_their_company() -> None:
    assert (
        "--batch-size 2" in refused(9, batch_size=1, unlabeled="more", consistency="uda", average="swa").fix
    )


def test_trying_leaves_the_model_and_the_random_numbers_as_they_are() -> None:
    model = small().train()
    model.get_submodule("layer1").eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    assert not takes_batches_of(model, TrainOptions(), 1, SIZE)
    assert takes_batches_of(model, TrainOptions(), 1, (96, 96))
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
