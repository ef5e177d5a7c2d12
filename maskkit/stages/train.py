"""Train a model for one fold, and keep the weights that score best on the people held out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskkit.artifacts.checkpoint import CheckpointFacts, checkpoint_header, write_checkpoint
from maskkit.artifacts.files import Source, refuse_existing, write_whole
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.history import damaged, differences, refuse_to_lose
from maskkit.artifacts.stopped import saved_if_stopped
from maskkit.errors import MaskkitError
from maskkit.modeling.constructor import typed
from maskkit.options.model_settings import for_constructor
from maskkit.options.techniques import ModelSettings
from maskkit.options.train_options import TrainOptions
from maskkit.tracking.facts import RunFacts
from maskkit.tracking.pictures import pictured
from maskkit.tracking.tracker import Tracker
from maskkit.training.epochs import Epoch, to_csv
from maskkit.training.fold_rows import FoldRows
from maskkit.training.setup import Start, inputs_of, settled, start
from maskkit.training.trainer import RESUME, Trainer, begun_with, load_state, resume_path, save_state

log = logging.getLogger(__name__)


def train(
    rows: FoldRows,
    output: Path,
    *,
    options: TrainOptions | None = None,
    resume: bool = False,
    force: bool = False,
    tracker: Tracker | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Path:
    """Train on every fold but one and write the best checkpoint to `output`, a `.safetensors` file.

    Beside it, `<name>.history.csv` grows by a row per epoch, and `<name>.resume` holds what is needed
    to go on after an interruption; the latter is removed when the checkpoint is written. With `resume`, an
    interrupted run of the same options and inputs is gone on with, if there is one; with `force`, it or an
    existing checkpoint is replaced. `on_epoch` is called after each epoch.

    Raises:
        MaskkitError: Anything that can be found out before the first step, or a loss that is not finite.
        StoppedError: The process was asked to end; the training goes on from after its last step.
    """
    state_file = resume_path(output)
    goes_on = resume and not force and state_file.exists()
    is_finished = resume and not force and output.exists() and not goes_on
    options = _as_begun(
        settled(options or TrainOptions()), state_file if goes_on else output if is_finished else None
    )
    settings = {"fold": rows.fold, **options.to_json(), **rows.options}
    record = Record("train", settings, inputs_of(rows, options))
    if is_finished:
        _check_finished(output, record)
        return output
    # Whoever began the training that is gone on with allowed for an existing checkpoint then.
    refuse_existing(output, force=force or goes_on)
    refuse_to_lose(state_file, "training", resume=resume, force=force)

    ready = start(rows, options)
    record = replace(record, options={**record.options, "precision": ready.options.precision})
    trainer = Trainer(ready.trainable, ready.fold, ready.options)
    log.info("%d photos per epoch, in %d steps", trainer.feed.photos, trainer.feed.steps)
    if goes_on:
        trainer.load_state(load_state(state_file, record), partial(damaged, state_file))
        log.info("resumed %s in epoch %s", state_file, trainer.reached)
    with tracker or Tracker() as log_to:
        log_to.begin(RunFacts.of(output, record, rows.manifest.space, trainer.history))
        with saved_if_stopped(
            state_file,
            lambda: save_state(state_file, record, trainer.state()),
            reached=lambda: f" in epoch {trainer.reached}",
        ):
            while not trainer.is_done:
                epoch = trainer.run_epoch()
                write_whole(output.with_suffix(".history.csv"), to_csv(trainer.history))
                log_to.epoch(epoch, trainer.confusion)
                save_state(state_file, record, trainer.state())  # last: what is resumed has been logged
                if on_epoch is not None:
                    on_epoch(epoch)
        _write_best(output, ready, trainer, rows, record)
        fold = trainer.fold
        wrong = partial(pictured, ready.photos, fold.held_out, fold.truth, trainer.best_probs, fold.space)
        log_to.end(trainer.best_epoch, wrong)
    state_file.unlink(missing_ok=True)
    return output


def _write_best(output: Path, ready: Start, trainer: Trainer, rows: FoldRows, record: Record) -> None:
    """Write the checkpoint of the best epoch: the whole model, also if only its head has learnt."""
    best, model = trainer.best_epoch, trainer.options.one("model")
    facts = CheckpointFacts(
        model=model.name,
        pool=model.part(ModelSettings).pool,
        model_settings=typed(model.name, for_constructor(model)),
        heads=[str(head) for head in trainer.options.chosen("head")],
        preprocess=ready.photos.preprocess,
        precision=trainer.precision,
        fold=rows.fold,
        epoch=best.epoch,
        scores={**best.scores, "loss": best.held_out_loss},
        seen=rows.people_seen(),
    )
    header = Header("checkpoint", rows.manifest.space, (*rows.history, record), facts.to_json())
    ready.trainable.load_state_dict(trainer.best)
    write_checkpoint(output, ready.model.state_dict(), header)


def _as_begun(options: TrainOptions, begun: Path | None) -> TrainOptions:
    """Take the precision of the run that left a file: another processor might choose otherwise."""
    if options.precision != "auto" or begun is None:
        return options
    earlier = begun_with(begun) if begun.suffix == RESUME else _trained(begun)
    return replace(options, precision=earlier.options.get("precision", options.precision))


def _trained(checkpoint: Path) -> Record:
    return checkpoint_header(Source.open(checkpoint)).history[-1]


def _check_finished(output: Path, record: Record) -> None:
    if changed := differences(_trained(output), record):
        raise MaskkitError(
            f"{output} was trained with other settings: {'; '.join(changed)}",
            why="--resume goes on with the same training, and this one is finished",
            fix=f"see `maskkit show {output} --history`; use --force to train anew, or another -o",
        )
    log.info("%s is trained already", output)
