"""Signals at moments spread evenly over whole runs: their exit code, whole files, and no traceback.

Until the first instruction of ours, which takes some milliseconds, Python's own handling holds: it ends by
the signal, or in a traceback of modules that are not maskkit's. Such runs are counted apart, and have made
nothing.

For counts: `python tests/cli/test_signals_at_any_moment.py 300`, with tests and tests/cli in PYTHONPATH.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from commandline import QUICK

import maskkit

OURS = str(Path(maskkit.__file__).parent) + os.sep
SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
COMMANDS = {
    "help": "--help",
    "version": "--version",
    "show": "show {0}/labels.parquet",
    "label": "label {0}/drawn/train -o out/made.parquet",
    "split": "split {0}/labels.parquet --folds 3 -o out/made.parquet",
    "demo": "demo out/made --people 3 --test-people 1",
    "evaluate": "evaluate {0}/folds.parquet {0}/predictions.csv --html out/page.html",
    "train": f"train {{0}}/folds.parquet {QUICK} --epochs 2 -o out/made.safetensors",
    "predict": "predict {0}/folds.parquet {0}/fold0.safetensors --allow-leak --workers 0 -o out/made.csv",
}
Files = dict[str, bytes]
LATER = {".resume", ".history.csv", ".lock"}  # what stays beside an output, to go on


def command(words: str, given: Path) -> list[str]:
    return [sys.executable, "-m", "maskkit", *words.format(given).split()]


def made(given: Path) -> None:
    """Make what the commands read."""
    for words in (
        "demo {0}/drawn --people 6 --test-people 1",
        "label {0}/drawn/train -o {0}/labels.parquet",
        "split {0}/labels.parquet --folds 3 -o {0}/folds.parquet",
        f"train {{0}}/folds.parquet {QUICK} -o {{0}}/fold0.safetensors",
        "predict {0}/folds.parquet {0}/fold0.safetensors --allow-leak --workers 0 -o {0}/predictions.csv",
    ):
        subprocess.run(command(words, given), check=True, capture_output=True)


@dataclass(frozen=True)
class Runs:
    """Runs of one command in one folder."""

    words: list[str]
    folder: Path

    def once(self, number: int | None = None, *, after: float = 0.0) -> tuple[int, str, Files]:
        """Run the command, and signal it after so many seconds; return code, messages and files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "out").mkdir(parents=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            self.words, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        if number is not None:
            time.sleep(after)
            process.send_signal(number)
        said = process.communicate()[1].decode()
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        return process.returncode, said, files

    def spread(self, number: int, count: int) -> Counter[str]:
        """Signal so many runs at moments spread evenly; count how they end, and raise of what may not be."""
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what is ignored is inherited, as after `&`
        started = time.monotonic()
        code, _, whole = self.once()
        seconds = (time.monotonic() - started) * 1.05
        assert code == 0
        return Counter(
            self.verdict(number, whole, *self.once(number, after=seconds * at / count)) for at in range(count)
        )

    def verdict(self, number: int, whole: Files, code: int, said: str, files: Files) -> str:
        """Say how a run ended."""
        is_before_us = code == -number or ("Traceback" in said and OURS not in said)
        if is_before_us:
            assert files == {}, (said, files)
            return "before the first instruction"
        assert "Traceback" not in said, said
        assert code in (0, 128 + number), (code, said)
        outputs = {name: data for name, data in files.items() if not any(one in name for one in LATER)}
        expected = {name: data for name, data in whole.items() if not any(one in name for one in LATER)}
        assert outputs.items() <= expected.items(), sorted(files)
        if code == 0:
            assert outputs == expected, sorted(files)
        assert not [name for name in files if ".partial" in name], sorted(files)
        return str(code)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    made(folder)
    return folder


@pytest.mark.parametrize("number", SAID)
def test_help_ends_with_its_exit_code_at_any_moment(number: int, tmp_path: Path) -> None:
    Runs(command(COMMANDS["help"], tmp_path), tmp_path / "run").spread(number, 8)


@pytest.mark.slow
@pytest.mark.parametrize("number", SAID)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_with_its_exit_code_at_any_moment(
    name: str, number: int, given: Path, tmp_path: Path
) -> None:
    Runs(command(COMMANDS[name], given), tmp_path / "run").spread(number, 12)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder))
        for each, words in COMMANDS.items():
            for sign in SAID:
                runs = Runs(command(words, Path(folder)), Path(folder) / "run")
                found = dict(runs.spread(sign, int(sys.argv[1])))
                print(each, signal.Signals(sign).name, found, flush=True)  # noqa: T201
