"""One fold's training, epoch by epoch: all that changes, which is also all that resuming needs."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit.errors import reason
from maskkit.modeling.device import autocast, prepare
from maskkit.modeling.norms import statistics_of
from maskkit.modeling.runtimes import classifier
from maskkit.options.techniques import AUXILIARY, Stopping
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.predicting.inference import probabilities
from maskkit.processes.team import ALONE, Alone
from maskkit.scoring.metrics import confusion
from maskkit.training.build_learner import build_learner
from maskkit.training.criterion import CONSISTENCY
from maskkit.training.epochs import Epoch, held_out_scores
from maskkit.training.feed import Batch, Feed
from maskkit.training.fold import Fold
from maskkit.training.loop import diverged, train_epoch
from maskkit.training.past_epochs import PastEpochs
from maskkit.training.unfinished import EpochSums, set_torch_random, torch_random
from maskkit.training.unfreezing import Unfreezing
from maskkit.typed_json import Refuse

log = logging.getLogger(__name__)

CHANGING = ("model", "average", "optimizer", "scaler", "schedule")  # what a step changes of the learner


class Trainer:
    """A model, the fold that it learns, and how far it has come.

    It is advanced epoch by epoch with `run_epoch`. All randomness of an epoch follows from the seed
    and the epoch's number, so a run continued from `state` equals one that was never interrupted, also after
    a StopRequested in the middle of an epoch. Device and precision of the options are resolved. It ends with
    the epoch `until`, 0 for all of them; rates and whatever else depends on how many there are stay as they
    would be without. Where the fold holds nobody out, no epoch is scored and the last one's weights are kept.

    Each process of a team has a trainer, and all do the same, at every step and score with a share of the
    photos; between two steps their models are equal, and so is what they know of past epochs.
    """

    def __init__(
        self, model: nn.Module, fold: Fold, options: TrainOptions, *, until: int = 0, team: Alone = ALONE
    ) -> None:
        self.team = team
        self.fold, self.options = fold, options
        self.last = until or options.epochs  # the epoch that ends the training, unless it stops before
        self.device, self.precision = torch.device(options.device), options.precision
        # 1. The model, where and how it will compute: the optimizer must see the final tensors.
        self.model = prepare(model, self.precision, self.device)
        # 2. Which parts of it learn when.
        self.unfreezing = Unfreezing(self.model, options.one("freeze"), epochs=options.epochs)
        # 3. What it learns from, and how many steps that makes.
        self.feed = Feed(fold, options, self.device, team=team)
        # 4. What a step moves, and what moves it.
        self.learner = build_learner(
            self.model, fold, options, steps=self.feed.steps, last=self.last, team=team
        )
        self._network = self.learner.network
        # 5. What has been reached so far.
        self.past = PastEpochs(fold, options.one("schedule").part(Stopping), last=self.last)
        self.sums = EpochSums()  # of the epoch that is being run
        self._unfinished: dict[str, Any] = {}  # what an epoch that was stopped goes on from
        self._started = 0.0
        self._connected: list[bool] = []  # which parameters learn, as the team was told
        self.probs = self.past.probs  # of the last scoring, (held_out, classes)

    @property
    def scored(self) -> nn.Module:
        """The model that is scored and saved: the average if there is one."""
        return self.learner.average.model

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts of the last scoring, (classes, classes); rows are truth."""
        return confusion(self.fold.truth, self.probs.argmax(1), classes=len(self.fold.space))

    @property
    def is_scored(self) -> bool:
        """Whether people are held out on whom it is scored."""
        return len(self.fold.held_out) > 0

    @property
    def is_done(self) -> bool:
        """Whether there are no more epochs to come."""
        return self.past.is_complete

    @property
    def reached(self) -> str:
        """How far it has come, such as "2, after 3 of 12 steps"."""
        return f"{len(self.past) + 1}, after {self.sums.steps} of {self.feed.steps} steps"

    def run_epoch(self) -> Epoch:
        """Train for an epoch, score every held-out photo if there is any, remember the weights to keep."""
        number = len(self.past) + 1
        self._started = started = time.perf_counter() - self.sums.seconds
        parts = self.train(number)
        trained = time.perf_counter()
        loss, scores = self.score() if self.is_scored else (None, {})
        if loss is None:
            self._refuse_non_finite(f"epoch {number}")
        else:
            if not isfinite(loss):  # the last step of an epoch may be the one that breaks the weights
                raise diverged(f"the held-out loss is {loss} after epoch {number}")
            self.learner.schedule.observe(scores["macro_f1"])
        epoch = Epoch(
            epoch=number,
            train_loss=sum(parts.values()),
            parts=parts if len(parts) > 1 else {},
            confident_share=self.learner.consistency.take_share(self.team),
            held_out_loss=loss,
            scores=scores,
            learning_rate=self.learner.schedule.rate,
            images_per_second=self.feed.photos / (trained - started),
            seconds=time.perf_counter() - started,
            is_best=self.is_scored and scores["macro_f1"] > self.past.highest,
        )
        self.past.add(epoch, self.probs, self.scored)
        self.sums, self._unfinished = EpochSums(), {}
        self._warn_of_dominance(parts)
        return epoch

    def _warn_of_dominance(self, parts: dict[str, float]) -> None:
        """Say so if a loss beside the classes' is the larger: it would decide what is learnt."""
        aside = {name: value for name, value in parts.items() if name in AUXILIARY}
        main = sum(parts.values()) - sum(aside.values()) - parts.get(CONSISTENCY, 0.0)
        weights = {head.name: head.settings.get("weight", 1.0) for head in self.options.chosen("head")}
        for name, value in aside.items():
            if value > main:
                less = float(weights[name]) * main / value / 3
                log.warning(
                    "%s has %.3g of the loss, the classes %.3g: give it less weight, such as %s:weight=%.2g",
                    name, value, main, name, less,
                )  # fmt: skip

    def train(self, number: int) -> dict[str, float]:
        """Train for one epoch; return the mean loss by part of the head. `run_epoch` also scores."""
        epochs = self.options.epochs
        batches = self.batches(number)
        parts = train_epoch(self.learner, batches, progress=(number - 1) / epochs, sums=self.sums)
        if not self.sums.is_averaged:
            with autocast(self.device, self.precision):
                self.learner.average.after_epoch(number, epochs, self._images_again(number))
            with self.team.exchanging():
                self.team.mean(statistics_of(self.scored))  # where each has measured its share
        self.sums.is_averaged = True
        return parts

    def _images_again(self, number: int) -> Iterator[Tensor]:
        for batch in self.feed.epoch(number):
            self.team.agree()
            yield batch.images

    def batches(self, number: int, *, is_tracked: bool = True) -> Iterator[Batch]:
        """Begin an epoch, or go on with it, and return what there is to learn in it."""
        # Each process draws its own: what dropout leaves out of one share is not that of another.
        torch.manual_seed(self.options.seed * 100_003 + number + self.team.rank * 1_000_000_007)
        self._network.train()
        self.unfreezing.begin_epoch(number)
        self._connect()
        reached = self._unfinished.get("random", ())
        if len(reached) == self.team.world:  # else it was begun by more processes, or by fewer
            set_torch_random(reached[self.team.rank], self.device)
        return self.feed.epoch(number, is_tracked=is_tracked, after=self.sums.steps)

    def _connect(self) -> None:
        """Let steps be computed with the team; anew, if other parts of the model learn than before."""
        learning = [parameter.requires_grad for parameter in self.model.parameters()]
        if self.team.world > 1 and learning != self._connected:
            self.learner = replace(self.learner, network=self._network)
            gc.collect()  # the hooks of the connection before
            self.learner = replace(self.learner, network=self.team.parallel(self._network))
            self._connected = learning

    def score(self) -> tuple[float, dict[str, float]]:
        """Predict every photo held out; return the loss and the scores."""
        model = classifier(
            self.scored,
            runtime="torch",
            precision="float32" if self.precision == "float16" else self.precision,
            device=self.device,
            size=self.fold.inputs.size,
        )
        how = Inference(self.options.device, self.options.batch_size, self.options.workers)
        fold = self.fold
        self.probs = probabilities(
            model, fold.inputs, fold.held_out, how, classes=len(fold.space), team=self.team
        )
        return held_out_scores(fold.truth, self.probs, fold.space)

    def state(self) -> dict[str, Any]:
        """Return all that changes, as plain values and tensors."""
        return {
            **{name: getattr(self.learner, name).state_dict() for name in CHANGING},
            **self.past.state(),
            "unfinished": self._within() if self.sums.steps else {},
        }

    def _within(self) -> dict[str, Any]:
        """Return what changes within an epoch, and is nothing between two.

        Raises:
            MaskkitError: The weights are no longer finite.
        """
        self._refuse_non_finite(f"step {self.sums.steps} of the epoch")
        self.sums.seconds = time.perf_counter() - self._started
        return {
            "sums": self.sums.state_dict(),
            "confident": self.learner.consistency.all_confident(self.team),
            "random": self.team.gather(torch_random(self.device)),
        }

    def _refuse_non_finite(self, after: str) -> None:
        tensors = self.model.state_dict().values()
        if not all(bool(one.isfinite().all()) for one in tensors if one.is_floating_point()):
            raise diverged(f"weights are no longer finite after {after}")

    def load_state(self, state: Mapping[str, Any], refuse: Refuse) -> None:
        """Continue from what `state` returned; raise a MaskkitError of anything else, by `refuse`."""
        self.past.load_state(state, self.scored, refuse)
        try:
            if unfinished := state.get("unfinished"):
                self._unfinished = dict(unfinished)
                self.sums = EpochSums.from_state(unfinished["sums"], self.device)
                confident = [one.to(self.device) for one in unfinished["confident"]]
                self.learner.consistency.confident = confident if self.team.rank == 0 else []
            for name in CHANGING:
                getattr(self.learner, name).load_state_dict(state[name])
        except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise refuse(reason(error)) from error
