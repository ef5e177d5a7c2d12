from typing import Any

import pytest

from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions

UNLABELED = {"unlabeled": "more.parquet", "consistency": "uda"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"head": "regression"}, "names no class"),
        ({"head": "coral+corn"}, "names no class"),
        ({"head": "auto+regression"}, "adds something to a head that is still to be chosen"),
        ({"head": "joint+arcface"}, "joint and arcface"),
        ({"head": "cosine+arcface+factors"}, "cosine and arcface"),
        ({"head": "arcface", "mix": "mixup"}, "a mixed photo has two"),
        ({"head": "arcface+factors", "mix": "half"}, "a mixed photo has two"),
        ({"sampler": "smote"}, "between the pixels of two faces"),
        ({"freeze": "all", "mix": "cutmix"}, "--mix with --freeze all"),
        ({"freeze": "all", "augment_rare": "age=60plus:strong"}, "--augment-rare with --freeze all"),
        ({"freeze": "all", "optimizer": "adamw:layer_decay=0.8"}, "layer_decay with --freeze all"),
        ({"freeze": "phase:epochs=10", "epochs": 10}, "10 of 10 epochs"),
        ({"mix": "half:low=0.6,high=0.4"}, "a low above its high"),
        ({"model": "resnet18:pool=attention"}, "has pool=attention"),
        ({"loss": "ce+f1:weight=0"}, "weight is a number from 0.001 to 1000"),
        ({"loss": "f1:smoothing=0.1"}, "no setting 'smoothing'"),
        ({"mix": "half:partner=60plus"}, "the partner of --mix"),
        ({"augment_rare": "age=60plus:stronger"}, "--augment-rare cannot be 'stronger'"),
        ({"undersample": "mask=wear"}, "--undersample"),
        ({"oversample": "age=60plus:0"}, "--oversample"),
        ({"size": "128x96x3"}, "not a photo size"),
        ({"normalize": "0.5"}, "--normalize"),
        ({"unlabeled": "more.parquet"}, "--unlabeled without --consistency"),
        ({"consistency": "uda"}, "--consistency uda without --unlabeled"),
        ({"freeze": "all", **UNLABELED}, "--consistency with --freeze all"),
        ({**UNLABELED, "consistency": "uda:annealing=cosine"}, "has annealing=cosine"),
        ({**UNLABELED, "consistency": "uda:strong=autoaugment"}, "has strong=autoaugment"),
        ({**UNLABELED, "consistency": "fixmatch:strong=light+randaugment:ops=3"}, "without settings"),
        ({**UNLABELED, "consistency": "fixmatch:temperature=1"}, "no setting 'temperature'"),
        ({**UNLABELED, "consistency": "fixmatch:ratio=0"}, "ratio is a whole number from 1 to 64"),
        ({**UNLABELED, "consistency": "uda:threshold=1.5"}, "threshold is a number from 0 to 1"),
        ({**UNLABELED, "consistency": "mixmatch"}, "--consistency cannot be 'mixmatch'"),
    ],
)
def test_refuses_before_any_work_and_says_what_to_do(options: dict[str, Any], says: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        TrainOptions(**options)
    assert says in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    "options",
    [
        {"head": "arcface+factors+regression"},
        {"head": "cosine", "mix": "mixup", "loss": "ldam"},
        {"freeze": "all", "sampler": "smote", "loss": "focal+f1:weight=0.5"},
        {"freeze": "gradual", "average": "swa", "schedule": "plateau:stop=3"},
        {**UNLABELED, "mix": "mixup", "head": "factors+regression", "augment": "none"},
        {**UNLABELED, "head": "arcface", "freeze": "phase", "average": "swa"},
        {**UNLABELED, "consistency": "fixmatch:weight=2,ratio=7,strong=randaugment+coarse-dropout"},
        {"mix": "half:partner=age=60plus", "augment_rare": "age=60plus:randaugment:ops=3,magnitude=12"},
    ],
)
def test_lets_pass_what_can_be_meant_together(options: dict[str, Any]) -> None:
    made = TrainOptions(**options)
    assert TrainOptions.from_json(made.to_json()) == made
