import logging
import random
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL.Image import Image
from tracked import CONFUSION, a_mistake, epoch, facts, no_mistakes

from maskkit.errors import MaskkitError
from maskkit.tracking import tracker as opening
from maskkit.tracking.facts import RunFacts
from maskkit.tracking.pictures import MOST_CLASSES
from maskkit.tracking.tracker import Destination, Tracker, open_tracker


class Notes:
    """A sink that notes what it is told, and fails while it is `gone`."""

    def __init__(self, *, known: int = 0, gone: bool = False) -> None:
        self.known, self.gone, self.attempts = known, gone, 0
        self.told: list[tuple[Any, ...]] = []

    def _note(self, *what: Any) -> None:
        self.attempts += 1
        if self.gone:
            raise OSError("the server is gone.\nand more of the kind")
        self.told.append(what)
        sys.stdout.write("a client that prints\n")

    def begin(self, facts: RunFacts) -> int:
        self._note("begin", facts.id)
        return self.known

    def numbers(self, epoch: int, values: Mapping[str, float]) -> None:
        self._note("numbers", epoch, values["train/loss"])

    def picture(self, epoch: int, name: str, image: Image) -> None:
        assert image.width > 100
        self._note("picture", epoch, name)

    def final(self, epoch: int, values: Mapping[str, float]) -> None:
        self._note("final", epoch, values["kept/macro_f1"])

    def close(self, *, finished: bool) -> None:
        self._note("close", finished)


BEGUN = ("begin", facts().id)


def told_of(number: int) -> list[tuple[Any, ...]]:
    return [("numbers", number, 2.0 + number), ("picture", number, "held_out/confusion")]


