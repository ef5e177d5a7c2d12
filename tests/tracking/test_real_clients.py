"""The extras' own clients, where they are installed: what the stand-ins of the other tests cannot tell."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tracked import CONFUSION, a_mistake, epoch, facts

from maskkit.tracking.tracker import open_tracker

pytestmark = pytest.mark.filterwarnings("ignore")  # the clients' own


def tell_in_two_parts(text: str) -> None:
    """Tell a run that is interrupted after its third epoch, gone on with after the second, and ends."""
    for done, numbers in ((0, range(1, 4)), (2, range(3, 6))):
        with open_tracker(text) as tracker:
            tracker.begin(facts([epoch(number) for number in range(1, done + 1)]))
            for number in numbers:
                tracker.epoch(epoch(number, best=number < 5), CONFUSION)
            if done:
                tracker.end(epoch(4), a_mistake)


def test_mlflow_has_every_epoch_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")  # it is imported before the sink can say so
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)  # MLflow keeps pictures in the folder it is used in
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    tell_in_two_parts(f"mlflow:sqlite:///{tmp_path}/runs.db,mistakes=2")
    assert not [item for item in caplog.records if item.name.startswith("maskkit")]
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/runs.db")
    (run,) = client.search_runs([client.get_experiment_by_name("maskkit").experiment_id])
    for name in ("train/loss", "held_out/loss", "train/regression", "held_out/age_macro_f1"):
        assert [item.step for item in client.get_metric_history(run.info.run_id, name)] == [1, 2, 3, 4, 5]
    assert (run.data.metrics["kept/epoch"], run.data.metrics["kept/macro_f1"]) == (4, 0.25)
    assert (run.info.status, run.data.params["freeze"]) == ("FINISHED", "true")
    pictures = [path.name.partition("+timestamp")[0] for path in tmp_path.rglob("*.png")]
    assert sorted(pictures) == [
        "best~mistakes+step+4", *(f"held_out~confusion+step+{number}" for number in (1, 2, 3, 4)),
    ]  # fmt: skip
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    np.testing.assert_equal(np.random.get_state(), before[2])  # noqa: NPY002


def test_wandb_works_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    tell_in_two_parts("wandb:masks,mistakes=2")
    assert not [item for item in caplog.records if item.name.startswith("maskkit")]
    runs = sorted(tmp_path.glob(f"wandb/offline-run-*-{facts().id}"))
    assert runs
    kept = b"".join(path.read_bytes() for path in runs[-1].glob("*.wandb"))
    assert all(name in kept for name in (b"train/loss", b"held_out/loss", b"kept/macro_f1", b"learning_rate"))
    assert {path.name for path in runs[-1].glob("files/*")} == {"media"}  # no code, no list of packages
    assert {path.name.rpartition("_")[0] for path in runs[-1].rglob("*.png")} >= {"confusion_4", "mistakes_5"}
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    np.testing.assert_equal(np.random.get_state(), before[2])  # noqa: NPY002
