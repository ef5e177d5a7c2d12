import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file, save

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY
from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.modeling.backbone import build, restore
from maskkit.modeling.heads import attach, heads_of
from maskkit.modeling.heads.numbers import Numbers
from maskkit.options.choices import parse_sum
from maskkit.options.techniques import HEADS


@pytest.fixture
def checkpoint(checkpoints: list[Path]) -> Checkpoint:
    return Checkpoint.read(checkpoints[0])


def test_gives_the_model_with_every_weight_of_the_checkpoint(
    checkpoint: Checkpoint, checkpoints: list[Path]
) -> None:
    weights = load_file(checkpoints[0])
    state = restore(checkpoint).state_dict()
    assert state.keys() == weights.keys()
    assert all(torch.equal(state[name], weights[name]) for name in weights)


def altered(checkpoint: Checkpoint, weights: dict[str, torch.Tensor], **facts: object) -> Checkpoint:
    header = replace(checkpoint.header, facts={**checkpoint.header.facts, **facts})
    data = save(weights, metadata={KEY: header.to_json()})
    return Checkpoint.read(Source("fold0.safetensors", pa.py_buffer(data)))


def test_weights_that_do_not_fit_are_an_error_that_names_both(checkpoint: Checkpoint) -> None:
    weights = checkpoint.weights()
    del weights["conv_stem.weight"]
    with pytest.raises(
        MaskkitError, match=r"fold0\.safetensors does not fit timm's test_efficientnet"
    ) as caught:
        restore(altered(checkpoint, weights))
    assert "conv_stem.weight" in caught.value.why


def test_a_model_that_timm_does_not_have_is_an_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(MaskkitError, match="unknown model: 'test_efficientnot'"):
        restore(altered(checkpoint, checkpoint.weights(), model="test_efficientnot"))


def test_needs_nothing_but_the_file(checkpoint: Checkpoint) -> None:
    facts = json.loads(checkpoint.header.to_json())
    assert {"model", "preprocess", "label_space", "precision", "fold"} <= set(facts)


@pytest.mark.parametrize("pool", ["default", "gem", "max"])
@pytest.mark.parametrize(
    "text",
    ["joint", "joint:hidden=8,samples=2", "factors+regression+corn:step=7", "arcface:centers=2,margin=0.4"],
)
def test_pooling_and_heads_come_back_from_the_file_alone(
    checkpoint: Checkpoint, text: str, pool: str
) -> None:
    choices = parse_sum(text, HEADS, option="--head")
    numbers = Numbers.of(torch.tensor([[18.0], [33], [60]]), HOME)
    model = attach(build("test_efficientnet", classes=18, pool=pool), choices, HOME, numbers=numbers).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 1, 0.01)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    again = restore(altered(checkpoint, weights, heads=[str(choice) for choice in choices], pool=pool)).eval()
    assert again.state_dict().keys() == weights.keys()
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(again(images), model(images))
    assert (heads_of(again) is None) == (text == "joint")
    for name, buffer in model.named_buffers():  # also those that are not in the file
        assert torch.equal(again.get_buffer(name), buffer), name


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("test_vit", {"img_size": [64, 32], "class_token": False, "global_pool": "avg"}),
        ("test_efficientnet", {"pad_type": "same", "bn_eps": 0.1}),
        ("test_resnet", {"act_layer": "silu", "layers": [2, 1, 1, 1]}),
        ("tf_efficientnet_lite0", {"pad_type": ""}),
    ],
)
def test_a_model_made_by_settings_comes_back_from_the_file_alone(
    checkpoint: Checkpoint, name: str, settings: dict[str, object]
) -> None:
    model = build(name, classes=18, settings=settings).eval()
    weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    given = altered(checkpoint, weights, model=name, model_settings=settings, heads=["joint"])
    again = restore(given).eval()
    images = torch.rand(2, 3, 64, 32)
    assert torch.equal(again(images), model(images))
    assert given.model_settings == settings
    if "pad_type" in settings:  # the very same weights, which nothing else would refuse
        otherwise = restore(altered(checkpoint, weights, model=name, heads=["joint"])).eval()
        assert not torch.allclose(otherwise(images), model(images), rtol=1e-3)


@pytest.mark.parametrize("fact", ["pool", "model_settings"])
def test_a_checkpoint_from_before_there_was_such_a_fact_is_read(checkpoint: Checkpoint, fact: str) -> None:
    assert fact in checkpoint.header.facts
    facts = {name: value for name, value in checkpoint.header.facts.items() if name != fact}
    data = save(checkpoint.weights(), metadata={KEY: replace(checkpoint.header, facts=facts).to_json()})
    old = Checkpoint.read(Source("fold0.safetensors", pa.py_buffer(data)))
    assert (old.pool, old.model_settings) == ("default", {})
    assert restore(old).state_dict().keys() == checkpoint.weights().keys()


def test_an_auxiliary_head_whose_numbers_are_lost_is_an_error_that_names_the_file(
    checkpoint: Checkpoint,
) -> None:
    with pytest.raises(MaskkitError, match=r"fold0\.safetensors does not fit") as caught:
        restore(altered(checkpoint, checkpoint.weights(), heads=["joint", "regression:weight=0.1"]))
    assert "needs the numbers" in caught.value.why


def test_a_head_that_this_version_does_not_have_is_an_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(MaskkitError, match="head cannot be 'oracle'"):
        restore(altered(checkpoint, checkpoint.weights(), heads=["oracle"]))
