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
from maskkit.modeling.restore import restore


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
