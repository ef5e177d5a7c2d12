"""Every technique of training that can be chosen, with its settings: what `--help` shows and options accept.

What each does is beside its code, in a dict of the same names; tests hold the names equal, and the settings
to the parameters of what takes them. Settings that all of a kind share, and others read, are dataclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from maskkit.options.choices import Setting, Settings, Table, Technique, setting, settings

_SHARE = {"weight": Setting(1.0, "of the loss in a sum", 0.001, 1000)}
_SMOOTHING = {"smoothing": Setting(0.0, "share of each target spread over all classes", 0, 0.9), **_SHARE}

LOSSES: Final[Table] = {
    "ce": Technique("cross entropy, the usual loss", _SMOOTHING),
    "focal": Technique(
        "cross entropy that fades as a photo becomes easy",
        {"gamma": Setting(2.0, "how fast easy photos fade", 0, 20)},
        _SMOOTHING,
    ),
    "f1": Technique("1 - the macro-F1 of a batch, of expected counts; best beside ce, as ce+f1", _SHARE),
    "ldam": Technique(
        "rare classes have to win by a larger margin",
        {"margin": Setting(0.5, "margin of the rarest class", 0, 10)},
        _SHARE,
    ),
    "logit-adjusted": Technique(
        "frequent classes have to win by more: their log prior is added",
        {"tau": Setting(1.0, "how much of the prior is added", 0, 10)},
        _SMOOTHING,
    ),
    "balanced-softmax": Technique("a softmax that knows how often each class was seen", _SMOOTHING),
    "poly": Technique(
        "cross entropy with another first term",
        {"epsilon": Setting(1.0, "weight of 1 - p", -1, 20)},
        _SMOOTHING,
    ),
}

_START = {"start": Setting(0.0, "share of the epochs before classes are weighed", 0, 1)}

CLASS_WEIGHTS: Final[Table] = {
    "none": Technique("every photo counts alike"),
    "inverse": Technique("each class counts alike, however rare; scikit-learn's balanced", _START),
    "sqrt": Technique("half-way to inverse", _START),
    "log": Technique("milder for the rarest: by the logarithm of the share", _START),
    "effective": Technique(
        "by the effective number of photos: near-copies add less",
        {"beta": Setting(0.9999, "towards 1 it becomes inverse", 0, 0.9999999)},
        _START,
    ),
}

_LAYER = {
    "hidden": Setting(0, "width of a hidden layer, 0 for none", 0, 65536),
    "dropout": Setting(0.2, "share of features dropped", 0, 0.95),
    "samples": Setting(1, "dropout masks whose losses are averaged", 1, 64),
}
_WEIGHT = {"weight": Setting(1.0, "of its loss", 0, 1000)}
_SCALE = {"scale": Setting(30.0, "of the cosines", 1, 1000)}
_AUXILIARY = {"weight": Setting(0.1, "of its loss", 0, 1000)}
_STEP = {"step": Setting(10.0, "years between thresholds", 0.1, 1000)}

HEADS: Final[Table] = {
    "auto": Technique("one head per factor, or timm's own where the model can have no other"),
    "joint": Technique("one layer over all classes, as timm has it", _LAYER),
    "factors": Technique("one head per factor, such as mask, gender and age", _LAYER, _WEIGHT),
    "cosine": Technique("angles between features and classes, so that no class wins by length", _SCALE),
    "arcface": Technique(
        "cosine with a margin that the right class has to win by",
        {"margin": Setting(0.3, "angle added to the target's, in radians", 0, 1.5)},
        _SCALE,
        {"centers": Setting(1, "sub-centres per class", 1, 16)},
    ),
    "regression": Technique("learns the number itself, such as age, beside another head", _AUXILIARY),
    "coral": Technique(
        "learns whether the number reaches each threshold, beside another head", _AUXILIARY, _STEP
    ),
    "corn": Technique("as coral, each threshold of those who reached the one before", _AUXILIARY, _STEP),
}
AUXILIARY: Final = frozenset({"regression", "coral", "corn"})  # heads that learn numbers and name no class

_LENGTH = {"length": Setting(0, "photos per epoch, 0 for as many as there are", 0)}

SAMPLERS: Final[Table] = {
    "shuffle": Technique("each photo once", _LENGTH),
    "weighted": Technique("drawn with replacement, each class equally likely", _LENGTH),
    "balanced": Technique("each class equally often, and its photos equally often", _LENGTH),
    "sqrt": Technique("drawn with replacement, half-way between shuffle and weighted", _LENGTH),
    "smote": Technique(
        "features of rare classes made up between neighbours; with --freeze all",
        {"neighbors": Setting(5, "photos that new features are drawn between", 1, 100)},
    ),
}


def _often(share: float) -> Settings:
    return {"p": Setting(share, "how often", 0, 1)}


AUGMENTATIONS: Final[Table] = {
    "none": Technique("photos as they are"),
    "light": Technique("what a camera does anyway: mirrored, moved a little, other light"),
    "medium": Technique("larger moves, other colours, blur or noise, holes"),
    "strong": Technique("all of medium further and more often"),
    "randaugment": Technique(
        "a few changes per photo, drawn from all",
        {
            "ops": Setting(2, "changes per photo", 1, 10),
            "magnitude": Setting(9, "how far, of 30", 0, 30),
        },
    ),
    "trivial": Technique("one change per photo, of any strength"),
    "grid-shuffle": Technique(
        "cells of the photo change places", {"grid": Setting(3, "cells per side", 2, 16)}, _often(0.3)
    ),
    "clahe": Technique("more local contrast", _often(0.3)),
    "coarse-dropout": Technique("a few holes", _often(0.5)),
    "colour": Technique("other brightness, contrast, saturation and hue", _often(0.5)),
    "blur": Technique("out of focus, or moved", _often(0.3)),
    "jpeg": Technique("compressed hard", _often(0.3)),
    "affine": Technique("turned, moved, scaled and sheared a little", _often(0.9)),
}

_PARTNER = {"partner": Setting("", "level that the other photo comes from, such as age=60plus")}

MIXES: Final[Table] = {
    "none": Technique("each photo by itself"),
    "mixup": Technique(
        "two photos faded into each other",
        {"alpha": Setting(0.2, "of the Beta distribution", 0.001, 100)},
        _often(1.0),
        _PARTNER,
    ),
    "cutmix": Technique(
        "a rectangle of another photo",
        {"alpha": Setting(1.0, "of the Beta distribution", 0.001, 100)},
        _often(1.0),
        _PARTNER,
    ),
    "half": Technique(
        "the left or right half of another face",
        {
            "low": Setting(0.46, "leftmost cut, of the width", 0, 1),
            "high": Setting(0.54, "rightmost cut", 0, 1),
        },
        _often(0.5),
        {"aligned": Setting(True, "whether a left half stays on the left")},
        _PARTNER,
    ),
}


@dataclass(frozen=True)
class Stepping:
    """Settings of every optimizer, which the loop and the groups of parameters are made of."""

    weight_decay: float = setting(0.05, "of weights, not of biases and norms", 0, 10)
    layer_decay: float = setting(1.0, "factor of the rate per layer, from the head down", 0.01, 1)
    head: float = setting(2.0, "the head's rate, in rates of the backbone", 0, 1000)
    clip: float = setting(1.0, "largest norm of the gradient, 0 for any", 0, 1000)
    accumulate: int = setting(1, "parts in which a batch is computed", 1, 1024)


_STEPPING = settings(Stepping)
ANY_OPTIMIZER: Final[Settings] = _STEPPING  # of timm, by name
OPTIMIZERS: Final[Table] = {
    "adamw": Technique("a rate of its own for each weight; the usual choice", _STEPPING),
    "sgd": Technique(
        "one rate for all weights, with momentum; wants a higher --learning-rate",
        {
            "momentum": Setting(0.9, "share of the last step that goes on", 0, 0.9999),
            "nesterov": Setting(True, "whether the gradient is taken ahead"),
        },
        _STEPPING,
    ),
}


@dataclass(frozen=True)
class Stopping:
    """Settings of every schedule: when a training ends, and which of its epochs is kept."""

    stop: int = setting(0, "epochs without a better score that end the training, 0 for none", 0, 10000)
    keep: str = setting(
        "last",
        "the epoch whose weights are kept; that of the best score is flattered",
        among=("last", "best"),
    )

    @property
    def keeps_best(self) -> bool:
        """Whether the weights with the best held-out score are kept; one that stops early waited for it."""
        return self.keep == "best" or self.stop > 0


_STOP = settings(Stopping)
_WARMUP = {"warmup": Setting(0.3, "epochs of linear rise", 0, 1000)}

SCHEDULES: Final[Table] = {
    "cosine": Technique("falls to 0 along half a cosine; the usual choice", _WARMUP, _STOP),
    "onecycle": Technique(
        "rises for a third of the run, then falls far below where it began",
        {
            "rise": Setting(0.3, "share of the run in which the rate rises", 0.001, 0.999),
            "start": Setting(25.0, "highest rate over the first", 1, 1e6),
            "end": Setting(1e4, "first rate over the last", 1, 1e9),
        },
        _STOP,
    ),
    "step": Technique(
        "falls by a factor every few epochs",
        _WARMUP,
        {
            "every": Setting(3, "epochs between steps", 1, 10000),
            "factor": Setting(0.3, "of the rate per step", 0, 1),
        },
        _STOP,
    ),
    "plateau": Technique(
        "falls by a factor when the held-out macro-F1 no longer rises",
        _WARMUP,
        {
            "patience": Setting(2, "epochs without a better score before it falls", 0, 10000),
            "factor": Setting(0.3, "of the rate after them", 0, 1),
        },
        _STOP,
    ),
    "constant": Technique("stays, after the warm-up", _WARMUP, _STOP),
}


@dataclass(frozen=True)
class UnlabeledShare:
    """Settings of every consistency: what photos without labels count, and how many there are."""

    weight: float = setting(1.0, "of its loss", 0, 1000)
    ratio: int = setting(1, "unlabelled photos per labelled one in a batch; FixMatch's paper has 7", 1, 64)


@dataclass(frozen=True)
class StrongView:
    """A setting of every consistency: how the strong view is varied."""

    strong: str = setting(
        "randaugment",
        "what the strong view has beside --augment: choices of that, without settings",
        among=tuple(AUGMENTATIONS),
        several=True,
    )


_UNLABELED, _STRONG = settings(UnlabeledShare), settings(StrongView)
ANNEALINGS: Final = ("none", "linear", "log", "exp")
CONSISTENCIES: Final[Table] = {
    "none": Technique("labelled photos alone"),
    "uda": Technique(
        "towards the sharpened answer to the weak view",
        _UNLABELED,
        {
            "temperature": Setting(0.4, "of the weak view's answer, below 1 to sharpen it", 0.01, 10),
            "threshold": Setting(0.8, "probability above which an answer is learnt", 0, 1),
            "annealing": Setting("none", "of the labelled photos' loss", among=ANNEALINGS),
        },
        _STRONG,
    ),
    "fixmatch": Technique(
        "towards the class of the weak view",
        _UNLABELED,
        {"threshold": Setting(0.95, "probability from which on an answer is learnt", 0, 1)},
        _STRONG,
    ),
}

TEACHER: Final[Settings] = {
    "weight": Setting(0.5, "share of the teacher in each target, the label has the rest", 0.001, 1),
    "temperature": Setting(1.0, "of the teacher's probabilities, above 1 to even them out", 0.1, 100),
}

NO_FOLD: Final[Table] = {
    "none": Technique(
        "trains on everybody; nobody is left to score on",
        {"until": Setting(0, "the epoch that ends it, 0 for the last", 0, 10000)},
    )
}

AVERAGES: Final[Table] = {
    "none": Technique("the weights as they are"),
    "ema": Technique(
        "a moving average over steps", {"decay": Setting(0.99, "share that stays at each step", 0, 0.99999)}
    ),
    "swa": Technique(
        "the mean of the last epochs", {"start": Setting(0.75, "share of the epochs before it begins", 0, 1)}
    ),
}

FREEZES: Final[Table] = {
    "none": Technique("all of the model learns from the start"),
    "all": Technique("the head alone learns, of features that are computed once: fast"),
    "phase": Technique(
        "the head alone at first, then all",
        {"epochs": Setting(1, "in which the head alone learns", 1, 10000)},
    ),
    "gradual": Technique(
        "stage by stage, from the top",
        {"epochs": Setting(1, "between one stage and the next below it", 1, 10000)},
    ),
}

POOLS: Final = ("default", "avg", "max", "gem")


@dataclass(frozen=True)
class ModelSettings:
    """Settings of every model."""

    pool: str = setting("default", "how features are pooled", among=POOLS)
    drop_path: float = setting(0.0, "share of residual branches dropped, if the model can", 0, 0.95)


@dataclass(frozen=True)
class SizeSettings:
    """A setting of every size."""

    margin: float = setting(0.3, "of the face box on each side, where `crop` has found faces", 0, 10)


MODEL: Final = settings(ModelSettings)
SIZE: Final = settings(SizeSettings)
