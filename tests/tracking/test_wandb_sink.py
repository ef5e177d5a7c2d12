"""Against a stand-in for the client, which would ask for a key and a server; by hand it is tried offline."""

import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tracked import CONFUSION, OPTIONS, a_mistake, epoch, facts, no_mistakes

from maskkit.tracking.tracker import open_tracker


class Run:
    """What `wandb.init` returns: steps only grow, and a table shows the last value unless told otherwise."""

    def __init__(self, given: Mapping[str, Any], *, step: int) -> None:
        self.given, self.starting_step, self.resumed = given, step, step > 0
        self.logged: dict[int, dict[str, Any]] = {}
        self.summary: dict[str, Any] = {}
        self.exit_code: int | None = None
        self.hidden: list[str] = []

    def define_metric(self, name: str, *, summary: str) -> None:
        assert summary == "none"
        self.hidden.append(name)

    def log(self, values: Mapping[str, Any], *, step: int) -> None:
        assert step >= max(self.logged, default=0), "wandb drops what is logged for a step that is past"
        self.logged.setdefault(step, {}).update(values)

    def finish(self, *, exit_code: int) -> None:
        self.exit_code = exit_code


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """The runs that are opened, the second as one that knows the first two epochs."""
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # set by the sink, and taken back after the test
    opened: list[Run] = []

    def init(**given: Any) -> Run:
        opened.append(Run(given, step=3 if given["resume"] and opened else 0))
        return opened[-1]

    client = ModuleType("wandb")
    client.__spec__ = ModuleSpec("wandb", None)
    client.__dict__.update(init=init, Settings=SimpleNamespace)
    client.__dict__.update(Image=lambda image, caption: ("image", image.size, caption))
    monkeypatch.setitem(sys.modules, "wandb", client)
    return opened


def test_a_run_has_the_trainings_id_name_and_options(runs: list[Run]) -> None:
    open_tracker("wandb:team/masks").begin(facts())
    given = runs[0].given
    assert (given["entity"], given["project"], given["group"]) == ("team", "masks", "run")
    assert (given["id"], given["name"], given["config"]) == (facts().id, "run/fold0", OPTIONS)
    assert given["resume"] is None  # a run that starts anew replaces an older one


def test_neither_code_nor_terminal_nor_machine_is_sent(runs: list[Run]) -> None:
    open_tracker("wandb:masks").begin(facts())
    settings = runs[0].given["settings"]
    assert (settings.console, settings.disable_code, settings.disable_git) == ("off", True, True)
    assert (settings.x_disable_meta, settings.x_disable_stats, settings.host) == (True, True, "")
    assert settings.x_save_requirements is False


def test_epochs_are_steps_and_the_summary_is_the_best_of_them(runs: list[Run]) -> None:
    with open_tracker("wandb:masks") as tracker:
        tracker.begin(facts())
        for number in (1, 2, 3):
            tracker.epoch(epoch(number, best=number < 3), CONFUSION)
        tracker.end(epoch(2), no_mistakes)
    (run,) = runs
    assert {step: values["held_out/loss"] for step, values in run.logged.items()} == {1: 2.0, 2: 3.0, 3: 4.0}
    assert [step for step, values in run.logged.items() if "held_out/confusion" in values] == [1, 2]
    assert (run.summary["kept/epoch"], run.summary["kept/macro_f1"]) == (2, 0.125)
    assert run.hidden == ["train/*", "held_out/*"]  # else the table of runs would show the last epoch's
    assert run.exit_code == 0


def test_mistakes_of_an_earlier_epoch_join_the_last_step(runs: list[Run]) -> None:
    tracker = open_tracker("wandb:masks,mistakes=1")
    tracker.begin(facts())
    for number in (1, 2):
        tracker.epoch(epoch(number, best=number == 1), CONFUSION)
    tracker.end(epoch(1), a_mistake)
    assert runs[0].logged[2]["kept/mistakes"][2] == "epoch 1"


def test_a_resumed_run_goes_on_where_the_service_is(runs: list[Run]) -> None:
    with open_tracker("wandb:masks") as tracker:
        tracker.begin(facts())
        for number in (1, 2):
            tracker.epoch(epoch(number), CONFUSION)
    with open_tracker("wandb:masks") as tracker:
        tracker.begin(facts([epoch(1)]))  # the second was told, but the state not saved
        for number in (2, 3):
            tracker.epoch(epoch(number), CONFUSION)
    first, second = runs
    assert first.exit_code == 1
    assert second.given["id"] == first.given["id"]
    assert second.given["resume"] == "allow"
    assert list(second.logged) == [3]


def test_a_run_that_cannot_be_resumed_offline_is_told_all_epochs_again(runs: list[Run]) -> None:
    tracker = open_tracker("wandb:masks")
    tracker.begin(facts([epoch(1), epoch(2)]))  # no run was opened before: the step is 0
    tracker.epoch(epoch(3), CONFUSION)
    assert list(runs[0].logged) == [1, 2, 3]
