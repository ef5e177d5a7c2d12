"""From options to what a training step moves, and what moves it."""

from __future__ import annotations

import torch
from torch import nn

from maskkit.modeling.device import compiled
from maskkit.modeling.heads import heads_of
from maskkit.modeling.norms import statistics_of
from maskkit.options.techniques import Stepping
from maskkit.options.train_options import TrainOptions
from maskkit.processes.team import Alone
from maskkit.training.average import averaging
from maskkit.training.criterion import Consistency, Criterion, annealing_of
from maskkit.training.first_steps import LOOK_AT, LOOK_AT_SCALED, FirstSteps
from maskkit.training.fold import Fold
from maskkit.training.loop import Learner
from maskkit.training.optimizers import build_optimizer
from maskkit.training.schedule import Schedule


def build_learner(
    model: nn.Module, fold: Fold, options: TrainOptions, *, steps: int, last: int, team: Alone
) -> Learner:
    """Return what steps of a training move: so many of them per epoch, up to the epoch `last`.

    The model is where it will be trained, in its final layout. Device and precision are resolved.

    Raises:
        MaskkitError: An option does not fit the model, or the classes of the fold.
    """
    how, consistency = options.one("optimizer"), options.one("consistency")
    device, stepping = torch.device(options.device), how.part(Stepping)
    optimizer = build_optimizer(model, how, options.learning_rate)
    schedule = Schedule(optimizer, options.one("schedule"), steps_per_epoch=steps, epochs=options.epochs)
    criterion = Criterion(
        fold.class_counts, fold.space, options.chosen("loss"), options.one("class_weights"), device
    )
    is_scaled = options.precision == "float16"
    return Learner(
        model=model,
        network=compiled(model, device) if options.compile else model,
        heads=heads_of(model),
        criterion=annealing_of(consistency, criterion, lambda: schedule.progress),
        consistency=Consistency(consistency),
        optimizer=optimizer,
        scaler=torch.amp.GradScaler(device.type, enabled=is_scaled),
        schedule=schedule,
        average=averaging(model, options.one("average")),
        precision=options.precision,
        clip=stepping.clip,
        accumulate=stepping.accumulate,
        # No later than at the last step.
        first_steps=FirstSteps(
            model, look_at=max(2, min(LOOK_AT_SCALED if is_scaled else LOOK_AT, steps * last))
        ),
        statistics=statistics_of(model),
        team=team,
    )
