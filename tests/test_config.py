from contextlib import suppress
from dataclasses import fields
from math import inf
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from maskkit import config
from maskkit.config import (
    Augmentation,
    Device,
    Limits,
    Precision,
    Runtime,
    TrainOptions,
    Tta,
    as_bytes,
    parse_bytes,
    parse_channels,
    parse_size,
)
from maskkit.errors import MaskkitError
from maskkit.imaging.augment import AUGMENTATIONS
from maskkit.imaging.transforms import VIEWS
from maskkit.modeling.device import resolve_device
from maskkit.modeling.precision import resolve_precision
from maskkit.modeling.runtimes import NEEDS, RUNTIMES, resolve_runtime

OPTIONS = {item.name: item for item in fields(TrainOptions)}
HINTS = get_type_hints(TrainOptions)
PANELS = [value for name, value in vars(config).items() if name.endswith("_PANEL")]


@pytest.mark.parametrize(("choices", "table"), [(Augmentation, AUGMENTATIONS), (Tta, VIEWS)])
def test_choices_are_those_of_the_table_they_choose_from(choices: object, table: dict[str, object]) -> None:
    assert get_args(choices) == tuple(table)


def test_each_device_and_precision_is_known_to_what_resolves_it() -> None:
    for name in get_args(Device):
        with suppress(MaskkitError):  # this machine has none
            assert resolve_device(name).type in get_args(Device)
    for name in get_args(Precision):
        assert resolve_precision(name, resolve_device("cpu")) in ("float32", "bfloat16")


def test_the_runtimes_are_those_of_the_table_and_the_choice_among_them() -> None:
    assert get_args(Runtime) == ("auto", *RUNTIMES)
    assert list(NEEDS) == list(RUNTIMES)
    assert resolve_runtime("auto", resolve_device("cpu")) in RUNTIMES


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_training_says_what_it_is_in_a_sentence(name: str) -> None:
    limits = OPTIONS[name].metadata["limits"]
    assert isinstance(limits, Limits)
    assert limits.help[0].isupper() or limits.help.startswith(("timm", "bfloat16", "AdamW"))
    assert limits.help.endswith(".")
    assert limits.panel in PANELS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_number_has_limits_and_its_default_is_within(name: str) -> None:
    limits, hint = OPTIONS[name].metadata["limits"], HINTS[name]
    default = getattr(TrainOptions(), name)
    if hint not in (int, float):
        assert (limits.minimum, limits.maximum) == (None, None)
        return
    assert limits.minimum is not None
    assert limits.minimum <= default <= (inf if limits.maximum is None else limits.maximum)
    if hint is float:  # without a largest value, `inf` would be one
        assert limits.maximum is not None
        assert limits.maximum < inf


@pytest.mark.parametrize("name", [name for name in OPTIONS if get_origin(HINTS[name]) is Literal])
def test_every_default_is_one_of_its_choices(name: str) -> None:
    assert OPTIONS[name].default in get_args(HINTS[name])


def test_options_survive_the_way_through_a_header() -> None:
    options = TrainOptions(model="resnet18", weights="x.pth", epochs=3, loss="focal")
    assert TrainOptions.from_json({**options.to_json(), "fold": 2}) == options


def test_options_of_an_older_header_get_their_defaults() -> None:
    assert TrainOptions.from_json({"epochs": 3}) == TrainOptions(epochs=3)


@pytest.mark.parametrize(
    ("text", "size"),
    [("128x96", (128, 96)), ("224", (224, 224)), ("64X48", (64, 48)), ("16x4096", (16, 4096))],
)
def test_reads_a_size_as_height_and_width(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "15", "4097", "128x", "128x96x3", "-128", "1e2", "128.0", "²24", "128 x 96"]
)
def test_what_is_no_size_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        parse_size(text)
    assert repr(text) in caught.value.what
    assert "--size 224" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "count"), [("20GB", 20 * 10**9), ("500 mb", 5 * 10**8), ("1.5KB", 1500), ("7B", 7)]
)
def test_reads_amounts_of_memory(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["20", "GB", "-1GB", "20 GiB", "1e9B", ""])
def test_refuses_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(MaskkitError, match="not an amount of memory"):
        parse_bytes(text)


def test_writes_amounts_of_memory_for_people() -> None:
    assert [as_bytes(count) for count in (0, 999, 2_831_155_200)] == ["0 B", "999 B", "2.83 GB"]


def test_reads_three_channels() -> None:
    assert parse_channels("0.5, 0.25,0", "mean") == (0.5, 0.25, 0)


@pytest.mark.parametrize(
    "text", ["", "0.5", "0.5,0.5", "1,1,1,1", "0.5,x,0.5", "127,127,127", "-1,0,0", "nan,0.5,0.5"]
)
@pytest.mark.parametrize("name", ["mean", "std"])
def test_refuses_what_are_not_three_channels(text: str, name: str) -> None:
    with pytest.raises(MaskkitError, match=f"--{name} is"):
        parse_channels(text, name)


def test_refuses_a_deviation_of_nothing() -> None:
    with pytest.raises(MaskkitError, match="--std is"):
        parse_channels("0.2,0,0.2", "std")
