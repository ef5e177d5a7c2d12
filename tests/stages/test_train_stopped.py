"""A training that is asked to end in the middle of an epoch goes on from there, to the same bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import draw_people, some_people
from signals import SignalIn, give_signals

from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.stopped import StoppedError
from maskkit.errors import MaskkitError
from maskkit.options.train_options import TrainOptions
from maskkit.progress import Item, shown_by
from maskkit.stages.label import label
from maskkit.stages.split import split
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows, read_unlabeled
from maskkit.training.place import resume_path

EPOCHS = 2
VARIED: dict[str, dict[str, object]] = {
    "plain": {},
    "mixed": {"mix": "mixup"},
    "halves of partners": {"mix": "half:partner=age=60plus"},
    "average": {"average": "ema:decay=0.9"},
    "mean of the last epochs": {"average": "swa:start=0.5"},
    "in parts": {"optimizer": "adamw:head=3,accumulate=2"},
    "augmented": {"augment": "light"},
    "drop path": {"model": "test_efficientnet:drop_path=0.3"},
    "frozen at first": {"freeze": "phase:epochs=1"},
    "frozen features": {"freeze": "all"},
    "lowered on a plateau": {"schedule": "plateau"},
    "oversampled": {"oversample": "age=60plus:3"},
    "several heads": {"head": "factors"},
    "bfloat16": {"precision": "bfloat16"},
}

OFTEN = ("plain", "mixed", "average", "mean of the last epochs", "frozen features")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "fold0.safetensors"


def given(quick: TrainOptions, changed: dict[str, object]) -> TrainOptions:
    return TrainOptions.from_json({**replace(quick, epochs=EPOCHS).to_json(), **changed})


def stopped(rows: FoldRows, output: Path, options: TrainOptions, at: SignalIn) -> StoppedError:
    with pytest.raises(StoppedError) as caught, shown_by(at):
        train(rows, output, options=options, resume=True)
    assert not output.exists()
    return caught.value


@pytest.mark.parametrize(
    "name", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.slow) for name in VARIED]
)
def test_goes_on_from_the_middle_of_each_epoch_to_the_same_bytes(
    name: str, folds: Manifest, quick: TrainOptions, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on_alike(FoldRows.of(folds, 0), given(quick, VARIED[name]), output, monkeypatch)


def test_goes_on_with_photos_without_labels_too(
    folds: Manifest, quick: TrainOptions, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [(f"{500 + age:06d}", ("male", "female")[age % 2], age) for age in (20, 25, 38, 43, 61, 64)]
    others = tmp_path / "others.parquet"
    label(draw_people(tmp_path / "others", people)).write(others)
    options = given(
        quick, {"unlabeled": str(others), "consistency": "uda:threshold=0.1,annealing=linear", "mix": "mixup"}
    )
    rows = FoldRows.of(folds, 0, unlabeled=read_unlabeled(options.unlabeled, folds))
    goes_on_alike(rows, options, output, monkeypatch)


def goes_on_alike(
    rows: FoldRows, options: TrainOptions, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop a training at steps, in the scoring of an epoch, and where SWA measures; go on each time."""
    whole = train(rows, output.with_name("whole.safetensors"), options=options)
    stops = [("epoch 1", 2), ("epoch 1", 1), ("photos", 1), ("photos", 2), ("epoch 2", 3), ("epoch 2", 3)]
    stops += [("epoch 2", 2)] if options.one("average").name == "swa" else []  # the photos once more
    for place in stops:
        give_signals(monkeypatch)
        stopped(rows, output, options, SignalIn(*place))
    give_signals(monkeypatch)
    train(rows, output, options=options, resume=True)
    assert output.read_bytes() == whole.read_bytes()
    history, undisturbed = (path.with_suffix(".history.csv").read_text() for path in (output, whole))
    assert without_times(history) == without_times(undisturbed)
    assert not resume_path(output).exists()


def without_times(history: str) -> list[list[str]]:
    header, *rows = [line.split(",") for line in history.splitlines()]
    kept = [at for at, name in enumerate(header) if name not in ("seconds", "images_per_second")]
    return [[row[at] for at in kept] for row in (header, *rows)]


@dataclass(frozen=True)
class PhotosVanish:
    """Takes photos away in the middle of the second epoch."""

    photos: list[Path]

    def __call__(self, items: Iterable[Item], _total: int, what: str) -> Iterator[Item]:
        for step, item in enumerate(items, 1):
            if (what, step) == ("epoch 2", 1):
                for photo in self.photos:
                    photo.rename(photo.with_suffix(".away"))
            yield item


@pytest.mark.parametrize("workers", [0, 2])
def test_a_photo_that_vanishes_is_named_and_the_last_epoch_is_kept(
    quick: TrainOptions, output: Path, tmp_path: Path, workers: int
) -> None:
    folds = split(label(draw_people(tmp_path / "people", some_people(6))), folds=3)
    options, rows = replace(quick, workers=workers, batch_size=2), FoldRows.of(folds, 0)
    photos = [folds.root / folds.paths[row] for row in rows.training.tolist()]
    with pytest.raises(MaskkitError) as caught, shown_by(PhotosVanish(photos)):
        train(rows, output, options=options)
    assert any(str(photo) in str(caught.value) for photo in photos)
    for photo in photos:
        photo.with_suffix(".away").rename(photo)
    train(rows, output, options=options, resume=True)
    whole = train(rows, output.with_name("whole.safetensors"), options=options)
    assert output.read_bytes() == whole.read_bytes()
