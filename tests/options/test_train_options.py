from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from inspect import Parameter, signature
from math import inf
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from maskkit.errors import MaskkitError
from maskkit.imaging.augment import AUGMENTATIONS
from maskkit.imaging.mixing import MIXES
from maskkit.imaging.sampling import SAMPLERS
from maskkit.modeling.device import resolve_device, resolve_precision
from maskkit.modeling.heads import HEADS
from maskkit.modeling.losses import CONSISTENCIES, LOSSES
from maskkit.modeling.losses.class_weights import SCHEMES
from maskkit.modeling.pooling import DEFAULT, POOLS
from maskkit.modeling.runtimes import NEEDS, RUNTIMES, resolve_runtime
from maskkit.options import choices, techniques
from maskkit.options import train_options as config
from maskkit.options.fields import Between, HelpPanel, note
from maskkit.options.train_options import (
    Blend,
    Device,
    Precision,
    Runtime,
    TrainOptions,
)
from maskkit.predicting import averaging
from maskkit.training.average import AVERAGES
from maskkit.training.optimizers import OPTIMIZERS
from maskkit.training.schedule import SCHEDULES
from maskkit.training.unfreezing import FREEZES

OPTIONS = {item.name: item for item in fields(TrainOptions)}
HINTS = get_type_hints(TrainOptions)
PANELS = [value for name, value in vars(config).items() if name.endswith("_PANEL")]


def test_the_averages_of_predictions_are_those_that_exist() -> None:
    assert get_args(Blend) == averaging.AVERAGES


def test_each_device_and_precision_is_known_to_what_resolves_it() -> None:
    for name in get_args(Device):
        with suppress(MaskkitError):  # this machine has none
            assert resolve_device(name).type in get_args(Device)
    for name in get_args(Precision):
        with suppress(MaskkitError):  # float16 is for CUDA
            assert resolve_precision(name, resolve_device("cpu")) in ("float32", "bfloat16")


def test_the_runtimes_are_those_of_the_table_and_the_choice_among_them() -> None:
    assert get_args(Runtime) == ("auto", *RUNTIMES)
    assert list(NEEDS) == list(RUNTIMES)
    assert resolve_runtime("auto", resolve_device("cpu")) in RUNTIMES


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_of_training_says_what_it_is_in_a_sentence(name: str) -> None:
    notes = OPTIONS[name].metadata["notes"]
    help_text = note(notes, str)
    assert help_text is not None
    assert help_text[0].isupper() or help_text.startswith(("timm", "bfloat16", "AdamW"))
    assert help_text.endswith(".")
    assert note(notes, HelpPanel) in PANELS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_number_has_limits_and_its_default_is_within(name: str) -> None:
    limits, hint = note(OPTIONS[name].metadata["notes"], Between) or Between(), HINTS[name]
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


def test_every_setting_of_a_choice_is_recorded() -> None:
    options = TrainOptions(loss="focal:gamma=3+f1", schedule="step")
    assert options.to_json()["loss"] == "focal:gamma=3,smoothing=0,weight=1+f1:weight=1"
    assert options.to_json()["schedule"] == "step:warmup=0.3,every=3,factor=0.3,stop=0,keep=last"
    assert TrainOptions(loss=options.loss, schedule=options.schedule) == options


def test_a_choice_is_the_same_however_it_is_written() -> None:
    assert (
        TrainOptions(loss="focal:gamma=2") == TrainOptions(loss="focal") != TrainOptions(loss="focal:gamma=3")
    )


# Of each table: what there is, and the settings that are not handed to it but used by its caller.
TECHNIQUES: list[tuple[choices.Table, Mapping[str, Any], set[str]]] = [
    (techniques.LOSSES, LOSSES, {"weight", "smoothing"}),
    (techniques.CLASS_WEIGHTS, SCHEMES, {"start"}),
    (techniques.HEADS, {"auto": None, **HEADS}, set()),
    (techniques.SAMPLERS, SAMPLERS, set()),
    (techniques.AUGMENTATIONS, AUGMENTATIONS, set()),
    (techniques.MIXES, MIXES, {"partner"}),
    (techniques.OPTIMIZERS, OPTIMIZERS, set(techniques.ANY_OPTIMIZER)),
    (techniques.SCHEDULES, SCHEDULES, {"stop", "keep"}),
    (techniques.CONSISTENCIES, {"none": None, **CONSISTENCIES}, {"weight", "ratio", "strong", "annealing"}),
    (techniques.AVERAGES, AVERAGES, set()),
    (techniques.FREEZES, FREEZES, set()),
    ({name: {} for name in techniques.POOLS}, {DEFAULT: None, **POOLS}, set()),
]
TAKING = [
    pytest.param(table[name], function, callers, id=name)
    for table, there, callers in TECHNIQUES
    for name, function in there.items()
    if table[name]
]


@pytest.mark.parametrize(("table", "there"), [(table, there) for table, there, _ in TECHNIQUES])
def test_techniques_are_those_that_exist(table: choices.Table, there: Mapping[str, Any]) -> None:
    assert set(table) == set(there)


@pytest.mark.parametrize(("settings", "function", "callers"), TAKING)
def test_the_code_of_a_technique_takes_its_settings_and_has_no_default_of_its_own(
    settings: choices.Settings, function: Callable[..., Any], callers: set[str]
) -> None:
    handed = {name: setting for name, setting in settings.items() if name not in callers}
    taken = signature(function).parameters
    if any(one.kind is Parameter.VAR_KEYWORD for one in taken.values()):  # passed on to albumentations
        function(**{name: setting.default for name, setting in handed.items()})
        return
    assert set(handed) <= set(taken)
    for name, setting in handed.items():
        assert taken[name].default in (setting.default, Parameter.empty), name
