"""Small data that the tests make for themselves: photos whose colours tell their class."""

from __future__ import annotations

import csv
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import networks
import numpy as np
import pytest
from browser import Browser, chromium
from hypothesis import settings
from PIL import Image

from maskkit.artifacts.checkpoint import Checkpoint
from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell import terminal
from maskkit.imaging.photo_file import limits
from maskkit.options.shard import Shard
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.sources.layouts import STATES
from maskkit.stages.label import label
from maskkit.stages.split import split
from maskkit.storage import clients
from maskkit.training.fold_rows import FoldRows

if TYPE_CHECKING:
    from object_store import ObjectStore

os.environ["HF_HUB_OFFLINE"] = "1"  # read as the hub's client is imported, also by commands that tests start
for ignored in (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
):  # as after `&`: commands that tests start inherit it
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)

settings.register_profile(
    "maskkit", deadline=None
)  # how long a case takes depends on the machine's other work
settings.load_profile("maskkit")

TINY_MODEL = "test_efficientnet"  # timm's own for tests: a third of a million weights
TINY_SIZE = "32x32"
DEVICE: Any = os.environ.get(
    "MASKKIT_TEST_DEVICE", "cpu"
)  # `make test-cuda` tries the tests of training on another
THIS_MACHINE = (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0")
MASK_COLOUR = {"wear": (40, 90, 200), "incorrect": (40, 200, 90), "none": (220, 170, 140)}


def draw_photo(
    path: Path, *, mask: str, gender: str, age: int, seed: int, size: tuple[int, int] = (24, 32)
) -> None:
    """Draw a photo: the lower half tells the mask, the left edge the gender, the brightness the age."""
    random = np.random.default_rng(seed)
    width, height = size
    pixels = np.full((height, width, 3), 60 + 2.2 * age)
    pixels[height // 2 :] = MASK_COLOUR[mask]
    pixels[:, : width // 3, 0] = 250 if gender == "female" else 5
    pixels += random.normal(0, 6, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)


def draw_people(folder: Path, people: Sequence[tuple[str, str, int]]) -> Path:
    """Draw the competition's training layout for (id, gender, age); return its train.csv."""
    rows = []
    for number, (person, gender, age) in enumerate(people):
        name = f"{person}_{gender}_Asian_{age}"
        rows.append((person, gender, "Asian", age, name))
        for state, mask in STATES.items():
            draw_photo(
                folder / "images" / name / f"{state}.jpg", mask=mask, gender=gender, age=age, seed=number
            )
    table = folder / "train.csv"
    with table.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "gender", "race", "age", "path"), *rows])
    return table


