"""A fast sample of the sweep: one model per kind of classifier and of layout."""

from __future__ import annotations

from functools import cache

import pytest
import timm

from sweep.properties import OK, PROPERTIES, REFUSED, TORCH, Subject, subject_of

# By model: what is not `ok` for it, and how it begins.
SAMPLE = {
    "test_resnet": {},  # a linear layer on a pooled map
    "test_vit3": {},  # on a token, of one size that is a setting
    "test_convnext": {},  # a norm and a layer; channels last inside
    "resnetv2_18": {},  # a convolution of 1x1
    "efficientvit_b0": {},  # hidden layers before the last
    "caformer_s18": {},  # a perceptron
    "repvit_m0_9": {
        "heads": REFUSED,
        "frozen": REFUSED,
        "one photo": REFUSED,
    },  # norms and layers, two of each
    "csatv2": {"runtimes": TORCH},  # a graph that ONNX cannot hold
}


@cache
def subject(name: str) -> Subject:
    if name not in timm.list_models():
        pytest.skip(f"timm {timm.__version__} does not have {name} yet")
    return subject_of(name)


@pytest.mark.parametrize("title", PROPERTIES)
@pytest.mark.parametrize("name", SAMPLE)
def test_a_model_keeps_its_promises(name: str, title: str) -> None:
    result = PROPERTIES[title](subject(name))
    assert result.partition(":")[0] == SAMPLE[name].get(title, OK), result
