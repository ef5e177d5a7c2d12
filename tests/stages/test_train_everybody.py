"""A training that holds nobody out: who is learnt from, what is kept, and that nobody is scored by it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import load_file
from signals import SignalIn, give_signals

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.runs import open_runs
from maskkit.artifacts.script import script
from maskkit.artifacts.stopped import StoppedError
from maskkit.errors import MaskkitError, RefusedError
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.predicting.eligibility import common_fold, eligible_members, seen_rows
from maskkit.progress import shown_by
from maskkit.reporting.pictured import who_explains
from maskkit.scoring.judged import Judged
from maskkit.stages.export import export
from maskkit.stages.predict import predict
from maskkit.stages.show import show
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows
from maskkit.training.likeness import Likeness

CPU = Inference("cpu", 64, 0)


@pytest.fixture(scope="module")
def everybodys(folds: Manifest, quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of everybody. Not to be changed by a test."""
    output = tmp_path_factory.mktemp("all") / "all.safetensors"
    return train(FoldRows.of(folds, None), output, options=quick)


def test_every_labelled_photo_is_trained_on_and_nobody_is_held_out(folds: Manifest) -> None:
    rows = FoldRows.of(folds, None)
    assert (len(rows.training), len(rows.held_out)) == (len(folds), 0)
    assert rows.people_seen().contains(folds.people.names).all()


def test_the_checkpoint_has_no_score_and_the_last_epoch(everybodys: Path, folds: Manifest) -> None:
    checkpoint = Checkpoint.read(everybodys)
    assert (checkpoint.fold, checkpoint.epoch, checkpoint.scores) == (None, 2, {})
    assert checkpoint.seen.contains(folds.people.names).all()
    shown = show(Source.open(everybodys))
    assert shown["fold held out"] == "none: trained on everybody, scored by nobody"
    assert shown["last epoch"] == 2
    assert "best epoch" not in shown
    assert "scores on the held-out fold" not in shown


