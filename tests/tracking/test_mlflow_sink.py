"""Against a stand-in for the client, which would pull in a server; by hand it is tried on a database file."""

import os
import sys
from collections import namedtuple
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tracked import CONFUSION, a_mistake, epoch, facts, no_mistakes

from maskkit.errors import MaskkitError
from maskkit.tracking.mlflow_sink import MANNERS
from maskkit.tracking.tracker import open_tracker

Metric = namedtuple("Metric", "key value timestamp step")
Param = namedtuple("Param", "key value")


class Server:
    """What MLflow keeps, and its client at once."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self.experiments: dict[str, str] = {}
        self.runs: list[SimpleNamespace] = []
        self.fails_at_params = False

    def client(self, tracking_uri: str) -> "Server":
        if tracking_uri.startswith("foo"):
            raise ValueError(f"unsupported URI {tracking_uri!r}\nSupported are others")
        self.uris.append(tracking_uri)
        return self

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        found = self.experiments.get(name)
        return None if found is None else SimpleNamespace(experiment_id=found)

    def create_experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments)))

    def create_run(self, experiment_id: str, *, tags: dict[str, str], run_name: str) -> Any:
        run = SimpleNamespace(
            info=SimpleNamespace(run_id=f"r{len(self.runs)}"), experiment=experiment_id,
            name=run_name, tags=tags, metrics=[], params={}, pictures=[], status="RUNNING",
        )  # fmt: skip
        self.runs.append(run)
        return run

    def search_runs(
        self, experiment_ids: list[str], text: str, *, order_by: list[str], max_results: int
    ) -> list[Any]:
        assert experiment_ids == list(self.experiments.values())
        assert order_by == ["attributes.start_time DESC"]
        found = [run for run in self.runs if text == f"tags.`maskkit.run` = '{run.tags['maskkit.run']}'"]
        return found[::-1][:max_results]

    def get_metric_history(self, run_id: str, name: str) -> list[Metric]:
        return [item for item in self[run_id].metrics if item.key == name]

    def log_batch(self, run_id: str, *, metrics: Sequence[Metric] = (), params: Sequence[Param] = ()) -> None:
        if params and self.fails_at_params:
            raise OSError("gone")
        assert len(params) <= 100
        self[run_id].metrics.extend(metrics)
        self[run_id].params.update(dict(params))

    def log_image(self, run_id: str, image: Any, *, key: str, step: int) -> None:
        self[run_id].pictures.append((key, step, image.size[0] > 100))

    def update_run(self, run_id: str, *, status: str) -> None:
        self[run_id].status = status

    set_terminated = update_run

    def __getitem__(self, run_id: str) -> Any:
        return self.runs[int(run_id[1:])]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    for name in ("MLFLOW_EXPERIMENT_NAME", *MANNERS):
        monkeypatch.setenv(name, "")  # so that what the sink sets is taken back, too
        monkeypatch.delenv(name)
    kept = Server()
    client, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    client.__spec__ = ModuleSpec("mlflow", None)
    client.__dict__.update(MlflowClient=kept.client)
    entities.__dict__.update(Metric=Metric, Param=Param)
    monkeypatch.setitem(sys.modules, "mlflow", client)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return kept


def steps(run: Any, name: str) -> list[tuple[int, float]]:
    return [(item.step, item.value) for item in run.metrics if item.key == name]


def test_a_run_has_every_number_picture_and_option(server: Server) -> None:
    with open_tracker("mlflow:http://host:5000,mistakes=1") as tracker:
        tracker.begin(facts())
        for number in (1, 2, 3):
            tracker.epoch(epoch(number, best=number < 3), CONFUSION)
        tracker.end(epoch(2), a_mistake)
    (run,) = server.runs
    assert server.uris == ["http://host:5000"]
    assert (run.name, run.experiment, run.status) == ("run/fold0", "0", "FINISHED")
    assert steps(run, "train/loss") == [(1, 3.0), (2, 4.0), (3, 5.0)]
    assert steps(run, "held_out/loss") == [(1, 2.0), (2, 3.0), (3, 4.0)]
    assert (steps(run, "kept/epoch"), steps(run, "kept/macro_f1")) == ([(2, 2)], [(2, 0.125)])
    assert run.params == {
        "fold": "0", "learning_rate": "0.5", "normalize": "none", "freeze": "true", "workers": "2",
    }  # fmt: skip
    assert run.pictures == [
        ("held_out/confusion", 1, True), ("held_out/confusion", 2, True), ("kept/mistakes", 2, True),
    ]  # fmt: skip


def test_more_options_than_mlflow_takes_at_once_are_kept_all(server: Server) -> None:
    open_tracker("mlflow:sqlite:///a.db").begin(
        facts((), **{f"option{number}": number for number in range(250)})
    )
    assert len(server.runs[0].params) == 255


def test_a_resumed_run_is_found_again_and_told_nothing_twice(server: Server) -> None:
    with open_tracker("mlflow:sqlite:///a.db") as tracker:
        tracker.begin(facts())
        for number in (1, 2):
            tracker.epoch(epoch(number), CONFUSION)
    assert server.runs[0].status == "KILLED"
    with open_tracker("mlflow:sqlite:///a.db") as tracker:
        tracker.begin(facts([epoch(1)]))
        assert server.runs[0].status == "RUNNING"
        for number in (2, 3):
            tracker.epoch(epoch(number), CONFUSION)
        tracker.end(epoch(3), no_mistakes)
    (run,) = server.runs
    assert [step for step, _ in steps(run, "train/loss")] == [1, 2, 3]
    assert (run.params["workers"], run.status) == ("2", "FINISHED")


def test_a_run_resumed_on_another_server_is_told_the_earlier_epochs(server: Server) -> None:
    open_tracker("mlflow:sqlite:///b.db").begin(facts([epoch(1), epoch(2)]))
    assert [step for step, _ in steps(server.runs[0], "train/loss")] == [1, 2]


def test_a_run_that_starts_anew_is_another_run(server: Server) -> None:
    for _ in range(2):
        open_tracker("mlflow:sqlite:///a.db").begin(facts())
    assert len(server.runs) == 2


def test_a_server_that_goes_while_a_run_begins_does_not_make_two(server: Server) -> None:
    server.fails_at_params = True
    tracker = open_tracker("mlflow:sqlite:///a.db")
    tracker.begin(facts())
    tracker.epoch(epoch(1), CONFUSION)
    server.fails_at_params = False
    tracker.end(epoch(1), no_mistakes)
    (run,) = server.runs
    assert run.params["fold"] == "0"
    assert steps(run, "train/loss") == [(1, 3.0)]


def test_the_experiment_may_be_named_as_mlflow_does(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "faces")
    open_tracker("mlflow:sqlite:///a.db").begin(facts())
    assert list(server.experiments) == ["faces"]


def test_mlflows_own_settings_hold_where_the_user_made_some(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "300")
    open_tracker("mlflow:sqlite:///a.db")
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "300"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_an_address_that_mlflow_does_not_know_is_refused_before_training(server: Server) -> None:
    with pytest.raises(MaskkitError, match="foo:bar cannot be used") as caught:
        open_tracker("mlflow:foo:bar")
    assert caught.value.why == "unsupported URI 'foo:bar'"
