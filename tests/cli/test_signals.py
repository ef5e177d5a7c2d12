"""Ctrl-C and a polite kill in the middle of the work: nothing half done stays, and the code says why."""

from __future__ import annotations

import os
import pty
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from commandline import QUICK, read_all
from forked import Forked

from maskkit.artifacts.manifest import Manifest
from maskkit.stages.label import label

COPIES = 4000  # of one photo: more than can be read before the signal arrives


@pytest.fixture(scope="module")
def many_photos(train_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of thousands of photos of somebody whom no model has seen."""
    folder = tmp_path_factory.mktemp("many")
    photo = next(train_csv.parent.rglob("*.jpg"))
    for number in range(COPIES):
        os.link(photo, folder / f"{number}.jpg")
    rows = [f"{number}.jpg,stranger,wear,male,30\n" for number in range(COPIES)]
    (folder / "photos.csv").write_text("path,person_id,mask,gender,age\n" + "".join(rows))
    return folder / "photos.csv"


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: bytes
    shown: str


def _stop_at(sign: bytes, number: int, *words: str) -> Ended:
    """Start a command with a terminal for its messages, and signal its group once `sign` is shown."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm"}
    with (
        tempfile.TemporaryFile() as stdout,
        Forked(*words, stdout=stdout.fileno(), stderr=theirs, environment=environment) as command,
    ):
        os.close(theirs)
        shown = b""
        while sign not in shown:
            shown += os.read(ours, 4096)
        os.killpg(command.pid, number)
        rest = read_all(ours)
        os.close(ours)
        code = command.wait()
        stdout.seek(0)
        return Ended(code, stdout.read(), shown.decode() + rest)


STOPS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@STOPS
def test_label_leaves_nothing(many_photos: Path, tmp_path: Path, number: int, code: int) -> None:
    ended = _stop_at(b"photos", number, "label", str(many_photos), "-o", str(tmp_path / "made.parquet"))
    assert (ended.code, ended.stdout) == (code, b"")
    assert "Traceback" not in ended.shown
    assert list(tmp_path.iterdir()) == []


@STOPS
def test_train_leaves_what_resuming_needs_and_no_checkpoint(
    folds: Manifest, tmp_path: Path, number: int, code: int
) -> None:
    folds.write(tmp_path / "folds.parquet")
    quick = [*QUICK.split(), "--epochs", "500", "--workers", "1"]
    words = ["train", str(tmp_path / "folds.parquet"), *quick, "-o", str(tmp_path / "made.safetensors")]
    ended = _stop_at(b"epoch 3/500", number, *words)
    assert (ended.code, ended.stdout) == (code, b"")
    assert "Traceback" not in ended.shown
    assert {path.name for path in tmp_path.iterdir()} == {
        "folds.parquet",
        "made.history.csv",
        "made.resume",
    }
    history = (tmp_path / "made.history.csv").read_text().splitlines()
    assert len(history) >= 4  # the header and three epochs
    assert len({line.count(",") for line in history}) == 1


@STOPS
def test_predict_leaves_what_resuming_needs_and_says_how(
    many_photos: Path, checkpoints: list[Path], tmp_path: Path, number: int, code: int
) -> None:
    manifest, output = tmp_path / "many.parquet", tmp_path / "made.parquet"
    label(many_photos).write(manifest)
    words = ["predict", str(manifest), str(checkpoints[0]), "--batch-size", "4", "--workers", "0"]
    words += ["--cache-size", "0", "-o", str(output)]
    ended = _stop_at(b"2Kphotos ", number, *words)
    assert (ended.code, ended.stdout) == (code, b"")
    assert f"go on with: maskkit {' '.join(words)} --resume" in ended.shown
    assert "Traceback" not in ended.shown
    assert set(tmp_path.iterdir()) <= {manifest, Path(f"{output}.resume")}


def test_predict_to_a_pipe_ends_at_once(many_photos: Path, checkpoints: list[Path], tmp_path: Path) -> None:
    manifest = tmp_path / "many.parquet"
    label(many_photos).write(manifest)
    words = ["predict", str(manifest), str(checkpoints[0]), "--batch-size", "4", "--workers", "0"]
    ended = _stop_at(b"2Kphotos ", signal.SIGINT, *words, "--cache-size", "0")
    assert (ended.code, ended.stdout) == (130, b"")
    assert ended.shown.endswith("interrupted\r\n")
    assert list(tmp_path.iterdir()) == [manifest]


def test_the_cursor_comes_back_after_ctrl_c(many_photos: Path, tmp_path: Path) -> None:
    ended = _stop_at(b"photos", signal.SIGINT, "label", str(many_photos), "-o", str(tmp_path / "x.parquet"))
    assert ended.shown.rindex("\x1b[?25h") > ended.shown.rindex("\x1b[?25l")