def test_the_history_file_has_neither_scores_nor_a_best_epoch(everybodys: Path) -> None:
    with everybodys.with_suffix(".history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [name for name in rows[0] if name.startswith("held_out") or name == "is_best"] == []


def test_the_weights_are_those_after_the_last_epoch(
    folds: Manifest, quick: TrainOptions, everybodys: Path, tmp_path: Path
) -> None:
    first = train(FoldRows.of(folds, None), tmp_path / "1.safetensors", options=quick, like=Likeness(1))
    both = train(FoldRows.of(folds, None), tmp_path / "2.safetensors", options=quick, like=Likeness(2))
    assert not same_weights(first, both)
    assert same_weights(both, everybodys)
    assert Checkpoint.read(first).epoch == 1


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = load_file(first), load_file(second)
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_an_end_before_the_last_epoch_leaves_the_schedule_as_it_is(
    folds: Manifest, quick: TrainOptions, tmp_path: Path
) -> None:
    options = replace(quick, epochs=4)
    made = train(FoldRows.of(folds, None), tmp_path / "all.safetensors", options=options, like=Likeness(2))
    with made.with_suffix(".history.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    whole = train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options)
    with whole.with_suffix(".history.csv").open() as file:
        expected = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates == pytest.approx(expected[:2])


def test_its_people_are_refused_wherever_they_would_be_predicted_or_scored(
    everybodys: Path, folds: Manifest, checkpoints: list[Path]
) -> None:
    checkpoint = Checkpoint.read(everybodys)
    for oof in (False, True):
        with pytest.raises(RefusedError):
            predict(folds, [checkpoint], oof=oof, inference=CPU)
    leaked = predict(folds, [checkpoint], inference=CPU, allow_leak=True)
    with pytest.raises(RefusedError):
        Judged.of(folds, [leaked], "whole folds").unseen()
    models = [checkpoint, *map(Checkpoint.read, checkpoints)]
    out_of_fold = predict(folds, models, oof=True, inference=CPU)
    alone = predict(folds, models[1:], oof=True, inference=CPU)
    assert np.array_equal(out_of_fold.need_probs("test"), alone.need_probs("test"))


def test_it_held_no_row_out_whatever_is_allowed(
    everybodys: Path, folds: Manifest, checkpoints: list[Path]
) -> None:
    models = [Checkpoint.read(everybodys), Checkpoint.read(checkpoints[1])]
    unseen = np.zeros_like(seen_rows(folds, models))  # as if the folds were of other people
    allowed = eligible_members(folds, models, unseen, oof=True, allow_leak=True)
    assert not allowed[0].any()
    assert allowed[1].tolist() == (folds.folds == 1).tolist()
    assert not eligible_members(folds, models, unseen, oof=True, allow_leak=False)[0].any()
    assert set(common_fold(models[:1], np.ones((1, 4), np.bool_))) == {-1}
    assert who_explains(folds, models[:1]).max() == -1


def test_other_people_are_predicted_and_it_is_exported(everybodys: Path, labels: Manifest) -> None:
    checkpoint = Checkpoint.read(everybodys)
    assert export(checkpoint)[:1]
    others = labels.then("edit", {"person_id": pa.array(["someone else"] * len(labels))})
    made = predict(others, [checkpoint], inference=CPU)
    assert made.fold is not None
    assert set(made.fold.tolist()) == {-1}


def test_a_comparison_passes_over_it_in_a_folder_and_refuses_it_by_name(
    everybodys: Path, checkpoints: list[Path], tmp_path: Path
) -> None:
    for path in (*checkpoints, everybodys):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (run,) = open_runs([tmp_path])
    assert [one.fold for one in run.trained] == [0, 1, 2]
    with pytest.raises(MaskkitError, match="was trained on everybody, and has no score"):
        open_runs([tmp_path, Source.open(everybodys)])


@pytest.mark.parametrize(
    ("schedule", "until", "says"),
    [
        ("plateau", 0, "--fold none with --schedule plateau"),
        ("cosine:stop=2", 0, "--fold none with --schedule cosine and a stop"),
        ("cosine", 3, "ends with epoch 3 of 2"),
    ],
)
def test_what_waits_for_a_score_or_an_epoch_that_never_comes_is_refused(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, schedule: str, until: int, says: str
) -> None:
    options = replace(quick, schedule=schedule)
    with pytest.raises(MaskkitError, match=says):
        train(FoldRows.of(folds, None), tmp_path / "x.safetensors", options=options, like=Likeness(until))
    assert list(tmp_path.iterdir()) == []


def test_weights_that_are_no_longer_finite_are_refused_without_a_score_too(
    folds: Manifest, quick: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maskkit.training.trainer import Trainer

    trained: Callable[..., dict[str, float]] = Trainer.train

    def broken(trainer: Trainer, number: int) -> dict[str, float]:
        parts = trained(trainer, number)
        next(trainer.model.parameters()).data.fill_(np.nan)
        return parts

    monkeypatch.setattr(Trainer, "train", broken)
    with pytest.raises(MaskkitError, match="no longer finite after epoch 1"):
        train(FoldRows.of(folds, None), tmp_path / "x.safetensors", options=quick)


def test_the_record_makes_it_again(
    folds: Manifest, quick: TrainOptions, checkpoints: list[Path], tmp_path: Path
) -> None:
    like = Likeness(1, tuple(map(Checkpoint.read, checkpoints)))
    made = train(FoldRows.of(folds, None), tmp_path / "all.safetensors", options=quick, like=like)
    header = Checkpoint.read(made).header
    assert [record.stage for record in header.history] == ["label", "split", *["train"] * 4]
    assert header.history[-1].options["fold"] == "none:until=1"
    assert "--fold none:until=1 " in script(header.history, output="x.safetensors").splitlines()[-1]


def test_it_goes_on_from_the_middle_of_an_epoch_to_the_same_bytes(
    folds: Manifest, quick: TrainOptions, everybodys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, output = FoldRows.of(folds, None), tmp_path / "all.safetensors"
    for what in ("epoch 1", "epoch 2"):
        give_signals(monkeypatch)
        with pytest.raises(StoppedError), shown_by(SignalIn(what, after=3)):
            train(rows, output, options=quick, resume=True)
        assert not output.exists()
    give_signals(monkeypatch)
    train(rows, output, options=quick, resume=True)
    assert output.read_bytes() == everybodys.read_bytes()
