"""Texts of files never reach a terminal as more than text, whichever command shows them."""

from __future__ import annotations

import json
import logging
import os
import pty
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from commandline import read_all, run, start
from members import out_of_fold

from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.cli.shell import terminal
from maskkit.cli.shell.streams import print_tsv
from maskkit.errors import MaskkitError
from maskkit.labels import Factor, LabelSpace
from maskkit.plain_text import ODD, in_json, printable

EVIL = "\x1b]0;x\x07\x1b[2J\r\x9b1m\u202e\x7f<script>alert(1)</script>[red]"
SPACE = LabelSpace((Factor(f"mask{EVIL.replace('/', '')}", ("on", f"off{EVIL.replace('/', '')}")),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest m.parquet whose every text is hostile, and predictions of it."""
    rows = 24
    level = np.arange(rows) % 2
    table = pa.table(
        {
            "path": [f"{EVIL}{row}.jpg" for row in range(rows)],
            "person_id": [f"{EVIL}{row // 2}" for row in range(rows)],
            SPACE.factors[0].name: pa.array([SPACE.factors[0].levels[one] for one in level]),
            "label": pa.array(level, pa.int16()),
            "target": pa.array(1 - level, pa.int16()),
            "weight": pa.array(np.ones(rows), pa.float32()),
            "origin": ["given"] * rows,
            "fold": pa.array(np.arange(rows) // 2 % 2, pa.int16()),
            "flags": pa.array([[f"{EVIL}:1"]] * rows),
            f"site{EVIL}": [f"{EVIL}{row % 3}" for row in range(rows)],
        }
    )
    record = Record("label", {"root": EVIL, "task": f"{EVIL}\n"}, (Input(f"-{EVIL}\n", "a" * 64),))
    manifest = Manifest(table, Header("manifest", SPACE, (record,), {"left_out": {EVIL: EVIL}}))
    manifest.write(tmp_path / "m.parquet")
    for number in range(2):
        found = out_of_fold(manifest, skill=2.0, seed=number, name=f"p{number}")
        (tmp_path / f"p{number}.parquet").write_bytes(found.encode("parquet"))
        (tmp_path / f"p{number}.csv").write_bytes(found.encode("submission"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


WORDS = [
    "show m.parquet",
    "show m.parquet --json",
    "show m.parquet --history",
    "show m.parquet --history --json",
    "show p0.parquet",
    "eda m.parquet",
    "audit m.parquet p0.parquet --no-photos",
    "split m.parquet --folds 2 -o s.parquet",
    "split m.parquet --folds 2 -o s.parquet --json",
    "evaluate m.parquet p0.parquet --by site{}",
    "evaluate m.parquet p0.parquet --by site{} --json",
    "compare p0.parquet p1.parquet --on m.parquet",
    "ensemble p0.parquet p1.parquet --vote soft --on m.parquet -o e.parquet",
    "predict m.parquet nowhere.safetensors -o x.csv",
    "label m.parquet -o l.parquet",
]


def hostile(text: str) -> set[str]:
    return set(ODD.findall(text)) - {"\n", "\t"}


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize("words", WORDS)
def test_no_command_prints_what_a_terminal_acts_on(
    folder: Path, words: str, is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("show_report", "streams"):
        monkeypatch.setattr(f"maskkit.cli.shell.{module}.stdout_is_terminal", lambda: is_terminal)
    result = run(*(word.replace("{}", EVIL) for word in words.split()))
    assert result.exception is None or isinstance(result.exception, SystemExit | MaskkitError), words
    assert hostile(result.stdout + result.stderr) == set()
    if "--json" in words:
        json.loads(result.stdout)


def test_json_says_the_same_with_escapes() -> None:
    data = {EVIL: [EVIL, "\n\t\u2028한국"]}
    text = in_json(json.dumps(data, ensure_ascii=False, indent=1))
    assert json.loads(text) == data
    assert hostile(text) == set()
    assert "한국" in text


def test_what_is_odd_is_written_as_python_writes_it() -> None:
    assert printable("a\x1b[1m\n\udcb0\u202e\x9b") == r"a\x1b[1m\n\xb0\u202e\x9b"
    assert printable("a\tb\n", keep="\n\t") == "a\tb\n"
    assert printable("한국 é 😀 \u200d") == "한국 é 😀 \u200d"


def test_a_terminal_is_shown_a_submission_without_its_escapes_and_a_pipe_all_its_bytes(folder: Path) -> None:
    words = ("ensemble", "p0.csv", "p1.csv", "--vote", "hard", "--quiet", "-o", "-")
    piped = run(*words).stdout_bytes
    assert EVIL.encode() in piped
    ours, theirs = pty.openpty()
    process = start(*words, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = read_all(ours).replace("\r\n", "\n")
    assert process.wait() == 0
    assert hostile(shown) == set()
    assert shown.count(r"\x1b[2J\r\x9b1m\u202e\x7f") == piped.count(b"\n") - 1


def test_errors_usage_and_logs_are_escaped(folder: Path) -> None:
    missing = run("show", f"{EVIL}\n  fix: rm -rf .parquet")
    assert missing.exit_code == 1
    assert hostile(missing.stderr) == set()
    assert missing.stderr.count("fix:") == 2  # one of them inside the name, on its line
    assert len(missing.stderr.splitlines()) == 3
    usage = run("show", "m.parquet", EVIL)
    assert usage.exit_code == 2
    assert hostile(usage.stderr) == set()


def test_a_log_is_one_line_and_so_is_a_row(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    print_tsv(["a", EVIL], [[f"{EVIL}\n{EVIL}", 1]])
    terminal.console.cache_clear()
    message = logging.LogRecord("maskkit", logging.WARNING, "", 0, "%s", (f"{EVIL}\nerror: x",), None)
    terminal._Messages().emit(message)
    shown = capsysbinary.readouterr()
    for text, lines in ((shown.out.decode(), 2), (shown.err.decode(), 1)):
        assert hostile(text) == set()
        assert len(text.splitlines()) == lines
    terminal.console.cache_clear()


def test_a_name_that_is_not_utf8_is_refused_as_an_argument(folder: Path) -> None:
    result = run("show", "a\udcb0\udca1.parquet")
    assert result.exit_code == 1
    assert r"error: a\xb0\xa1.parquet is not UTF-8" in result.stderr


def test_a_page_holds_no_markup_of_a_file_and_no_controls(folder: Path) -> None:
    for words in ("audit m.parquet --no-photos", "evaluate m.parquet p0.parquet --by site{}"):
        result = run(*(word.replace("{}", EVIL) for word in words.split()), "--html", "page.html", "--force")
        assert result.exit_code in (0, 3), result.stderr
        page = Path("page.html").read_text("utf-8")
        assert page.count("<script") == 1  # its own
        assert "&lt;script&gt;" in page
        assert hostile(page) == set()
