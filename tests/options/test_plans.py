from __future__ import annotations

from dataclasses import fields
from math import prod
from typing import Any

import pytest

from maskkit.errors import MaskkitError
from maskkit.labels import HOME
from maskkit.options import plans
from maskkit.options.plans import RUNGS, candidates, planned_names
from maskkit.options.train_options import TrainOptions
from maskkit.options.values import parse_size

SOME = (
    {"size": "64x48", "epochs": 4},
    {"size": "64x48", "epochs": 2},
    {"size": "32x24", "epochs": 2, "learning_rate": 1e-3},
)


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "RUNGS", SOME)


def found(*explicit: str, **given: Any) -> list[tuple[str, int, float]]:
    each = candidates(TrainOptions(**given), explicit, HOME)
    return [(one.one("size").name, one.epochs, one.learning_rate) for one in each]


def test_every_rung_is_a_training_and_all_decide_size_and_epochs() -> None:
    assert len(candidates(TrainOptions(), (), HOME)) == len(RUNGS)
    names = {field.name for field in fields(TrainOptions)}
    assert all({"size", "epochs"} <= set(rung) <= names for rung in RUNGS)


def test_each_rung_shows_fewer_pixels_than_those_that_are_better() -> None:
    seen = [prod(parse_size(str(rung["size"]))) * int(rung["epochs"]) for rung in RUNGS]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == len(seen)


@pytest.mark.usefixtures("some")
def test_rungs_change_what_they_name_in_their_order() -> None:
    assert found(learning_rate=0.5) == [("64x48", 4, 0.5), ("64x48", 2, 0.5), ("32x24", 2, 1e-3)]


@pytest.mark.usefixtures("some")
def test_what_was_given_explicitly_stays_and_the_rest_is_chosen() -> None:
    assert found("epochs", epochs=7) == [("64x48", 7, 2e-3), ("32x24", 7, 1e-3)]
    assert found("size", "learning_rate", size="48") == [("48", 4, 2e-3), ("48", 2, 2e-3)]


@pytest.mark.usefixtures("some")
def test_says_what_of_a_rung_was_chosen_as_it_would_be_typed() -> None:
    listed = candidates(TrainOptions(epochs=7), ["epochs"], HOME)
    assert list(listed.values()) == [{"size": "64x48"}, {"size": "32x24", "learning_rate": 1e-3}]


@pytest.mark.usefixtures("some")
def test_is_an_error_if_nothing_is_left_to_plan() -> None:
    with pytest.raises(MaskkitError, match="nothing left for --budget to plan") as caught:
        planned_names(["size", "epochs", "learning_rate"])
    assert "--size and --epochs and --learning-rate" in caught.value.why


@pytest.mark.usefixtures("some")
def test_passes_over_what_contradicts_the_options_given() -> None:
    assert [epochs for _, epochs, _ in found(freeze="phase:epochs=3", epochs=10)] == [4]
    with pytest.raises(MaskkitError, match="--freeze phase lasts 9 of 4 epochs"):
        found(freeze="phase:epochs=9", epochs=10)


def test_passes_over_levels_that_other_labels_do_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    rungs = ({"size": "64", "undersample": "mask=wear:2"}, {"size": "32", "undersample": "helmet=on:2"})
    monkeypatch.setattr(plans, "RUNGS", rungs)
    assert [size for size, *_ in found()] == ["64"]
