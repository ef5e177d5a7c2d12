"""Options of training that cannot be meant together: refused before any work, each with a sentence."""

from __future__ import annotations

from typing import Protocol

from maskkit.errors import MaskkitError
from maskkit.options.choices import Choice
from maskkit.options.techniques import AUXILIARY
from maskkit.options.values import parse_normalize, parse_size

_ONE_CLASSIFIER = ("joint", "cosine", "arcface")  # heads that name the joint class


class Options(Protocol):
    """What is checked: `TrainOptions`, which checks itself by this module."""

    @property
    def epochs(self) -> int:
        """Of a training."""

    @property
    def normalize(self) -> str | None:
        """As it was written."""

    @property
    def unlabeled(self) -> str | None:
        """As it was written."""

    @property
    def augment_rare(self) -> str | None:
        """As it was written."""

    def chosen(self, name: str) -> tuple[Choice, ...]:
        """Return the choices that an option names."""

    def one(self, name: str) -> Choice:
        """Return the choice that an option names."""


def check(options: Options) -> None:
    """Raise if options contradict each other, or a text cannot be read.

    Raises:
        MaskkitError: What contradicts what, and what to do instead.
    """
    parse_size(options.one("size").name)
    if options.normalize is not None:
        parse_normalize(options.normalize)
    _check_heads(options)
    _check_frozen(options)
    _check_unlabeled(options)
    mix, freeze = options.one("mix"), options.one("freeze")
    if mix.name == "half" and mix.number("low") > mix.number("high"):
        raise _refused("--mix half has a low above its high", "set low to at most high")
    if freeze.name == "phase" and freeze.whole("epochs") >= options.epochs:
        raise _refused(
            f"--freeze phase lasts {freeze.whole('epochs')} of {options.epochs} epochs",
            "use --freeze all to train the head alone, or more --epochs",
        )


def _check_heads(options: Options) -> None:
    heads = [head.name for head in options.chosen("head")]
    classifiers = [name for name in heads if name in _ONE_CLASSIFIER]
    if all(name in AUXILIARY for name in heads):
        raise _refused(
            f"--head {'+'.join(heads)} names no class", f"add it to a head that does: --head joint+{heads[0]}"
        )
    if len(classifiers) > 1:
        raise _refused(
            f"--head has {' and '.join(classifiers)}, each of which names the joint class", "use one of them"
        )
    if "arcface" in heads and options.one("mix").name != "none":
        raise _refused(
            "--head arcface with --mix: its margin is added to the angle of one class, and a mixed photo has "
            "two",
            "use --head cosine, or leave --mix out",
        )


def _check_frozen(options: Options) -> None:
    is_frozen = options.one("freeze").name == "all"
    if options.one("sampler").name == "smote" and not is_frozen:
        raise _refused(
            "--sampler smote without --freeze all: between the pixels of two faces there is no face",
            "add --freeze all, where it draws between features; or use --mix mixup",
        )
    if not is_frozen:
        return
    needs_photos = {
        "--mix": options.one("mix").name != "none",
        "--augment-rare": options.augment_rare is not None,
        "--consistency": options.one("consistency").name != "none",
        "--optimizer with a layer_decay": options.one("optimizer").number("layer_decay") != 1,
    }
    for option, is_given in needs_photos.items():
        if is_given:
            raise _refused(
                f"{option} with --freeze all, which learns from features that were computed once",
                "leave one of them out",
            )


def _check_unlabeled(options: Options) -> None:
    how, is_given = options.one("consistency"), options.unlabeled is not None
    if how.name == "none" and is_given:
        raise _refused(
            "--unlabeled without --consistency, which says what is learnt from its photos",
            "add --consistency uda or fixmatch, or leave --unlabeled out",
        )
    if how.name != "none" and not is_given:
        raise _refused(
            f"--consistency {how.name} without --unlabeled, whose photos it would learn from",
            "add --unlabeled with a manifest of photos, or leave --consistency out",
        )


def _refused(what: str, fix: str) -> MaskkitError:
    return MaskkitError(what, why="the two cannot be meant together", fix=fix)
