from collections.abc import Mapping
from typing import Any

import pytest

from maskkit.errors import MaskkitError
from maskkit.modeling.backbone import build
from maskkit.modeling.constructor import parameters, typed
from maskkit.options.choices import Value
from maskkit.options.model_settings import FOLLOWS


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("test_vit", {"img_size": 128}, {"img_size": 128}),
        ("test_vit", {"img_size": "128x96"}, {"img_size": [128, 96]}),
        ("mixer_s32_224", {"img_size": "128x96"}, {"img_size": [128, 96]}),  # annotated as a number alone
        ("test_vit", {"init_values": 1, "class_token": False}, {"init_values": 1.0, "class_token": False}),
        (
            "test_vit",
            {"global_pool": "avg", "act_layer": "gelu"},
            {"global_pool": "avg", "act_layer": "gelu"},
        ),
        ("deit_tiny_distilled_patch16_224", {"depth": 2}, {"depth": 2}),  # its base class takes it
        ("test_efficientnet", {"pad_type": "", "bn_eps": 1}, {"pad_type": "", "bn_eps": 1.0}),
        ("test_resnet", {"layers": "1x1x1x1"}, {"layers": [1, 1, 1, 1]}),
        ("regnetx_002", {"se_ratio": 0.25, "linear_out": True}, {"se_ratio": 0.25, "linear_out": True}),
        ("botnet26t_256", {"stem_chs": 24}, {"stem_chs": 24}),  # or several
        ("mixer_s32_224", {"mlp_ratio": 2}, {"mlp_ratio": 2.0}),
        ("mixer_s32_224", {"mlp_ratio": "0.5x4"}, {"mlp_ratio": [0.5, 4.0]}),
        ("inception_v3", {"act_layer": True}, {"act_layer": "true"}),  # a text that looks like something else
    ],
)
def test_gives_values_the_types_of_the_constructor(
    name: str, given: Mapping[str, Value], expected: dict[str, Any]
) -> None:
    found = typed(name, given)
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("test_vit", {"img_size": "128x96x3"}, "a whole number or 2 whole numbers with x between them"),
        ("test_vit", {"img_size": 12.5}, "such as test_vit:img_size=224"),
        ("test_vit", {"img_size": True}, "img_size is a whole number"),
        ("test_vit", {"depth": 1.5}, "depth is a whole number"),
        ("test_vit", {"depth": "many"}, "such as test_vit:depth=12"),
        ("test_vit", {"class_token": 1}, "class_token is true or false"),
        ("test_vit", {"init_values": "none"}, "init_values is a number\n"),
        ("test_vit", {"global_pool": "mean"}, "one of nothing at all, avg, avgmax, max, token, map, prr"),
        ("test_efficientnet", {"pad_type": "smae"}, "one of nothing at all, same, valid, symmetric"),
        ("mixer_s32_224", {"mlp_ratio": "nanx4"}, "a number or 2 numbers with x between them"),
        ("convnext_atto", {"depths": "1x1.5"}, "depths is several whole numbers with x between them"),
        ("test_vit", {"img_sise": 3}, "did you mean img_size?"),
        ("test_resnet", {"img_sise": 64}, "--model test_resnet has no setting 'img_sise'"),
        ("test_efficientnet", {"img_size": 64}, "leave it out: this model is made for no size"),
        ("test_resnet", {"bn_eps": 0.1}, "no setting 'bn_eps'"),
        ("dla46x_c", {"drop_path": 0.1, "pad_type": "same"}, "its constructor in timm takes"),
        ("test_vit", {"embed_layer": "x"}, "test_vit cannot be given embed_layer"),
        ("test_resnet", {"block": "bottleneck"}, "a Python object there"),
        ("test_vite", {"depth": 1}, "unknown model: 'test_vite'"),
    ],
)
def test_refuses_what_the_constructor_does_not_take(name: str, given: Mapping[str, Value], says: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        typed(name, given)
    assert says in str(caught.value)
    assert caught.value.fix


def test_nothing_given_is_nothing_typed() -> None:
    assert typed("no such model, and nobody looks", {}) == {}


def test_lists_what_can_be_written_and_what_else_there_is() -> None:
    known = parameters("test_vit")
    assert not set(known) & set(FOLLOWS)
    assert known["img_size"].default == 224
    assert known["block_fn"].kinds == ()
    with pytest.raises(MaskkitError) as caught:
        typed("test_vit", {"zzz": 1})
    assert caught.value.fix.startswith("use one of img_size, patch_size, global_pool, ")
    assert caught.value.fix.endswith(" more")
    assert "block_fn" not in caught.value.fix


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("test_efficientnet", {"stem_size": 8}, "multiple values for keyword argument 'stem_size'"),
        ("test_resnet", {"act_layer": "foo"}, "KeyError: 'foo'"),
        ("test_vit", {"embed_dim": 7, "img_size": [64, 32]}, "test_vit:embed_dim=7,img_size=64x32"),
        ("test_vit", {"no_such": 7}, "no_such"),  # as of a checkpoint of another timm
    ],
)
def test_a_value_that_the_constructor_fails_with_is_a_clear_error(
    name: str, settings: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(MaskkitError, match=f"timm cannot build {name}:") as caught:
        build(name, classes=2, settings=settings)
    assert says in str(caught.value)
