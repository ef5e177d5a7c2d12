"""What the tests of trackers tell them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.header import Input, Record
from maskkit.labels import Factor, LabelSpace
from maskkit.tracking.facts import RunFacts
from maskkit.tracking.pictures import PicturedMistake
from maskkit.training.epochs import Epoch

SPACE = LabelSpace((Factor("mask", ("wear", "none")), Factor("age", ("young", "old"))))
CONFUSION = np.diag([5, 3, 2, 1]).astype(np.int64)
OPTIONS: dict[str, Any] = {"fold": 0, "learning_rate": 0.5, "normalize": None, "freeze": True, "workers": 2}


def record(**changes: Any) -> Record:
    return Record("train", OPTIONS | changes, (Input("folds.parquet", "ab" * 32),))


def facts(history: Sequence[Epoch] = (), **changes: Any) -> RunFacts:
    return RunFacts.of(Path("run/fold0.safetensors"), record(**changes), SPACE, history)


def epoch(number: int, *, best: bool = True) -> Epoch:
    """An epoch whose numbers tell which one it is, all with exact float32 values."""
    return Epoch(
        epoch=number,
        train_loss=2.0 + number,
        held_out_loss=1.0 + number,
        scores={"macro_f1": number / 16, "accuracy": number / 8, "age_macro_f1": number / 32},
        learning_rate=0.5**number,
        images_per_second=100.0,
        seconds=2.0,
        is_best=best,
        parts={"joint": 1.5 + number, "regression": 0.5},
    )


def no_mistakes(count: int) -> list[PicturedMistake]:
    raise AssertionError(f"{count} photos were asked for")


def a_mistake(count: int) -> list[PicturedMistake]:
    photo: NDArray[np.uint8] = np.full((8, 6, 3), 200, np.uint8)
    return [PicturedMistake("wear/young", "none/old", 4.25, photo)] * count
