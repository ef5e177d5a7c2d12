"""The training loop of one fold, from the first photo to the best weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from maskkit.config import TrainOptions
from maskkit.errors import MaskkitError
from maskkit.imaging.dataset import batch_count, batches, shuffled
from maskkit.modeling.backbone import parameter_groups
from maskkit.modeling.compiled import compiled
from maskkit.modeling.losses import LOSSES
from maskkit.modeling.losses.class_weights import class_weights
from maskkit.modeling.losses.cross_entropy import soft_targets
from maskkit.modeling.precision import autocast, prepare
from maskkit.modeling.runtimes import classifier
from maskkit.progress import Track, untracked
from maskkit.training.ema import Average
from maskkit.training.fold import Fold
from maskkit.training.history import Epoch, held_out_scores
from maskkit.training.inference import probabilities
from maskkit.training.schedule import cosine

CHECK_EVERY = 20  # steps between looks at the loss for NaN; each look makes a GPU wait


class Trainer:
    """Everything that changes while a fold is trained, which is also everything that resuming needs.

    It is advanced epoch by epoch with `run_epoch`. All randomness of an epoch follows from the seed
    and the epoch's number, so a run continued from `state` equals one that was never interrupted.
    """

    def __init__(
        self,
        model: nn.Module,
        fold: Fold,
        options: TrainOptions,
    ) -> None:
        self.fold, self.options = fold, options
        self.device = torch.device(options.device)  # `auto` has been resolved by now, as has precision
        self.precision = options.precision
        # 1. The model, where and how it will compute: the optimizer must see the final tensors.
        self.model = prepare(model, self.precision, self.device)
        # 2. Its average, which starts from the same weights.
        self.average = Average(self.model, decay=options.ema) if options.ema else None
        # 3. What computes a step; the model keeps its names, for states and copies.
        self.network = compiled(self.model, self.device) if options.compile else self.model
        # 4. The optimizer, and the schedule that moves its rates at every step.
        self.optimizer = torch.optim.AdamW(
            parameter_groups(
                self.model,
                learning_rate=options.learning_rate,
                head_learning_rate=options.head_learning_rate,
                weight_decay=options.weight_decay,
            ),
            fused=True,  # one pass over the weights, on every kind of device
        )
        self.steps = batch_count(len(fold.training), options.batch_size)  # per epoch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            partial(
                cosine, steps=self.steps * options.epochs, warmup_steps=round(self.steps * options.warmup)
            ),
        )
        # 5. The loss, which knows the rare classes from the training rows alone.
        counts = torch.from_numpy(fold.class_counts)
        weights = class_weights(counts, scheme=options.class_weights).to(self.device)
        extra = {"gamma": options.gamma} if options.loss == "focal" else {}
        self.criterion = partial(LOSSES[options.loss], weight=weights, **extra)
        # 6. What has been reached so far.
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    @property
    def scored(self) -> nn.Module:
        """The model that is scored and saved: the average if there is one."""
        return self.model if self.average is None else self.average.model

    @property
    def best_epoch(self) -> Epoch:
        """The epoch of the highest macro-F1; the first of them if several are equal."""
        return next(epoch for epoch in reversed(self.history) if epoch.is_best)

    @property
    def is_done(self) -> bool:
        """Whether all epochs ran, or patience ran out."""
        if len(self.history) >= self.options.epochs:
            return True
        patience = self.options.patience
        return 0 < patience <= len(self.history) - (self.best_epoch.epoch if self.history else 0)

    def run_epoch(self, track: Track = untracked) -> Epoch:
        """Train on every training photo once, score every held-out photo, remember the best weights."""
        number = len(self.history) + 1
        started = time.perf_counter()
        torch.manual_seed(self.options.seed * 100_003 + number)
        train_loss = self.train(number, track)
        trained = time.perf_counter()
        loss, scores = self._score(track)
        if not isfinite(loss):  # the last step of an epoch may be the one that breaks the weights
            raise _diverged(f"the held-out loss is {loss} after epoch {number}")
        best = max((epoch.scores["macro_f1"] for epoch in self.history), default=-1.0)
        epoch = Epoch(
            epoch=number,
            train_loss=train_loss,
            held_out_loss=loss,
            scores=scores,
            learning_rate=float(self.schedule.get_last_lr()[0]),
            images_per_second=len(self.fold.training) / (trained - started),
            seconds=time.perf_counter() - started,
            is_best=scores["macro_f1"] > best,
        )
        if epoch.is_best:
            self.best = {name: tensor.detach().clone() for name, tensor in self.scored.state_dict().items()}
        self.history.append(epoch)
        return epoch

    def train(self, number: int, track: Track = untracked) -> float:
        """Train on every training photo once; return the mean loss. `run_epoch` also scores."""
        fold, options = self.fold, self.options
        target_of = torch.tensor(fold.target).to(self.device)  # once: a copy per step would make a GPU wait
        weight_of = torch.tensor(fold.weight).to(self.device)
        self.network.train()
        total = torch.zeros((), device=self.device)
        for step, (rows, values) in enumerate(track(self._batches(number), self.steps, f"epoch {number}"), 1):
            images = fold.inputs.prepare(values, self.device)  # (N, 3, H, W)
            these = rows.to(self.device, non_blocking=True)
            target = soft_targets(
                target_of[these], classes=len(fold.space), smoothing=options.label_smoothing
            )  # (N, C)
            weight = weight_of[these]  # (N,)
            with autocast(self.device, self.precision):
                logits = self.network(images)
            losses = self.criterion(logits, target)  # (N,)
            loss = (losses * weight).sum() / weight.sum()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if options.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), options.clip)
            self.optimizer.step()
            self.schedule.step()  # per step, not per epoch
            if self.average is not None:
                self.average.update()
            total += (losses.detach() * weight).sum()  # stays on the device: no sync per step
            if step % CHECK_EVERY == 0 or step == self.steps:
                _stop_on_nan(total, number, step)
        return float(total) / float(fold.weight[fold.training].sum())  # each of them was seen once

    def _batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        return batches(
            self.fold.inputs,
            shuffled(
                self.fold.training,
                seed=self.options.seed,
                epoch=number,
                augment=self.fold.vary,
            ),
            batch_size=self.options.batch_size,
            workers=self.options.workers,
            pin_memory=self.device.type == "cuda",
        )

    def _score(self, track: Track) -> tuple[float, dict[str, float]]:
        model = classifier(
            self.scored,
            runtime="torch",
            precision=self.precision,
            device=self.device,
            size=self.fold.inputs.size,
        )
        probs = probabilities(
            [model],
            self.fold.inputs,
            self.fold.held_out,
            classes=len(self.fold.space),
            device=self.device,
            batch_size=self.options.batch_size,
            workers=self.options.workers,
            track=track,
        )[0]
        return held_out_scores(self.fold.label[self.fold.held_out], probs, self.fold.space)

    def state(self) -> dict[str, Any]:
        """Return all that changes, as plain values and tensors."""
        return {
            "model": self.model.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(state["model"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best = state["best"]


def _stop_on_nan(total: Tensor, epoch: int, step: int) -> None:
    if not bool(total.isfinite()):
        first = max(1, step - CHECK_EVERY + 1)
        raise _diverged(
            f"the training loss is no longer finite (epoch {epoch}, between steps {first} and {step})"
        )


def _diverged(what: str) -> MaskkitError:
    return MaskkitError(
        what,
        why="the weights have diverged; going on would save a broken model",
        fix="lower --learning-rate and --head-learning-rate, or use --precision float32, with --force to "
        "start anew; what was saved after the last epoch is unchanged",
    )
