from dataclasses import replace
from typing import Any

import pytest

from maskkit.errors import MaskkitError
from maskkit.options.model_settings import (
    FOLLOWS,
    for_constructor,
    is_plain,
    of_the_answers,
    settings_text,
)
from maskkit.options.train_options import TrainOptions


def test_what_is_not_declared_goes_to_the_constructor_in_alphabetical_order() -> None:
    options = TrainOptions(model="vit:pool=avg,img_size=128x96,depth=03,class_token=no,init_values=1e-5")
    assert options.model == (
        "vit:pool=avg,drop_path=0,class_token=false,depth=3,img_size=128x96,init_values=1e-05"
    )
    assert for_constructor(options.one("model")) == {
        "class_token": False, "depth": 3, "img_size": "128x96", "init_values": 1e-5,
    }  # fmt: skip
    assert TrainOptions.from_json(options.to_json()) == options


def test_a_setting_may_be_an_empty_text_and_needs_an_equals_sign() -> None:
    assert for_constructor(TrainOptions(model="net:pad_type=").one("model")) == {"pad_type": ""}
    with pytest.raises(MaskkitError, match="has no setting 'pad_type'") as caught:
        TrainOptions(model="net:pad_type")
    assert "name=value" in caught.value.why


@pytest.mark.parametrize("name", FOLLOWS)
def test_what_follows_from_other_options_is_refused(name: str) -> None:
    with pytest.raises(MaskkitError, match=f"--model cannot be given {name}\n") as caught:
        TrainOptions(model=f"net:{name}=3")
    assert caught.value.why
    assert caught.value.fix


def test_other_options_still_know_their_own_settings_alone() -> None:
    with pytest.raises(MaskkitError, match="--size 128x96 has no setting 'depth'") as caught:
        TrainOptions(size="128x96:depth=3")
    assert "name=value" not in caught.value.why


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ("joint", "joint:hidden=0,dropout=0.3,samples=1"),
        ("joint:dropout=0.3", "joint:hidden=0,dropout=0.3,samples=1"),
        ("joint:hidden=0,samples=1", "joint:hidden=0,dropout=0.3,samples=1"),
        ("cosine", "cosine:scale=30"),
        ("arcface+regression", "arcface:margin=0.3,scale=30,centers=1+regression:weight=0.1"),
    ],
)
def test_the_models_dropout_is_that_of_a_plain_head(head: str, found: str) -> None:
    options = TrainOptions(model="net:drop_rate=0.3", head=head)
    assert options.head == found
    assert options.one("model").settings["drop_rate"] == 0.3
    assert replace(options, epochs=2) == replace(TrainOptions.from_json(options.to_json()), epochs=2)


def test_a_model_without_a_dropout_of_its_own_leaves_that_of_the_head() -> None:
    assert "dropout=0.2" in TrainOptions(model="net:pad_type=same", head="factors").head


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "net:drop_rate=0.3", "head": "joint:dropout=0.2"}, "--head joint has dropout=0.2"),
        ({"model": "net:drop_rate=0", "head": "joint:dropout=0.2"}, "drop_rate=0, and"),
        ({"model": "net:drop_rate=0.3", "head": "factors"}, "--head factors drops features by itself"),
        (
            {"model": "net:drop_rate=0.3", "head": "joint:hidden=8"},
            "dropout=0.3 to the settings of --head joint",
        ),
        ({"model": "net:drop_rate=0.3", "head": "joint:samples=2"}, "--head joint drops features by itself"),
        ({"model": "net:drop_rate=0.3", "head": "joint+regression"}, "--head joint drops features by itself"),
        ({"model": "net:drop_rate=0.3", "head": "cosine+factors"}, "--head factors drops features by itself"),
        ({"model": "net:drop_rate=1"}, "drop_rate is a number from 0 to 0.95"),
        ({"model": "net:drop_rate=much"}, "write --model net:pool=default,drop_path=0,drop_rate=0"),
        ({"model": "net:pool=max,global_pool=avg"}, "pool=max and global_pool=avg"),
    ],
)
def test_refuses_two_options_that_say_the_same_otherwise(options: dict[str, Any], says: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        TrainOptions(**options)
    assert says in str(caught.value)


def test_timms_own_pooling_alone_contradicts_nothing() -> None:
    assert (
        TrainOptions(model="net:pool=default,global_pool=max").one("model").settings["global_pool"] == "max"
    )


def test_writes_what_answers_depend_on() -> None:
    text = "net:drop_path=0.1,drop_rate=0.3,pad_type=same,pool=gem"
    model = TrainOptions(model=text, head="joint").one("model")
    assert of_the_answers(model) == "pool=gem,pad_type=same"
    assert of_the_answers(TrainOptions(model="net").one("model")) == ""


def test_writes_typed_settings_as_on_the_command_line() -> None:
    typed = {"img_size": [128, 96], "depths": (1, 2), "class_token": False, "bn_eps": 0.001, "pad_type": ""}
    text = "img_size=128x96,depths=1x2,class_token=false,bn_eps=0.001,pad_type="
    assert settings_text(typed) == text


def test_a_head_is_plain_if_timms_classifier_is_what_was_chosen() -> None:
    assert is_plain(TrainOptions(head="joint:dropout=0.5").chosen("head"))
    for head in ("joint:hidden=8", "joint:samples=2", "joint+factors", "cosine"):
        assert not is_plain(TrainOptions(head=head).chosen("head"))
