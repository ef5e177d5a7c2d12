"""What `--head auto` takes, and how a record names it."""

from __future__ import annotations

import pytest
import torch

from maskkit.modeling.starting_head import settle_head
from maskkit.options.train_options import TrainOptions

DISTILLED = "deit_tiny_distilled_patch16_224"


def settled(model: str, size: str = "128x96", head: str = "auto") -> str:
    """Return the name of the head that a model gets."""
    return settle_head(TrainOptions(model=model, size=size, head=head)).one("head").name


@pytest.mark.parametrize(
    "model", ["tf_efficientnet_lite0", "resnetv2_18", "caformer_s18", "test_resnet.r160_in1k:pool=gem"]
)
def test_auto_is_the_default_and_takes_a_head_per_factor(model: str) -> None:
    assert TrainOptions().head == "auto"
    assert settle_head(TrainOptions(model=model)) == TrainOptions(model=model, head="factors")


@pytest.mark.parametrize(
    ("model", "size", "why"),
    [
        (DISTILLED, "224", "it has 2 classifiers, head and head_dist"),
        ("crossvit_9_240", "240", "it has 2 classifiers, head.0 and head.1"),
        ("efficientvim_m1", "128x96", "it has 4 classifiers"),
        ("resnet50_clip", "64x64", "its classifier head.proj is given 1x5x2048, and not 1x2048"),
    ],
)
def test_it_is_timms_own_where_the_model_can_have_no_other_and_that_is_said(
    model: str, size: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert settled(model, size) == "joint"
    assert f"{model} can only be trained with --head joint: " in caplog.text
    assert why in caplog.text


def test_what_would_let_it_have_one_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert settled("repvit_m0_9:distillation=false", "224") == "factors"
    assert caplog.text == ""
    assert settled("repvit_m0_9", "224") == "joint"
    assert "leave its second classifier out: --model repvit_m0_9:distillation=false" in caplog.text


@pytest.mark.parametrize("head", ["factors", "joint", "cosine", "joint+factors"])
def test_a_head_that_is_named_stays(head: str) -> None:
    options = TrainOptions(model=DISTILLED, size="224", head=head)
    assert settle_head(options) == options


def test_a_size_that_the_model_does_not_take_is_left_to_what_builds_it() -> None:
    assert settled("vit_tiny_patch16_224") == "factors"


def test_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    settled("test_resnet")
    assert torch.equal(torch.get_rng_state(), before)
