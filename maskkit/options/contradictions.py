"""Options of training that cannot be meant together: refused before any work, each with a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maskkit.errors import MaskkitError
from maskkit.options.choices import Choice
from maskkit.options.techniques import AUXILIARY, ModelSettings, Stepping, Stopping
from maskkit.options.values import parse_normalize, parse_size

_MOSTLY = ("auto", "factors")  # the head that is still to be chosen, and what it mostly is
_ONE_CLASSIFIER = ("joint", "cosine", "arcface")  # heads that name the joint class
Chosen = Mapping[str, Sequence[Choice]]  # by the option's name


def check(
    chosen: Chosen, *, epochs: int, normalize: str | None, augment_rare: str | None, unlabeled: str | None
) -> None:
    """Raise a MaskkitError if options contradict each other, or a text cannot be read."""
    parse_size(chosen["size"][0].name)
    if normalize is not None:
        parse_normalize(normalize)
    _check_pooling(chosen["model"][0])
    _check_heads(chosen)
    _check_frozen(chosen, augment_rare)
    _check_unlabeled(chosen["consistency"][0].name, unlabeled)
    (mix,), (freeze,) = chosen["mix"], chosen["freeze"]
    if mix.name == "half" and mix.number("low") > mix.number("high"):
        raise _refused("--mix half has a low above its high", "set low to at most high")
    if freeze.name == "phase" and freeze.whole("epochs") >= epochs:
        raise _refused(
            f"--freeze phase lasts {freeze.whole('epochs')} of {epochs} epochs",
            "use --freeze all to train the head alone, or more --epochs",
        )


def check_unscored(schedule: Choice, *, epochs: int, until: int) -> None:
    """Raise a MaskkitError of what a training on everybody cannot mean: it has nobody to be scored on."""
    if schedule.name == "plateau" or schedule.part(Stopping).stop:
        what = "plateau" if schedule.name == "plateau" else f"{schedule.name} and a stop"
        raise MaskkitError(
            f"--fold none with --schedule {what}",
            why="both wait for a held-out score, and nobody is held out",
            fix="use another schedule without a stop, such as --schedule cosine",
        )
    if until > epochs:
        raise MaskkitError(
            f"--fold none ends with epoch {until} of {epochs}",
            why="there is no such epoch",
            fix=f"use until={epochs} or less, or more --epochs",
        )


def _check_pooling(model: Choice) -> None:
    pool, timms = model.part(ModelSettings).pool, model.settings.get("global_pool")
    if timms is not None and pool != ModelSettings.pool:
        raise _refused(
            f"--model {model.name} has pool={pool} and global_pool={timms}, which is timm's word for it",
            "leave one of them out",
        )


def _check_heads(chosen: Chosen) -> None:
    heads = [head.name for head in chosen["head"]]
    classifiers = [name for name in heads if name in _ONE_CLASSIFIER]
    if all(name in AUXILIARY for name in heads):
        raise _refused(
            f"--head {'+'.join(heads)} names no class", f"add it to a head that does: --head joint+{heads[0]}"
        )
    if "auto" in heads and len(heads) > 1:
        raise _refused(
            f"--head {'+'.join(heads)} adds something to a head that is still to be chosen",
            f"name it: --head {'+'.join(['factors', *(name for name in heads if name not in _MOSTLY)])}",
        )
    if len(classifiers) > 1:
        raise _refused(
            f"--head has {' and '.join(classifiers)}, each of which names the joint class", "use one of them"
        )
    if "arcface" in heads and chosen["mix"][0].name != "none":
        raise _refused(
            "--head arcface with --mix: its margin is added to the angle of one class, and a mixed photo has "
            "two",
            "use --head cosine, or leave --mix out",
        )


def _check_frozen(chosen: Chosen, augment_rare: str | None) -> None:
    is_frozen = chosen["freeze"][0].name == "all"
    if chosen["sampler"][0].name == "smote" and not is_frozen:
        raise _refused(
            "--sampler smote without --freeze all: between the pixels of two faces there is no face",
            "add --freeze all, where it draws between features; or use --mix mixup",
        )
    if not is_frozen:
        return
    needs_photos = {
        "--mix": chosen["mix"][0].name != "none",
        "--augment-rare": augment_rare is not None,
        "--consistency": chosen["consistency"][0].name != "none",
        "--optimizer with a layer_decay": chosen["optimizer"][0].part(Stepping).layer_decay != 1,
    }
    for option, is_given in needs_photos.items():
        if is_given:
            raise _refused(
                f"{option} with --freeze all, which learns from features that were computed once",
                "leave one of them out",
            )


def _check_unlabeled(consistency: str, unlabeled: str | None) -> None:
    if consistency == "none" and unlabeled is not None:
        raise _refused(
            "--unlabeled without --consistency, which says what is learnt from its photos",
            "add --consistency uda or fixmatch, or leave --unlabeled out",
        )
    if consistency != "none" and unlabeled is None:
        raise _refused(
            f"--consistency {consistency} without --unlabeled, whose photos it would learn from",
            "add --unlabeled with a manifest of photos, or leave --consistency out",
        )


def _refused(what: str, fix: str) -> MaskkitError:
    return MaskkitError(what, why="the two cannot be meant together", fix=fix)
