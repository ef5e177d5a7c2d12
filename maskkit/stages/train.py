"""Train a model for one fold, and score it on the people held out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch

from maskkit.artifacts.checkpoint import CheckpointFacts
from maskkit.artifacts.header import Header, Record, merged
from maskkit.artifacts.history import damaged
from maskkit.artifacts.locks import held
from maskkit.artifacts.stopped import saved_if_stopped
from maskkit.modeling.constructor import typed
from maskkit.modeling.device import compute_as_begun, recorded_processes, recorded_threads, threads_of
from maskkit.modeling.mean_weights import has_batch_norm
from maskkit.options.contradictions import check_unscored
from maskkit.options.model_settings import for_constructor
from maskkit.options.techniques import ModelSettings
from maskkit.options.train_options import TrainOptions
from maskkit.processes.jobs import helped
from maskkit.processes.team import Alone, Team
from maskkit.stopping import StopRequested, deferred
from maskkit.storage.address import PathOrAddress
from maskkit.tracking.facts import RunFacts
from maskkit.tracking.pictures import pictured
from maskkit.tracking.tracker import Tracker
from maskkit.training.epochs import Epoch
from maskkit.training.fold_rows import FoldRows
from maskkit.training.likeness import Likeness
from maskkit.training.place import Place
from maskkit.training.setup import Start, inputs_of, settled, start
from maskkit.training.trainer import Trainer

log = logging.getLogger(__name__)

Output = TypeVar("Output", bound=PathOrAddress)


def train(
    rows: FoldRows,
    output: Output,
    *,
    options: TrainOptions | None = None,
    like: Likeness | None = None,
    resume: bool = False,
    force: bool = False,
    tracker: Tracker | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Output:
    """Train on every fold but one and write the last epoch's weights to `output`, a `.safetensors` file.

    If the schedule keeps the best, or stops early, the weights are those of the epoch with the best score. If
    `rows` hold no fold out, it is trained on everybody and scored by nobody; `like` says which epoch is the
    last, and which models it is made like.

    Beside it, `<name>.history.csv` grows by a row per epoch, and `<name>.resume` holds what is needed
    to go on after an interruption; the latter is removed when the checkpoint is written. With `resume`, an
    interrupted run of the same options and inputs is gone on with, if there is one; with `force`, it or an
    existing checkpoint is replaced. `on_epoch` is called after each epoch.

    Raises:
        MaskkitError: Anything that can be found out before the first step, another run that makes the same
            file, or a loss that is not finite.
        StoppedError: The process was asked to end; the training goes on from after its last step.
    """
    # Another number of threads may be set by a run that is gone on with, until it is finished.
    with held(output), threads_of(torch.get_num_threads()):
        place = Place(output, resume=resume, force=force)
        begun = None if place.earlier is None else place.earlier.options
        options = _as_begun(settled(options or TrainOptions(), begun=begun), place)
        like = like or Likeness()
        if rows.fold is None:
            check_unscored(options.one("schedule"), epochs=options.epochs, until=like.until)
        settings = {
            "fold": f"none:until={like.until}" if rows.fold is None else rows.fold,
            **options.to_json(), **rows.options,
        }  # fmt: skip
        found = {**recorded_threads(options.device), **recorded_processes(place.earlier)}
        record = Record("train", settings, (*inputs_of(rows, options), *like.inputs), found=found)
        if not place.is_finished(record):
            place.refuse_existing(record)
            with helped(_help, rows, options, until=like.until, threads=torch.get_num_threads()) as team:
                ready = start(rows, options, team=team)
                _run(ready, rows, record, place, tracker or Tracker(), on_epoch, like=like, team=team)
        place.clear()
    return output


def _run(
    ready: Start,
    rows: FoldRows,
    record: Record,
    place: Place,
    tracker: Tracker,
    on_epoch: Callable[[Epoch], None] | None,
    *,
    like: Likeness,
    team: Alone,
) -> None:
    """Train, epoch by epoch, and write what that makes."""
    record = replace(record, options={**record.options, "precision": ready.options.precision})
    trainer = Trainer(ready.trainable, ready.fold, ready.options, until=like.until, team=team)
    log.info("%d photos per epoch, in %d steps", trainer.feed.photos, trainer.feed.steps)
    if team.world > 1:
        _say_how_divided(ready, team)
    if rows.fold is None:
        log.info("trained on everybody, scored by nobody: the weights after epoch %d are kept", trainer.last)
    state = team.same({} if place.begun is None else place.begun.state_for(record))
    if place.begun is not None:
        trainer.load_state(state, partial(damaged, place.state))
        state.clear()  # copies of all that the trainer has
        log.info("resumed %s in epoch %s", place.state, trainer.reached)
    with tracker as log_to:
        log_to.begin(RunFacts.of(place.output, record, rows.manifest.space, trainer.past.history))

        def save() -> None:
            place.save(record, trainer.state())

        with saved_if_stopped(place.state, save, reached=lambda: f" in epoch {trainer.reached}"):
            while not trainer.is_done:
                epoch = trainer.run_epoch()
                log_to.epoch(epoch, trainer.confusion)
                # After the trackers: what is resumed has been logged. Before the history file: one without a
                # state beside it is of another training, and not replaced.
                save()
                place.write_history(trainer.past.history)
                if on_epoch is not None:
                    on_epoch(epoch)
        place.write_history(trainer.past.history)  # once more, for a run that was killed before it could
        if (worth := trainer.past.worth) is not None:
            log.info("%s", worth.sentence(f"epoch {trainer.past.kept.epoch}"))
        _write_kept(place, ready, trainer, rows, (*merged([like.history, rows.history]), record))
        fold = trainer.fold
        wrong = partial(pictured, ready.photos, fold.held_out, fold.truth, trainer.past.probs, fold.space)
        log_to.end(trainer.past.kept, wrong)


def _say_how_divided(ready: Start, team: Alone) -> None:
    hosts = len(set(team.hosts))
    log.info(
        "each step's %d photos are divided among %d processes%s",
        *(ready.options.batch_size, team.world, f" on {hosts} hosts" if hosts > 1 else ""),
    )
    if has_batch_norm(ready.trainable):
        how = ready.options.batch_norm
        over = "its own share" if how == "own" else "the whole batch"
        log.info("batch norm of each process is over %s (batch_norm=%s of --model)", over, how)


def _help(team: Team, rows: FoldRows, options: TrainOptions, *, until: int, threads: int) -> None:
    """Train as the first process of a team does, which writes what is made."""
    with threads_of(threads):
        ready = start(rows, options, team=team)
        trainer = Trainer(ready.trainable, ready.fold, ready.options, until=until, team=team)
        if state := team.same(dict[str, Any]()):
            trainer.load_state(state, partial(damaged, Path()))
        try:
            with deferred():
                while not trainer.is_done:
                    trainer.run_epoch()
        except StopRequested:
            trainer.state()  # of which the first process saves what each of them knows
            raise


def _write_kept(
    place: Place, ready: Start, trainer: Trainer, rows: FoldRows, history: tuple[Record, ...]
) -> None:
    """Write the checkpoint of the epoch that is kept: the whole model, also if only its head has learnt."""
    kept, model = trainer.past.kept, trainer.options.one("model")
    facts = CheckpointFacts(
        model=model.name,
        pool=model.part(ModelSettings).pool,
        model_settings=typed(model.name, for_constructor(model)),
        heads=[str(head) for head in trainer.options.chosen("head")],
        preprocess=ready.photos.preprocess,
        precision=trainer.precision,
        fold=rows.fold,
        epoch=kept.epoch,
        scores={} if kept.held_out_loss is None else {**kept.scores, "loss": kept.held_out_loss},
        seen=rows.people_seen(),
    )
    header = Header("checkpoint", rows.manifest.space, history, facts.to_json())
    ready.trainable.load_state_dict(trainer.past.weights)
    place.write_checkpoint(ready.model.state_dict(), header)


def _as_begun(options: TrainOptions, place: Place) -> TrainOptions:
    """Take precision and threads of the run that is gone on with: another machine might choose otherwise."""
    earlier = place.earlier
    if earlier is None:
        return options
    compute_as_begun(earlier)
    if options.precision != "auto":
        return options
    return replace(options, precision=earlier.options.get("precision", options.precision))
