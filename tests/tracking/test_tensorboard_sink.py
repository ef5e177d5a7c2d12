import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tracked import CONFUSION, a_mistake, epoch, facts, no_mistakes

from maskkit.errors import MaskkitError
from maskkit.tracking.facts import measures
from maskkit.tracking.tracker import open_tracker
from maskkit.training.epochs import Epoch


def read(folder: Path) -> EventAccumulator:
    """Read the one run of a folder, all of its events."""
    (run,) = {path.parent for path in folder.rglob("*tfevents*")}
    events = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return events.Reload()


def scalars(events: EventAccumulator, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(name)]


def tell(
    folder: Path, numbers: range, *, done: int = 0, best: int | None = None, text: str = ""
) -> list[Epoch]:
    """Tell a part of a run, which ends if there is a best epoch, and return its epochs."""
    epochs = [epoch(number) for number in numbers]
    with open_tracker(f"tensorboard:{folder}{text}") as tracker:
        tracker.begin(facts([epoch(number) for number in range(1, done + 1)]))
        for item in epochs:
            tracker.epoch(item, CONFUSION)
        if best is not None:
            tracker.end(epoch(best), a_mistake if text else no_mistakes)
    return epochs


def test_every_number_of_every_epoch_reads_back_under_its_own_name(tmp_path: Path) -> None:
    epochs = tell(tmp_path, range(1, 4), best=2)
    events = read(tmp_path)
    for name in measures(epochs[0]):
        assert scalars(events, name) == [(item.epoch, measures(item)[name]) for item in epochs]
    assert scalars(events, "train/loss") == [(1, 3.0), (2, 4.0), (3, 5.0)]
    assert scalars(events, "held_out/loss") == [(1, 2.0), (2, 3.0), (3, 4.0)]


def test_the_final_numbers_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 4), best=2)
    events = read(tmp_path)
    assert scalars(events, "kept/epoch") == [(2, 2.0)]
    assert scalars(events, "kept/macro_f1") == [(2, 0.125)]


def test_a_run_that_was_interrupted_has_no_final_numbers(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 3))
    assert not [name for name in read(tmp_path).Tags()["scalars"] if name.startswith("kept/")]


def test_options_read_back_as_hyperparameters(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 2))
    (content,) = (
        item.plugin_data.content
        for name, item in read(tmp_path).summary_metadata.items()
        if name == "_hparams_/session_start_info"
    )
    found = HParamsPluginData.FromString(content).session_start_info.hparams
    assert set(found) == {"fold", "learning_rate", "normalize", "freeze", "workers"}
    assert found["learning_rate"].number_value == 0.5
    assert (found["normalize"].string_value, found["freeze"].string_value) == ("none", "true")


def test_both_losses_are_shown_in_one_chart(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 2))
    (event,) = read(tmp_path).Tensors("custom_scalars__config__")
    assert b"train/loss$" in event.tensor_proto.string_val[0]
    assert b"held_out/loss$" in event.tensor_proto.string_val[0]


def test_a_resumed_run_goes_on_with_the_steps_without_doubling_any(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 4))  # the third was told, but the state was saved after the second
    tell(tmp_path, range(3, 6), done=2, best=5)
    events = read(tmp_path)
    assert scalars(events, "train/loss") == [(number, 2.0 + number) for number in range(1, 6)]
    assert [event.step for event in events.Images("held_out/confusion")] == [1, 2, 3, 4, 5]


def test_a_run_resumed_into_an_empty_folder_has_the_earlier_epochs_too(tmp_path: Path) -> None:
    tell(tmp_path, range(3, 5), done=2)
    assert [step for step, _ in scalars(read(tmp_path), "held_out/loss")] == [1, 2, 3, 4]


def test_a_run_that_is_started_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 9), best=8)
    tell(tmp_path, range(1, 3), best=1)
    events = read(tmp_path)
    assert [step for step, _ in scalars(events, "train/loss")] == [1, 2]
    assert scalars(events, "kept/epoch") == [(1, 1.0)]


def test_runs_with_other_options_stand_beside_each_other(tmp_path: Path) -> None:
    for rate in (0.5, 0.25):
        open_tracker(f"tensorboard:{tmp_path}").begin(facts(learning_rate=rate))
    assert len([path for path in (tmp_path / "run").iterdir() if path.name.startswith("fold0-")]) == 2


def test_pictures_read_back_as_they_were_drawn(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 3), best=2, text=",mistakes=2")
    events = read(tmp_path)
    (event,) = events.Images("kept/mistakes")
    sheet = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert event.step == 2
    size = 2 * 256 * 192  # two photos of 8 x 6, of which each pixel becomes 32 x 32
    assert (sheet == 200).all(2).sum() == pytest.approx(size, rel=1e-3)  # captions have grey edges


def test_no_picture_of_a_photo_is_written_unasked(tmp_path: Path) -> None:
    tell(tmp_path, range(1, 3), best=2)
    assert read(tmp_path).Tags()["images"] == ["held_out/confusion"]


def test_a_full_disk_leaves_a_readable_file_and_is_made_up_for_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = open_tracker(f"tensorboard:{tmp_path}")
    tracker.begin(facts())
    tracker.epoch(epoch(1), CONFUSION)
    (file,) = tmp_path.rglob("*tfevents*")
    before = file.read_bytes()

    class Half(io.FileIO):
        def write(self, data: object) -> int:
            super().write(bytes(data)[:100])  # type: ignore[call-overload]
            raise OSError(28, "No space left on device")

    def open_full(path: Path, mode: str) -> Half:
        return Half(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        for number in (2, 3):
            tracker.epoch(epoch(number), CONFUSION)
    assert file.read_bytes() == before
    tracker.end(epoch(3), no_mistakes)
    assert [step for step, _ in scalars(read(tmp_path), "train/loss")] == [1, 2, 3]
    assert [item.levelname for item in caplog.records if item.levelname == "WARNING"] == ["WARNING"]


def test_writing_draws_no_random_number(tmp_path: Path) -> None:
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    tell(tmp_path, range(1, 3), best=2, text=",mistakes=2")
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    np.testing.assert_equal(np.random.get_state(), before[2])  # noqa: NPY002


def test_a_file_in_place_of_the_folder_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(MaskkitError, match="cannot be written") as caught:
        open_tracker(f"tensorboard:{tmp_path}/runs/masks")
    assert "is not a folder" in caught.value.why


def test_opening_a_tracker_writes_nothing(tmp_path: Path) -> None:
    open_tracker(f"tensorboard:{tmp_path}/runs")
    assert list(tmp_path.iterdir()) == []
