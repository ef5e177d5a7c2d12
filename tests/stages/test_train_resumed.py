import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from json import dumps
from pathlib import Path

import numpy as np
import pytest
import torch
from forked import run_forked
from safetensors.numpy import load_file

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.locks import held
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.options.train_options import Precision, TrainOptions
from maskkit.progress import Item, Measured, shown_by
from maskkit.stages.train import train
from maskkit.training.epochs import Epoch
from maskkit.training.fold_rows import FoldRows
from maskkit.training.place import resume_path

EPOCHS = 3
CUT_SHORT = """
import json, os, signal, sys
from pathlib import Path

from maskkit.artifacts.manifest import Manifest
from maskkit.options.train_options import TrainOptions
from maskkit.progress import shown_by
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows


def killing(items, total, what):
    for step, item in enumerate(items, 1):
        yield item
        if (what, step) == ("epoch 2", 3):
            os.kill(os.getpid(), signal.SIGKILL)


options = TrainOptions.from_json(json.loads(sys.argv[3]))
with shown_by(killing):
    train(FoldRows.of(Manifest.read(sys.argv[1]), 0), Path(sys.argv[2]), options=options)
"""


class StoppedError(Exception):
    """Raised where a person might press Ctrl-C."""


@dataclass(frozen=True)
class StopAfter:
    """Stops a training when an epoch has ended."""

    epoch: int

    def __call__(self, epoch: Epoch) -> None:
        if epoch.epoch == self.epoch:
            raise StoppedError


