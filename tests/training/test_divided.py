from __future__ import annotations

from typing import Any

import pytest

from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.processes import launched
from maskkit.training.divided import refuse_undivided


@pytest.fixture(autouse=True)
def _one_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launched._Part, "is_taken", True)
    names = {"RANK": "0", "WORLD_SIZE": "3", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)


UDA = {"unlabeled": "more.parquet", "head": "joint"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"loss": "ce+f1"}, "--loss f1 is one value of a whole batch"),
        ({"consistency": "uda:annealing=linear", **UDA}, "the photos that stay in a whole batch"),
        ({"batch_size": 2}, "100 photos in batches of 2 leave steps of 2"),
        (
            {"model": "resnet18:batch_norm=synchronised", "device": "cpu"},
            "torch synchronises batch norm on no cpu",
        ),
    ],
)
def test_what_would_be_learnt_otherwise_than_by_one_process_is_refused(
    changes: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TrainOptions(**changes)
    with pytest.raises(MaskkitError) as error:
        refuse_undivided(options, photos=100)
    assert why in error.value.why
    monkeypatch.setenv("WORLD_SIZE", "1")
    refuse_undivided(options, photos=100)


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "ce+ldam"},
        {"consistency": "uda", **UDA},
        {"consistency": "fixmatch", **UDA},
        {"batch_size": 4},
        {"model": "resnet18:batch_norm=synchronised", "device": "cuda"},
    ],
)
def test_what_can_be_divided_is_not(changes: dict[str, Any]) -> None:
    refuse_undivided(TrainOptions(**changes), photos=100)
