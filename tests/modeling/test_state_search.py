"""Where in a file the state dict of a model is, and which one of several is taken."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.state_files import StateFile
from maskkit.modeling.state_search import StateDict, find_state

State = dict[str, Tensor]


@cache
def model() -> nn.Module:
    return build("test_resnet", classes=5)


@cache
def plain() -> State:
    return dict(timm.create_model("test_resnet", num_classes=9).state_dict())


@cache
def averaged() -> State:
    return {name: tensor + 1 for name, tensor in plain().items()}


def behind(prefix: str, state: State) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def found_in(content: Any, *, word: str | None = None, of: nn.Module | None = None) -> StateDict:
    return find_state(StateFile(Path("w.pth"), "zip", content), of or model(), word=word).chosen


def assert_is(found: StateDict, state: State) -> None:
    assert set(found.tensors) == set(state)
    assert all(found.tensors[name] is tensor for name, tensor in state.items())


WORDS = st.text("abcdefghijk_0123", min_size=1, max_size=6)


@given(st.lists(WORDS, max_size=3), st.lists(WORDS, max_size=3))
def test_finds_the_state_under_any_keys_and_behind_any_prefix(keys: list[str], parts: list[str]) -> None:
    prefix = "".join(f"{part}." for part in parts)
    content: Any = behind(prefix, plain())
    for key in reversed(keys):
        content = {key: content, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}
    found = found_in(content)
    assert_is(found, plain())
    assert (found.keys, found.prefix, found.outside) == (tuple(keys), prefix, ())


@pytest.mark.parametrize(
    "prefix",
    ["module.", "_orig_mod.", "module._orig_mod.", "model.", "backbone.", "timm_model.", "net.encoder_q."],
)
def test_takes_off_what_training_tools_put_before_names(prefix: str) -> None:
    found = found_in({"state_dict": behind(prefix, plain()) | {"criterion.weight": torch.ones(5)}})
    assert_is(found, plain())
    assert found.outside == ("criterion.weight",)
    assert found.place == f"under 'state_dict', without the prefix {prefix!r}"


def test_an_averaged_model_of_torch_is_an_average() -> None:
    found = found_in(torch.optim.swa_utils.AveragedModel(timm.create_model("test_resnet")).state_dict())
    assert found.is_average
    assert (found.prefix, found.outside) == ("module.", ("n_averaged",))


BOTH: dict[str, Any] = {
    "timm": {"state_dict": plain(), "state_dict_ema": averaged()},
    "DeiT": {"model": plain(), "model_ema": averaged()},
    "the average first": {"ema": averaged(), "net": plain()},
    "self-supervision": {"student": behind("backbone.", plain()), "teacher": behind("backbone.", averaged())},
    "one mapping": {**behind("model.", plain()), **behind("ema_model.module.", averaged())},
    "MMEngine": {"state_dict": plain(), "ema_state_dict": behind("module.", averaged())},
    "SWA": {"model": plain(), "callbacks": {"swa": {"weights": averaged()}}},
    "camel case": {"Model": plain(), "ModelEMA": averaged()},
    "in full": {"model": plain(), "averaged_model": averaged()},
}


@pytest.mark.parametrize("tool", BOTH)
def test_an_average_is_taken_unless_the_plain_weights_are_demanded(tool: str) -> None:
    assert_is(found_in(BOTH[tool]), averaged())
    assert_is(found_in(BOTH[tool], word="ema"), averaged())
    assert_is(found_in(BOTH[tool], word="plain"), plain())


def test_the_other_sort_is_named_if_it_is_as_complete() -> None:
    file = StateFile(Path("w.pth"), "zip", BOTH["timm"])
    both = find_state(file, model())
    assert both.other is not None
    assert both.other.keys == ("state_dict",)
    part = {name: averaged()[name] for name in list(averaged())[:40]}
    alone = find_state(StateFile(Path("w.pth"), "zip", {"model": plain(), "ema": part}), model())
    assert alone.chosen.keys == ("model",)
    assert alone.other is None


def test_others_of_the_same_sort_are_named() -> None:
    content = {**behind("encoder_q.", plain()), **behind("encoder_k.", plain())}
    found = find_state(StateFile(Path("w.pth"), "zip", content), model())
    assert found.chosen.prefix == "encoder_q."
    assert [one.prefix for one in found.alike] == ["encoder_k."]
    assert find_state(StateFile(Path("w.pth"), "zip", plain()), model()).alike == ()


def test_sparse_tensors_are_no_weights() -> None:
    state = plain() | {"fc.weight": plain()["fc.weight"].to_sparse()}
    assert "fc.weight" not in found_in(state).tensors


@pytest.mark.parametrize("text", ["schema", "remaining", "cinema_model", "swap", "scavenger"])
def test_words_that_only_contain_ema_are_no_average(text: str) -> None:
    assert not found_in({text: plain()}).is_average


@pytest.mark.parametrize(
    ("content", "word", "what"),
    [
        ({"model_ema": plain()}, "plain", "no plain weights"),
        ({"model_ema": plain(), "optimizer": {0: {"exp": torch.ones(2)}}}, "plain", "no plain weights"),
        ({"model": plain()}, "ema", "no average"),
    ],
)
def test_a_word_that_the_file_has_no_weights_for_is_refused(content: Any, word: str, what: str) -> None:
    with pytest.raises(MaskkitError, match=what) as caught:
        found_in(content, word=word)
    assert caught.value.fix == f"give w.pth without :{word}"


def original(name: str) -> str:
    """Name a tensor of timm's ConvNeXt as its authors do."""
    name = name.replace("stem.", "downsample_layers.0.").replace("head.norm", "norm")
    name = re.sub(r"stages\.(\d)\.downsample\.(\d)", r"downsample_layers.\1.\2", name)
    name = re.sub(r"stages\.(\d)\.blocks\.(\d)", r"stages.\1.\2", name).replace("head.fc", "head")
    return name.replace("conv_dw", "dwconv").replace("mlp.fc1", "pwconv1").replace("mlp.fc2", "pwconv2")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_names_of_the_original_authors_are_those_of_timm_for_timm(prefix: str) -> None:
    state = timm.create_model("convnext_atto").state_dict()
    content = {"model": behind(prefix, {original(name): tensor for name, tensor in state.items()})}
    assert not set(content["model"]) & set(state)
    found = found_in(content, of=build("convnext_atto", classes=5))
    assert found.is_adapted
    assert set(found.tensors) == set(state)
    assert torch.equal(
        found.tensors["stages.1.blocks.0.mlp.fc1.weight"], state["stages.1.blocks.0.mlp.fc1.weight"]
    )


def test_position_embeddings_of_another_size_are_resized() -> None:
    state = timm.create_model("test_vit", img_size=192).state_dict()
    here = build("test_vit", classes=5)
    found = found_in(state, of=here)
    assert found.is_adapted
    assert (
        found.tensors["pos_embed"].shape == here.state_dict()["pos_embed"].shape != state["pos_embed"].shape
    )


def test_what_fits_is_not_adapted() -> None:
    assert not found_in(
        timm.create_model("test_vit").state_dict(), of=build("test_vit", classes=5)
    ).is_adapted


def test_of_another_model_names_are_compared_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"more.weight": torch.ones(1)}
    monkeypatch.setattr(
        timm.models.resnet, "checkpoint_filter_fn", lambda state, _: state | more, raising=False
    )
    state = dict(timm.create_model("test_vit").state_dict())
    assert_is(found_in(state), state)


def test_of_another_model_the_whole_is_returned_to_be_compared() -> None:
    state = timm.create_model("test_vit").state_dict()
    assert_is(found_in({"model": behind("module.", dict(state)), "optimizer": {"a": torch.ones(1)}}), state)