def warnings_of(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [item.getMessage() for item in caplog.records if item.levelno >= logging.WARNING]


def test_the_final_numbers_are_the_checkpoints_and_not_the_last_epochs() -> None:
    sink = Notes()
    with Tracker(sink, "tracking") as tracker:
        tracker.begin(facts())
        for number, best in ((1, True), (2, True), (3, False)):
            tracker.epoch(epoch(number, best=best), CONFUSION)
        tracker.end(epoch(2), no_mistakes)
    last = ("numbers", 3, 5.0)
    end = [("final", 2, 0.125), ("close", True)]
    assert sink.told == [BEGUN, *told_of(1), *told_of(2), last, *end]


def test_photos_are_sent_only_on_request() -> None:
    asked, unasked = Notes(), Notes()
    for sink, mistakes in ((asked, 4), (unasked, 0)):
        tracker = Tracker(sink, "tracking", mistakes=mistakes)
        tracker.begin(facts())
        tracker.end(epoch(1), a_mistake if mistakes else no_mistakes)
    assert ("picture", 1, "kept/mistakes") in asked.told
    assert not [item for item in unasked.told if item[0] == "picture"]


def test_a_training_on_everybody_has_a_last_epoch_and_neither_scores_nor_mistakes() -> None:
    told: list[Mapping[str, float]] = []

    class Kept(Notes):
        def numbers(self, epoch: int, values: Mapping[str, float]) -> None:  # noqa: ARG002 - the base's
            told.append(values)

        final = numbers

    unscored = replace(epoch(3, best=False), held_out_loss=None, scores={})
    sink = Kept()
    tracker = Tracker(sink, "tracking", mistakes=4)
    tracker.begin(facts())
    tracker.epoch(unscored, CONFUSION)
    tracker.end(unscored, no_mistakes)
    assert not [name for values in told for name in values if name.startswith("held_out/")]
    assert told[-1] == {"kept/epoch": 3}
    assert sink.told == [BEGUN, ("close", True)]


def test_a_model_without_mistakes_has_no_picture_of_them() -> None:
    sink = Notes()
    tracker = Tracker(sink, "tracking", mistakes=4)
    tracker.begin(facts())
    tracker.end(epoch(1), lambda _: [])
    assert sink.told == [BEGUN, ("final", 1, 0.0625), ("close", True)]


def test_a_resumed_run_is_told_what_it_lacks_and_nothing_twice() -> None:
    sink = Notes(known=2)
    tracker = Tracker(sink, "tracking")
    tracker.begin(facts([epoch(1), epoch(2), epoch(3)]))
    tracker.epoch(epoch(4), CONFUSION)
    assert sink.told == [BEGUN, ("numbers", 3, 5.0), *told_of(4)]


def test_an_epoch_that_a_kill_made_run_again_is_told_once() -> None:
    sink = Notes(known=2)  # it was told of the second epoch, but the state was not saved any more
    tracker = Tracker(sink, "tracking")
    tracker.begin(facts([epoch(1)]))
    for number in (2, 3):
        tracker.epoch(epoch(number), CONFUSION)
    assert sink.told == [BEGUN, *told_of(3)]


def test_a_matrix_of_too_many_classes_is_not_drawn() -> None:
    sink = Notes()
    tracker = Tracker(sink, "tracking")
    tracker.begin(facts())
    tracker.epoch(epoch(1), np.zeros((MOST_CLASSES + 1, MOST_CLASSES + 1), np.int64))
    assert sink.told == [BEGUN, ("numbers", 1, 3.0)]


def test_a_tracker_that_fails_is_warned_of_once_and_tried_again_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Notes()
    tracker = Tracker(sink, "tracking in wandb:masks")
    tracker.begin(facts())
    sink.gone = True
    for number in (1, 2):
        tracker.epoch(epoch(number), CONFUSION)
    assert sink.attempts == 2  # beginning and the one that failed: each attempt may take minutes
    sink.gone = False
    tracker.end(epoch(2), no_mistakes)
    assert sink.told == [BEGUN, *told_of(1), *told_of(2), ("final", 2, 0.125), ("close", True)]
    (warning,) = warnings_of(caplog)
    assert warning.startswith("tracking in wandb:masks failed: the server is gone. The training goes on")


def test_a_tracker_that_stays_away_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    sink = Notes(gone=True)
    with Tracker(sink, "tracking", mistakes=4) as tracker:
        tracker.begin(facts())
        tracker.epoch(epoch(1), CONFUSION)
        tracker.end(epoch(1), a_mistake)
    assert sink.told == []
    assert len(warnings_of(caplog)) == 1


def test_a_photo_that_cannot_be_read_any_more_does_not_end_a_finished_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def unreadable(count: int) -> list[Any]:
        raise MaskkitError("cannot read it", why="it is gone", fix="find it")

    sink = Notes()
    tracker = Tracker(sink, "tracking", mistakes=4)
    tracker.begin(facts())
    tracker.end(epoch(1), unreadable)
    assert ("final", 1, 0.0625) in sink.told
    assert len(warnings_of(caplog)) == 1


def test_an_interrupted_run_is_closed_as_one() -> None:
    sink = Notes()
    with suppress(KeyboardInterrupt), Tracker(sink, "tracking") as tracker:
        tracker.begin(facts())
        raise KeyboardInterrupt
    assert sink.told == [BEGUN, ("close", False)]


def test_what_a_client_prints_does_not_reach_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    tracker = Tracker(Notes(), "tracking")
    tracker.begin(facts())
    tracker.end(epoch(1), no_mistakes)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("a client that prints") == 3


def test_confusion_is_kept_as_it_was_when_told() -> None:
    sink, counts = Notes(gone=True), CONFUSION.copy()
    tracker = Tracker(sink, "tracking")
    tracker.begin(facts())
    tracker.epoch(epoch(1), counts)
    counts[0] = [-1, 3, 0, 0]  # which could not be drawn
    sink.gone = False
    tracker.end(epoch(1), no_mistakes)
    assert ("picture", 1, "held_out/confusion") in sink.told


def test_tracking_draws_no_random_number() -> None:
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    tracker = Tracker(Notes(), "tracking", mistakes=2)
    tracker.begin(facts())
    tracker.epoch(epoch(1), CONFUSION)
    tracker.end(epoch(1), a_mistake)
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    np.testing.assert_equal(np.random.get_state(), before[2])  # noqa: NPY002


def test_without_the_option_nobody_is_told_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_tracker(None) as tracker:
        tracker.begin(facts())
        tracker.epoch(epoch(1), CONFUSION)
        tracker.end(epoch(1), no_mistakes)
    assert tracker.sink is None
    assert not list(tmp_path.iterdir())
    assert not caplog.records


def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", {}.get)
    with pytest.raises(MaskkitError, match="needs the package wandb") as caught:
        open_tracker("wandb:masks")
    assert caught.value.fix == "pip install wandb"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tensorboard:runs", Destination("tensorboard", "runs")),
        ("tensorboard:runs,mistakes=16", Destination("tensorboard", "runs", 16)),
        ("tensorboard:a,b/c", Destination("tensorboard", "a,b/c")),
        ("tensorboard:a=1,b/c", Destination("tensorboard", "a=1,b/c")),
        ("wandb:team/masks", Destination("wandb", "team/masks")),
        ("mlflow:http://host:5000", Destination("mlflow", "http://host:5000")),
        ("mlflow:sqlite:///a.db,mistakes=4", Destination("mlflow", "sqlite:///a.db", 4)),
    ],
)
def test_reads_where_to_and_writes_it_again(text: str, wanted: Destination) -> None:
    assert Destination.parse(text) == wanted


def test_sends_no_photos_unless_asked() -> None:
    assert Destination.parse("wandb:masks").mistakes == 0


@pytest.mark.parametrize("text", ["comet:masks", "runs", "", ":runs", "Tensorboard:runs"])
def test_an_unknown_tracker_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(text)
    assert "tensorboard, wandb, mlflow" in caught.value.why
    assert "mlflow:URI" in caught.value.fix


@pytest.mark.parametrize("text", ["wandb", "wandb:", "wandb: ", "wandb:,mistakes=3"])
def test_a_tracker_without_a_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(MaskkitError, match="does not say where") as caught:
        Destination.parse(text)
    assert "--track wandb:masks" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("wandb:masks,mistake=3", "mistake"),
        ("wandb:masks,mistakes=3,mistakes=4", "mistakes, mistakes"),
        ("wandb:masks,mistakes=3,entity=me", "mistakes, entity"),
    ],
)
def test_other_settings_are_refused_and_not_taken_for_a_place(text: str, seen: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(text)
    assert caught.value.what.endswith(f"has the settings {seen}")


@pytest.mark.parametrize("number", ["101", "-1", "many", "1.5", ""])
def test_an_impossible_number_of_mistakes_is_refused_with_the_limits(number: str) -> None:
    with pytest.raises(MaskkitError) as caught:
        Destination.parse(f"wandb:masks,mistakes={number}")
    assert "from 0 to 100" in caught.value.why