def some_people(count: int = 24, *, first: int = 1) -> list[tuple[str, str, int]]:
    """Name people of every gender and age band, in turn."""
    ages = (19, 27, 35, 44, 58, 60)
    return [
        (f"{first + index:06d}", ("male", "female")[index % 2], ages[index // 2 % len(ages)])
        for index in range(count)
    ]


@pytest.fixture(scope="session")
def train_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The competition's training layout: 24 people, 168 photos of 24 x 32. Not to be changed by a test."""
    return draw_people(tmp_path_factory.mktemp("train"), some_people())


@pytest.fixture(scope="session")
def info_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The competition's test layout: 7 photos of a person who is not in `train_csv`."""
    folder = tmp_path_factory.mktemp("test")
    names = []
    for index, mask in enumerate(STATES.values()):
        names.append(f"{9 - index}f{index}.jpg")  # not in alphabetical order
        draw_photo(folder / "images" / names[-1], mask=mask, gender="male", age=33, seed=900)
    table = folder / "info.csv"
    table.write_text("ImageID,ans\n" + "".join(f"{name},0\n" for name in names))
    return table


@pytest.fixture(scope="session")
def labels(train_csv: Path) -> Manifest:
    """A labelled manifest of `train_csv`."""
    return label(train_csv)


@pytest.fixture(scope="session")
def folds(labels: Manifest) -> Manifest:
    """The same in three folds by person."""
    return split(labels, folds=3)


@pytest.fixture(scope="session")
def quick() -> TrainOptions:
    """Options of a training that takes less than a second, on any machine the same."""
    return TrainOptions(
        model=TINY_MODEL,
        weights="none",
        size=TINY_SIZE,
        epochs=2,
        batch_size=20,
        learning_rate=3e-3,
        optimizer="adamw:head=3",
        workers=0,
        device=DEVICE,
        precision="float32",
    )


@pytest.fixture(scope="session")
def checkpoints(folds: Manifest, quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A checkpoint of each fold of `folds`, barely trained. Not to be changed by a test."""
    from maskkit.stages.train import train  # torch: most tests do without

    folder = tmp_path_factory.mktemp("run")
    return [
        train(FoldRows.of(folds, fold), folder / f"fold{fold}.safetensors", options=quick)
        for fold in range(3)
    ]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium, in which tests open tabs of their own; skipped where there is none."""
    program = chromium()
    if program is None:
        pytest.skip("there is no Chromium or Chrome here")
    one = Browser(program, tmp_path_factory.mktemp("browser"))
    yield one
    one.close()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests, and the commands that they start, out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_process_stays() -> Iterator[None]:
    """End the process that commands were forked from."""
    yield
    forked.stop()


@pytest.fixture(autouse=True)
def other_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let no test ask another machine: it fails, also if what it calls passes over the error."""
    asked: list[str] = []
    find, connect = socket.getaddrinfo, socket.socket.connect

    def refuse(host: object) -> None:
        if host not in THIS_MACHINE:
            asked.append(str(host))
            raise OSError(f"a test asked for {host}")

    def find_here(host: Any, *more: Any, **how: Any) -> Any:
        refuse(host)
        return find(host, *more, **how)

    def connect_here(one: socket.socket, address: Any) -> None:
        if one.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])
        connect(one, address)

    monkeypatch.setattr(socket, "getaddrinfo", find_here)
    monkeypatch.setattr(socket.socket, "connect", connect_here)
    yield asked
    assert not asked, "a test needs the network"


@pytest.fixture(scope="session")
def _store() -> Iterator[ObjectStore]:
    from object_store import ObjectStore  # which loads moto

    store = ObjectStore()
    store.start()
    yield store
    store.stop()


@pytest.fixture
def store(_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """An object store that the environment names, with credentials that nothing may show."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _store.environment.items():
        monkeypatch.setenv(name, value)
    clients._s3.cache_clear()  # which has read the environment
    _store.empty()
    yield _store
    clients._s3.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_terminal() -> None:
    """Undo what a command of another test did to the package's log, which is heard by `caplog`."""
    terminal.set_up(quiet=False)
    logging.getLogger("maskkit").propagate = True


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set what a photo may take: `limited(pixels=100)`; also `bytes` and `memory`."""

    def set_limits(**most: int | str) -> None:
        for name, value in most.items():
            monkeypatch.setenv(f"MASKKIT_PHOTO_{name.upper()}", str(value))
        limits.cache_clear()

    yield set_limits
    limits.cache_clear()


@pytest.fixture(scope="session")
def artifacts(
    labels: Manifest,
    folds: Manifest,
    checkpoints: list[Path],
    info_csv: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with one artifact of each kind."""
    from maskkit.stages.predict import predict  # as `train` above

    folder = tmp_path_factory.mktemp("inputs")
    labels.write(folder / "labels.parquet")
    folds.write(folder / "folds.parquet")
    split(labels, by="image", folds=3).write(folder / "leaky.parquet")
    for index, path in enumerate(checkpoints):
        (folder / f"fold{index}.safetensors").symlink_to(path)
    models = [Checkpoint.read(path) for path in checkpoints]
    inference = Inference("cpu", 60, 0)
    oof = predict(folds, models, oof=True, inference=inference)
    (folder / "oof.parquet").write_bytes(oof.encode("parquet"))
    (folder / "again.parquet").write_bytes(oof.encode("parquet"))
    folds.write(folder / "truth")
    leaky = predict(folds, models[:1], allow_leak=True, inference=inference)
    (folder / "leaky-oof.parquet").write_bytes(leaky.encode("parquet"))
    unlabelled = label(info_csv)
    unlabelled.write(folder / "unlabelled")
    for name, some in {"test-fold0": models[:1], "test": models}.items():
        (folder / f"{name}.parquet").write_bytes(
            predict(unlabelled, some, inference=inference).encode("parquet")
        )
    (folder / "labels.toml").write_text("[labels]\n")
    (folder / "fixes.csv").write_text(f"person_id,column,value\n{labels.people.names[0]},gender,female\n")
    (folder / "annotated").write_text("[]")
    for number in (1, 2):
        part = predict(folds, models, oof=True, inference=inference, shard=Shard(number, 2))
        (folder / f"part{number}.parquet").write_bytes(part.encode("parquet"))
    (folder / "detector").write_bytes(networks.centerface(width=12, height=16, bias=20))
    return folder


@pytest.fixture
def work(artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own working folder with links to the artifacts."""
    for path in artifacts.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def words(work: Path, train_csv: Path) -> Any:
    """Words of a description, with the photos' place filled in."""

    def fill(text: str) -> list[str]:
        return text.format(train_csv=train_csv, images=train_csv.parent / "images").split()

    return fill
