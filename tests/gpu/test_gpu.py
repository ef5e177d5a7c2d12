"""`make test-cuda`: what it does without a GPU, what it takes from wheels, and each part on a processor."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from gpu import packages
from gpu.__main__ import PARTS
from gpu.parts import Line
from gpu.report import written

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gpu"], cwd=TESTS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no GPU: ")


@pytest.mark.slow
@pytest.mark.parametrize("part", [name for name in PARTS if name not in ("checks.suite", "checks.compiling")])
def test_each_part_can_be_rehearsed_on_a_processor(part: str) -> None:
    words = [sys.executable, "-m", "gpu", "--rehearse", "--parts", part]
    done = subprocess.run(words, cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 do not hold" in done.stdout


def test_what_lacks_is_taken_from_wheels_and_what_is_there_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pip", reason="wheels are unpacked by pip")
    lists = "[project]\ndependencies = ['masked-words>=2', 'numpy>=2', 'nowhere-to-be-had']\n"
    (tmp_path / "pyproject.toml").write_text(lists)
    with zipfile.ZipFile(tmp_path / "masked_words-2.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("masked_words.py", "WORDS = 3\n")
        wheel.writestr(
            "masked_words-2.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: masked-words\nVersion: 2.0\n"
        )
        wheel.writestr("masked_words-2.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("masked_words-2.0.dist-info/RECORD", "")
    monkeypatch.setattr(packages, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(packages, "ALSO", ())
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "packages")])
    assert packages.lacking() == ["masked-words", "nowhere-to-be-had"]
    assert not packages.add(tmp_path, tmp_path / "packages")
    assert packages.lacking() == ["nowhere-to-be-had"]
    assert (tmp_path / "packages" / "masked_words.py").read_text() == "WORDS = 3\n"
    assert not (tmp_path / "packages" / "numpy").exists()
    assert (
        f"this Python lacks nowhere-to-be-had: give wheels of them in {tmp_path}" in capsys.readouterr().out
    )


def test_the_report_says_what_does_not_hold() -> None:
    lines = {
        "checks.curves": [Line("made twice", "other\nbytes | of 3", holds=False), Line("float32", "loss 2.1")]
    }
    page = written({name: [Line.read(line.written()) for line in each] for name, each in lines.items()})
    assert "| made twice | other bytes \\| of 3 | **does not hold** |" in page
    assert "| float32 | loss 2.1 |  |" in page