@dataclass(frozen=True)
class StopIn:
    """Stops a training in the middle of its work on an epoch, or of scoring the first."""

    what: str

    def __call__(self, items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
        done = 0
        for item in items:
            if what == self.what and done >= total // 2:
                raise StoppedError
            yield item
            done += items.size(item) if isinstance(items, Measured) else 1


PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


@pytest.fixture(scope="module")
def options(quick: TrainOptions) -> TrainOptions:
    return replace(quick, epochs=EPOCHS)


@pytest.fixture(scope="module")
def whole(
    folds: Manifest, options: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> dict[Precision, Path]:
    """What a training that was never interrupted leaves, in each precision."""
    folder = tmp_path_factory.mktemp("whole")
    return {
        precision: train(
            FoldRows.of(folds, 0),
            folder / f"{precision}.safetensors",
            options=replace(options, precision=precision),
        )
        for precision in PRECISIONS
    }


@pytest.fixture(scope="module")
def uninterrupted(whole: dict[Precision, Path]) -> Path:
    return whole["float32"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "fold0.safetensors"


def interrupt(folds: Manifest, output: Path, options: TrainOptions, after: int = 1) -> None:
    with pytest.raises(StoppedError):
        train(FoldRows.of(folds, 0), output, options=options, on_epoch=StopAfter(after))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("after", range(1, EPOCHS + 1))
def test_goes_on_between_epochs_as_if_never_interrupted(
    folds: Manifest,
    options: TrainOptions,
    whole: dict[Precision, Path],
    output: Path,
    after: int,
    precision: Precision,
) -> None:
    options = replace(options, precision=precision)
    interrupt(folds, output, options, after)
    assert not output.exists()
    train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert output.read_bytes() == whole[precision].read_bytes()
    assert not resume_path(output).exists()
    history = output.with_suffix(".history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history[1:]] == [str(number + 1) for number in range(EPOCHS)]


def test_auto_goes_on_in_the_precision_in_which_the_run_began(
    folds: Manifest,
    options: TrainOptions,
    whole: dict[Precision, Path],
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Precision] = ["float32", "bfloat16"]
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr("maskkit.training.starting_model.precision_for", lambda *_: answers.pop())
    options = replace(options, precision="auto")
    interrupt(folds, output, options)
    assert answers == ["float32"]
    for _ in range(2):  # it is gone on with, then found to be finished
        train(FoldRows.of(folds, 0), output, options=options, resume=True)
        assert output.read_bytes() == whole["bfloat16"].read_bytes()
    assert answers == ["float32"]


@pytest.mark.parametrize("what", ["epoch 1", "epoch 2", "photos"])
def test_goes_on_from_the_middle_of_an_epoch(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path, what: str
) -> None:
    with pytest.raises(StoppedError), shown_by(StopIn(what)):
        train(FoldRows.of(folds, 0), output, options=options)
    train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert output.read_bytes() == uninterrupted.read_bytes()


def test_goes_on_after_kill_9(folds: Manifest, options: TrainOptions, output: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "folds.parquet"
    folds.write(manifest)
    arguments = [str(manifest), str(output), dumps(options.to_json())]
    threads = f"import torch\ntorch.set_num_threads({torch.get_num_threads()})"
    code, _, said = run_forked(*arguments, code=threads + CUT_SHORT)
    assert code == -signal.SIGKILL, said
    assert not output.exists()
    given = Manifest.read(manifest)
    train(FoldRows.of(given, 0), output, options=options, resume=True)
    whole = train(FoldRows.of(given, 0), tmp_path / "whole.safetensors", options=options)
    assert output.read_bytes() == whole.read_bytes()


def test_goes_on_with_another_number_of_workers(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    interrupt(folds, output, options)
    train(FoldRows.of(folds, 0), output, options=replace(options, workers=1), resume=True)
    ours, theirs = load_file(output), load_file(uninterrupted)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_begins_if_there_is_nothing_to_resume(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert output.read_bytes() == uninterrupted.read_bytes()


def never(epoch: Epoch) -> None:
    raise AssertionError("an epoch was trained")


@pytest.mark.parametrize("workers", [0, 2])
def test_does_nothing_if_the_training_is_finished(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, workers: int
) -> None:
    before = (uninterrupted.stat().st_mtime_ns, uninterrupted.read_bytes())
    again = replace(options, workers=workers)
    assert (
        train(FoldRows.of(folds, 0), uninterrupted, options=again, resume=True, on_epoch=never)
        == uninterrupted
    )
    assert (uninterrupted.stat().st_mtime_ns, uninterrupted.read_bytes()) == before


def test_a_finished_training_of_other_settings_is_not_taken_for_this_one(
    folds: Manifest, options: TrainOptions, uninterrupted: Path
) -> None:
    with pytest.raises(MaskkitError, match="made with other settings: epochs was 3, is 4"):
        train(FoldRows.of(folds, 0), uninterrupted, options=replace(options, epochs=4), resume=True)


def test_does_not_go_on_with_other_options_and_names_them(
    folds: Manifest, options: TrainOptions, output: Path
) -> None:
    interrupt(folds, output, options)
    before = resume_path(output).read_bytes()
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(folds, 0), output, options=replace(options, seed=5, loss="focal"), resume=True)
    assert (
        "loss was ce:smoothing=0.1,weight=1, is focal:gamma=2,smoothing=0,weight=1; seed was 0, is 5"
        in caught.value.why
    )
    assert resume_path(output).read_bytes() == before


def test_does_not_go_on_with_a_model_made_otherwise(
    folds: Manifest, options: TrainOptions, output: Path
) -> None:
    interrupt(folds, output, replace(options, model="test_efficientnet:pad_type=same,bn_eps=1e-2"))
    same = replace(options, model="test_efficientnet:bn_eps=0.01,pad_type=same")
    with pytest.raises(
        MaskkitError, match=r"model was test_efficientnet:.*pad_type=same, is test_efficientnet:"
    ):
        train(FoldRows.of(folds, 0), output, options=options, resume=True)
    train(FoldRows.of(folds, 0), output, options=same, resume=True)


def test_does_not_go_on_with_another_manifest(folds: Manifest, options: TrainOptions, output: Path) -> None:
    interrupt(folds, output, options)
    fewer = folds.select(np.arange(len(folds)) != 100)
    with pytest.raises(MaskkitError) as caught:
        train(FoldRows.of(fewer, 0), output, options=options, resume=True)
    assert "an input file has other content" in caught.value.why


def test_does_not_throw_an_interrupted_training_away_unasked(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    interrupt(folds, output, options)
    with pytest.raises(MaskkitError, match="holds an interrupted training") as caught:
        train(FoldRows.of(folds, 0), output, options=options)
    assert "--resume" in caught.value.fix
    train(FoldRows.of(folds, 0), output, options=options, force=True)
    assert output.read_bytes() == uninterrupted.read_bytes()
    assert not resume_path(output).exists()


def test_goes_on_with_a_training_that_was_forced_over_a_finished_one(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    train(FoldRows.of(folds, 0), output, options=replace(options, epochs=1))
    with pytest.raises(StoppedError):
        train(FoldRows.of(folds, 0), output, options=options, force=True, on_epoch=StopAfter(2))
    train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert output.read_bytes() == uninterrupted.read_bytes()


def test_a_damaged_state_is_an_error_and_stays(folds: Manifest, options: TrainOptions, output: Path) -> None:
    resume_path(output).write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(MaskkitError, match="cannot resume from"):
        train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert resume_path(output).exists()


def test_a_training_that_diverges_leaves_the_last_good_state(
    folds: Manifest, options: TrainOptions, output: Path
) -> None:
    interrupt(folds, output, options)
    saved = torch.load(resume_path(output), weights_only=True)
    saved["state"]["model"]["conv_stem.weight"].fill_(torch.nan)
    torch.save(saved, resume_path(output))
    before = resume_path(output).read_bytes()
    with pytest.raises(MaskkitError, match="no longer finite"):
        train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert resume_path(output).read_bytes() == before
    assert not output.exists()


@pytest.fixture
def threads() -> Iterator[None]:
    """Put the number of torch's threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_goes_on_in_as_many_threads_as_it_began_with(
    folds: Manifest, options: TrainOptions, output: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(3)
    whole = train(FoldRows.of(folds, 0), tmp_path / "whole.safetensors", options=options)
    interrupt(folds, output, options)
    torch.set_num_threads(1)
    train(FoldRows.of(folds, 0), output, options=options, resume=True)
    assert output.read_bytes() == whole.read_bytes()
    assert Checkpoint.read(output).header.history[-1].found == {"threads": 3}
    torch.set_num_threads(1)
    train(FoldRows.of(folds, 0), output, options=options, resume=True)  # which finds it finished


def test_what_was_killed_between_its_checkpoint_and_the_end_is_finished(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    interrupt(folds, output, options, EPOCHS)
    output.write_bytes(uninterrupted.read_bytes())
    train(FoldRows.of(folds, 0), output, options=options, resume=True, on_epoch=never)
    assert not resume_path(output).exists()
    assert output.read_bytes() == uninterrupted.read_bytes()


def test_a_checkpoint_of_another_run_is_not_replaced_by_going_on(
    folds: Manifest, options: TrainOptions, whole: dict[Precision, Path], output: Path
) -> None:
    interrupt(folds, output, options)
    output.write_bytes(whole["bfloat16"].read_bytes())  # which somebody has put there meanwhile
    with pytest.raises(MaskkitError, match="exists already"):
        train(FoldRows.of(folds, 0), output, options=options, resume=True, on_epoch=never)
    assert output.read_bytes() == whole["bfloat16"].read_bytes()
    assert resume_path(output).exists()


def test_a_checkpoint_that_appears_during_the_training_stays_and_the_work_is_kept(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    def put_there(epoch: Epoch) -> None:
        if epoch.epoch == EPOCHS:
            output.write_bytes(b"of somebody else")

    with pytest.raises(MaskkitError, match="exists already") as caught:
        train(FoldRows.of(folds, 0), output, options=options, on_epoch=put_there)
    kept = output.with_name("fold0.2.safetensors")
    assert str(kept) in caught.value.fix
    assert output.read_bytes() == b"of somebody else"
    assert kept.read_bytes() == uninterrupted.read_bytes()


def test_two_trainings_do_not_make_one_checkpoint_at_a_time(
    folds: Manifest, options: TrainOptions, output: Path
) -> None:
    with held(output), pytest.raises(MaskkitError, match="being made by another run"):
        train(FoldRows.of(folds, 0), output, options=options, on_epoch=never)
    assert list(output.parent.iterdir()) == []


def test_a_history_of_another_training_is_not_replaced_unasked(
    folds: Manifest, options: TrainOptions, output: Path
) -> None:
    history = output.with_suffix(".history.csv")
    history.write_text("of a checkpoint that was moved away\n")
    for resume in (False, True):
        with pytest.raises(MaskkitError, match=r"fold0\.history\.csv exists already"):
            train(FoldRows.of(folds, 0), output, options=options, resume=resume, on_epoch=never)
    assert history.read_text() == "of a checkpoint that was moved away\n"
    train(FoldRows.of(folds, 0), output, options=replace(options, epochs=1), force=True)
    assert history.read_text().startswith("epoch,")


def test_a_history_that_a_kill_has_left_behind_its_state_is_written_again(
    folds: Manifest, options: TrainOptions, uninterrupted: Path, output: Path
) -> None:
    interrupt(folds, output, options, EPOCHS)
    output.with_suffix(".history.csv").unlink()
    train(FoldRows.of(folds, 0), output, options=options, resume=True, on_epoch=never)
    assert len(output.with_suffix(".history.csv").read_text().splitlines()) == 1 + EPOCHS
    assert output.read_bytes() == uninterrupted.read_bytes()
