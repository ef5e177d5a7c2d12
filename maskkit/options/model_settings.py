"""What `--model NAME:key=value` can give beside its declared settings: what the model's constructor takes.

What that is, and of which type, is known to timm alone, which is not loaded here: `modeling.constructor`
reads the values again when the model is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from maskkit.errors import MaskkitError
from maskkit.options.choices import AnyValue, Choice, Setting, Value, given_in, text_of
from maskkit.options.techniques import MODEL, ModelSettings

DROP_RATE: Final = "drop_rate"
BATCH_NORM: Final = "batch_norm"
OWN, SYNCHRONISED = "own", "synchronised"
_ONLY_IN_TRAINING: Final = (DROP_RATE, "drop_path", BATCH_NORM)
_DROP_RATE: Final = Setting(0.0, "share of features dropped before the classifier", 0, 0.95)
_BATCH_NORM: Final = Setting(
    OWN, "over each process's share of a batch, or synchronised", among=(OWN, SYNCHRONISED)
)
_OF_ANY: Final = {DROP_RATE: _DROP_RATE, BATCH_NORM: _BATCH_NORM}
_ANY: Final = AnyValue("", "what the model's constructor takes")
_WEIGHTS: Final = "--weights says what to start from"

# What a constructor takes and cannot be given: from what it follows, and what to do.
FOLLOWS: Final[Mapping[str, tuple[str, str]]] = {
    "num_classes": ("it follows from the classes of the labels", "leave it out"),
    "in_chans": ("photos have three channels", "leave it out"),
    "drop_path_rate": ("it is called drop_path here", "write drop_path=0.1"),
    "pretrained": (_WEIGHTS, "leave it out, and add --weights hub"),
    "pretrained_cfg": (_WEIGHTS, "leave it out, and use --weights or --normalize"),
    "pretrained_cfg_overlay": (_WEIGHTS, "leave it out, and use --weights or --normalize"),
    "pretrained_strict": (_WEIGHTS, "leave it out"),
    "checkpoint_path": (_WEIGHTS, "leave it out, and add --weights FILE"),
    "features_only": ("a model here answers with classes", "leave it out"),
    "device": ("--device says where to compute", "leave it out, and use --device"),
    "dtype": ("--precision says how numbers are kept", "leave it out, and use --precision"),
}


def setting_of_any_model(name: str) -> Setting:
    """Return how a setting that is not declared is read; raise a MaskkitError if it follows from others."""
    if name in FOLLOWS:
        why, fix = FOLLOWS[name]
        raise MaskkitError(f"--model cannot be given {name}", why=why, fix=fix)
    return _OF_ANY.get(name, _ANY)


def for_constructor(model: Choice) -> dict[str, Value]:
    """Return the settings that go to the model's constructor, as far as they can be read here."""
    return {name: value for name, value in model.beside(ModelSettings).items() if name != BATCH_NORM}


def batch_norm_of(model: Choice) -> str:
    """Return over what each of several processes normalises: its share of a batch, unless chosen."""
    return str(model.settings.get(BATCH_NORM, OWN))


def of_the_answers(model: Choice) -> str:
    """Write the settings on which a model's answers depend beside its weights, but for defaults."""
    given = {name: value for name, value in given_settings(model).items() if name not in _ONLY_IN_TRAINING}
    return settings_text(given)


def given_settings(model: Choice) -> dict[str, Value]:
    """Return the settings of a model that are not what they are by default."""
    defaults = {name: setting.default for name, setting in MODEL.items()}
    return {name: value for name, value in model.settings.items() if value != defaults.get(name)}


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings of a constructor as on the command line; a list is a size, or several numbers."""
    texts = {
        name: "x".join(map(str, value)) if isinstance(value, list | tuple) else text_of(value)
        for name, value in settings.items()
    }
    return ",".join(f"{name}={text}" for name, text in texts.items())


def is_plain(heads: Sequence[Choice]) -> bool:
    """Whether timm's own classifier is what was chosen: one layer, and dropout drawn once."""
    if [head.name for head in heads] != ["joint"]:
        return False
    return heads[0].settings["hidden"] == 0 and heads[0].settings["samples"] == 1


def with_models_dropout(heads: Sequence[Choice], text: str, model: Choice) -> tuple[Choice, ...]:
    """Return the heads, with the model's `drop_rate` where that is the dropout of timm's own classifier.

    `text` is what was written for the heads: what it does not say, the model may.

    Raises:
        MaskkitError: The heads were given another dropout, or drop features by themselves.
    """
    rate = model.settings.get(DROP_RATE)
    with_dropout = [head for head in heads if "dropout" in head.settings]
    if rate is None or not with_dropout:
        return tuple(heads)
    first = with_dropout[0]
    if not is_plain(heads):
        raise MaskkitError(
            f"--model has {DROP_RATE}={rate:g}, and --head {first.name} drops features by itself",
            why="together they would drop more than either says",
            fix=f"leave {DROP_RATE} out, and add dropout={rate:g} to the settings of --head {first.name}",
        )
    if "dropout" in given_in(text) and first.settings["dropout"] != rate:
        raise MaskkitError(
            f"--model has {DROP_RATE}={rate:g}, and --head joint has dropout={first.number('dropout'):g}",
            why="both are the share of features dropped before the classifier",
            fix="give one of them",
        )
    return (replace(first, settings={**first.settings, "dropout": rate}),)
