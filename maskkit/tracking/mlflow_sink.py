"""Runs in MLflow, on a server or in a database file."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from PIL.Image import Image

from maskkit.errors import MaskkitError, reason
from maskkit.tracking.facts import RunFacts, plain

TAG = "maskkit.run"  # holds the training's id: MLflow gives ids of its own
EXPERIMENT = "maskkit"  # unless MLFLOW_EXPERIMENT_NAME, MLflow's own variable, names another
MOST_PARAMS = 100  # that MLflow takes at once
# Unless the user sets them. By default MLflow reports each use to its makers, and a server that is gone would
# halt a training for four minutes.
MANNERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
}


class InMlflow:
    """A sink that fills a run, which it finds again by a tag; the target is MLflow's tracking URI.

    Raises:
        MaskkitError: MLflow cannot do anything with the URI.
    """

    def __init__(self, target: str) -> None:
        for name, value in MANNERS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        try:
            self.client: Any = MlflowClient(tracking_uri=target)
        except Exception as error:  # mlflow's errors of this have no common type
            raise MaskkitError(
                f"--track mlflow:{target} cannot be used",
                why=reason(error),
                fix="give an address that MLflow knows, such as mlflow:sqlite:///mlflow.db or "
                "mlflow:http://localhost:5000",
            ) from error
        self.run_id: str | None = None

    def begin(self, facts: RunFacts) -> int:
        """Open a run, or go on with the newest one of the same training."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        found = self.client.get_experiment_by_name(name)
        experiment = str(self.client.create_experiment(name) if found is None else found.experiment_id)
        where, newest = f"tags.`{TAG}` = '{facts.id}'", ["attributes.start_time DESC"]
        if facts.history and (
            earlier := self.client.search_runs([experiment], where, order_by=newest, max_results=1)
        ):
            run_id = str(earlier[0].info.run_id)
            self.client.update_run(run_id, status="RUNNING")
            self.run_id = run_id
            known = self.client.get_metric_history(self.run_id, "train/loss")
            return max((point.step for point in known), default=0)
        if self.run_id is None:  # else an attempt before this one got as far
            tags = {TAG: facts.id}
            self.run_id = self.client.create_run(experiment, tags=tags, run_name=facts.title).info.run_id
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in plain(facts.options).items()]
        for start in range(0, len(params), MOST_PARAMS):
            self.client.log_batch(self.run_id, params=params[start : start + MOST_PARAMS])
        return 0

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log them at the step of the epoch, all or none."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)  # milliseconds; MLflow wants a time with every number
        self.client.log_batch(
            self.run_id, metrics=[Metric(name, value, now, epoch) for name, value in values.items()]
        )

    def picture(self, epoch: int, name: str, image: Image) -> None:
        """Log a picture at the step of the epoch."""
        self.client.log_image(self.run_id, image, key=name, step=epoch)

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        """Log the final numbers as metrics of their own."""
        self.numbers(epoch, values)

    def close(self, *, finished: bool) -> None:
        """End the run as finished or as killed."""
        if self.run_id is not None:
            self.client.set_terminated(self.run_id, status="FINISHED" if finished else "KILLED")
