"""What `maskkit predict` shows and leaves, whoever runs it and however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from commandline import error_parts, run
from forked import COMMAND, Forked

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.labels import HOME
from maskkit.stages.label import label

QUICK = ["--workers", "0", "--device", "cpu", "--runtime", "torch"]


@pytest.fixture
def work(
    folds: Manifest, checkpoints: list[Path], info_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with manifests, checkpoints and a folder of new photos."""
    monkeypatch.chdir(tmp_path)
    folds.write(tmp_path / "folds.parquet")
    label(info_csv).write(tmp_path / "test.parquet")
    for index, path in enumerate(checkpoints):
        (tmp_path / f"fold{index}.safetensors").symlink_to(path)
    (tmp_path / "new" / "deeper").mkdir(parents=True)
    for index, photo in enumerate(sorted((info_csv.parent / "images").iterdir())):
        shutil.copy(photo, tmp_path / "new" / ("deeper" if index % 2 else "") / f"{index}.jpg")
    (tmp_path / "new" / "._0.jpg").write_bytes(b"a resource fork")
    return tmp_path


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskkit.cli.predict.stdout_is_for_people", lambda: True)


@pytest.mark.usefixtures("on_a_terminal")
def test_a_terminal_gets_a_table_of_a_folder(work: Path) -> None:
    result = run("predict", "new", "fold0.safetensors", *QUICK)
    assert result.exit_code == 0, result.stderr
    head, line, *rows = [" ".join(row.split()) for row in result.stdout.splitlines()]
    assert head == "file mask gender age confidence"
    assert set(line) == {"─"}
    assert [row.split()[0] for row in rows] == [
        "0.jpg", "2.jpg", "4.jpg", "6.jpg", "deeper/1.jpg", "deeper/3.jpg", "deeper/5.jpg"
    ]  # fmt: skip
    found = Predictions.read(_piped(work, "new", "fold0.safetensors"))
    assert found.probs is not None
    for row, answer, probs in zip(rows, found.answer, found.probs, strict=True):
        assert row.split()[1:] == [*HOME.levels_of(int(answer)), f"{probs.max():.3f}"]


def _piped(work: Path, *words: str) -> Path:
    (work / "piped").write_bytes(run("predict", *words, *QUICK, "-o", "-").stdout_bytes)
    return work / "piped"


def test_a_photo_or_several_are_predicted_as_in_their_folder(work: Path) -> None:
    folder = Predictions.read(_piped(work, "new", "fold0.safetensors"))
    answers = dict(zip(folder.path.to_pylist(), folder.answer.tolist(), strict=True))
    one = Predictions.read(_piped(work, "new/0.jpg", "fold0.safetensors"))
    assert dict(zip(one.path.to_pylist(), one.answer.tolist(), strict=True)) == {"0.jpg": answers["0.jpg"]}
    photos = [str(work / "new/deeper/1.jpg"), "new/2.jpg"]  # below one folder, whole or not
    result = run("predict", *photos, "fold0.safetensors", "fold1.safetensors", *QUICK, "-o", "two.parquet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.endswith("2 photos by 2 models\n")
    assert Predictions.read("two.parquet").path.to_pylist() == ["deeper/1.jpg", "2.jpg"]
    made = run("show", "two.parquet", "--history").stdout.splitlines()[-1]
    made = made.removeprefix("OMP_NUM_THREADS=1 ")
    assert made.startswith(f"maskkit predict {photos[0]} new/2.jpg fold0.safetensors fold1.safetensors ")
    assert "--root" not in made
    again = run(*made.split()[1:-1], "again.parquet", "--workers", "0", "--device", "cpu")
    assert again.exit_code == 0, again.stderr
    assert Path("again.parquet").read_bytes() == Path("two.parquet").read_bytes()


@pytest.mark.usefixtures("work")
def test_photos_are_where_they_are_named_whatever_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKKIT_ROOT", "/nowhere")
    monkeypatch.chdir("new")
    result = run("predict", "0.jpg", "../new/2.jpg", "../fold0.safetensors", *QUICK, "--format", "csv")
    assert [line.split(",")[0] for line in result.stdout.splitlines()] == ["path", "0.jpg", "2.jpg"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("new/0.jpg new/0.jpg fold0.safetensors", 1, "is given twice"),
        ("new/0.jpg lost.jpg fold0.safetensors", 1, "cannot read lost.jpg"),
        ("new/0.jpg", 2, "CHECKPOINT"),
        ("new/0.jpg new/2.jpg", 2, "give a model behind the photos"),
        ("new new/0.jpg fold0.safetensors", 2, "new/0.jpg is a photo, behind a folder"),
        ("folds.parquet new/0.jpg fold0.safetensors", 2, "new/0.jpg is a photo, behind a manifest"),
        ("new/0.jpg fold0.safetensors --root new", 2, "photos are where they are named"),
        ("new/0.jpg fold0.safetensors new", 1, "cannot read new"),
        ("new fold0.safetensors --format csv --submission", 2, "a submission is a CSV of its own"),
    ],
)
def test_photos_and_models_in_each_others_place_are_refused(
    work: Path, words: str, code: int, said: str
) -> None:
    result = run("predict", *words.split(), "-o", "x.parquet")
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


@pytest.mark.usefixtures("work")
def test_the_format_goes_before_the_ending_and_is_that_of_a_pipe() -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK]
    assert run(*words, "--format", "csv").stdout.startswith("path,answer,confidence,wear/male/under30,")
    assert run(*words, "--format", "parquet", "-o", "x.csv").exit_code == 0
    assert Path("x.csv").read_bytes()[:4] == b"PAR1"
    assert run("ensemble", "x.csv", "x.csv", "--format", "csv", "-o", "x.parquet").exit_code == 0
    assert Path("x.parquet").read_bytes().startswith(b"path,answer,confidence,")
    assert run("evaluate", "folds.parquet", "x.parquet").exit_code == 1  # of other photos, but it is read


@pytest.mark.usefixtures("on_a_terminal")
def test_the_most_likely_classes_are_shown_if_asked(work: Path) -> None:
    result = run("predict", "test.parquet", "fold0.safetensors", *QUICK, "--top", "2")
    assert result.exit_code == 0, result.stderr
    row = result.stdout.splitlines()[2].split()
    found = Predictions.read(_piped(work, "test.parquet", "fold0.safetensors"))
    assert found.probs is not None
    first, second = np.argsort(-found.probs[0])[:2]
    assert row == [
        found.path[0].as_py(),
        HOME.names[first], f"{found.probs[0, first]:.3f}",
        HOME.names[second], f"{found.probs[0, second]:.3f}",
    ]  # fmt: skip


@pytest.mark.usefixtures("on_a_terminal")
def test_a_table_ends_after_fifty_photos(work: Path) -> None:
    words = ["predict", "folds.parquet", *_folds(), "--oof", *QUICK]
    shown = run(*words).stdout.splitlines()
    assert len(shown) == 2 + 50 + 1
    assert shown[-1].strip() == "... and 118 more: -o FILE writes all"
    submission = run(*words, "--submission").stdout
    assert submission.startswith("ImageID,ans\n")
    assert submission.count("\n") == 1 + 168


def _folds() -> list[str]:
    return [f"fold{fold}.safetensors" for fold in range(3)]


def test_a_folder_into_a_file_shows_the_table_too_unless_quiet(work: Path) -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv"]
    result = run(*words)
    assert (result.exit_code, result.stdout) == (0, "found.csv\n")
    assert "deeper/5.jpg" in result.stderr
    assert run(*words, "--force", "--quiet").stderr == ""
    manifest = run("predict", "test.parquet", "fold0.safetensors", *QUICK, "-o", "other.csv")
    assert "confidence" not in manifest.stderr


def test_photos_of_a_folder_whose_names_are_not_utf8_are_listed_at_the_end(work: Path) -> None:
    (work / "new" / "0.jpg").rename(work / "new" / os.fsdecode("사진.jpg".encode("cp949")))
    result = run("predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "found.csv\n")
    assert "1 of 7 photos could not be read" in result.stderr
    assert r"\xbb\xe7\xc1\xf8.jpg (its name is not UTF-8; in CP949 it is 사진.jpg)" in result.stderr
    assert len(Predictions.read("found.csv")) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tta", "vflip"], "there is no 'vflip'"),
        (["--blend", "median"], "mean, geometric, logit"),
        (["--top", "0"], "--top"),
        (["--on", "folds.parquet"], "--calibrate"),
        (["--calibrate", "a", "--decide", "b"], "has a temperature of its own"),
        (["--sets", "0.9"], "sets are calibrated on out-of-fold predictions"),
        (["--sets", "2", "--calibrate", "a"], "less than or equal to 1"),
        (["--sets-per", "age"], "--sets"),
        (["--abstain", "2"], "large sets are what it goes by"),
        (["--calibrate", "a", "--sets", ".9", "--consensus", "person"], "photos that come alone"),
        (["--resume"], "-o"),
        (["--resume", "-o", "-"], "-o"),
        (["--consensus", "fold"], "person"),
    ],
)
def test_wrong_words_are_wrong_usage(work: Path, words: list[str], said: str) -> None:
    result = run("predict", "test.parquet", "fold0.safetensors", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_bad_photos_are_listed_and_the_others_written(work: Path) -> None:
    (work / "new" / "0.jpg").write_bytes(b"no photo")
    (work / "new" / "deeper" / "3.jpg").write_bytes(b"")
    words = ["predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv"]
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, "found.csv\n")
    assert error_parts(result.stderr) == ["error", "why", "fix"]
    assert "2 of 7 photos could not be read" in result.stderr
    assert "why: 0.jpg (not a photo), deeper/3.jpg (empty)" in result.stderr
    assert len(Predictions.read("found.csv")) == 5

    again = run(*words)
    assert (again.exit_code, again.stdout) == (1, "")
    (work / "new" / "0.jpg").write_bytes((work / "new" / "2.jpg").read_bytes())
    assert run(*words, "--resume").exit_code == 1
    assert len(Predictions.read("found.csv")) == 6
    (work / "new" / "deeper" / "3.jpg").write_bytes((work / "new" / "2.jpg").read_bytes())
    mended = run(*words, "--resume")
    assert (mended.exit_code, mended.stdout) == (0, "found.csv\n")
    assert not Path("found.csv.resume").exists()
    assert run(*words[:-1], "-").stdout_bytes != Path("found.csv").read_bytes()  # which is Parquet
    assert run(*words[:-1], "fresh.csv").exit_code == 0
    assert Path("fresh.csv").read_bytes() == Path("found.csv").read_bytes()


def test_a_run_in_which_no_photo_can_be_read_writes_nothing(work: Path) -> None:
    for photo in (work / "new").rglob("*.jpg"):
        photo.write_bytes(b"no photo")
    before = sorted(work.rglob("*"))
    result = run("predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "none of 7 photos can be read" in result.stderr
    assert sorted(work.rglob("*")) == before


def test_what_was_interrupted_is_not_thrown_away_unasked(work: Path) -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv"]
    (work / "new" / "0.jpg").write_bytes(b"no photo")
    assert run(*words).exit_code == 1
    Path("found.csv").unlink()
    kept = Path("found.csv.resume").read_bytes()
    refused = run(*words)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "holds an interrupted run of predict" in refused.stderr
    changed = run(*words, "--tta", "hflip", "--resume")
    assert "tta was none, is hflip" in changed.stderr
    assert run(*words, "--force", "--dry-run").exit_code == 0
    assert Path("found.csv.resume").read_bytes() == kept
    (work / "new" / "0.jpg").unlink()
    assert run(*words, "--tta", "hflip", "--force").exit_code == 0
    assert not Path("found.csv.resume").exists()


def test_decisions_consensus_and_calibration_go_by_the_command_line(work: Path) -> None:
    oof = ["predict", "folds.parquet", *_folds(), "--oof", *QUICK, "--quiet"]
    assert run(*oof, "-o", "oof.parquet").exit_code == 0
    decision = Decision.make(HOME, (), method="classes", offsets=[3.0, *[0.0] * 17])
    Path("decide.json").write_bytes(decision.to_bytes())
    decided = run(*oof, "--decide", "decide.json", "--consensus", "person", "-o", "decided.parquet")
    assert decided.exit_code == 0
    assert "agreed on their gender and age" in decided.stderr
    assert set(Predictions.read("decided.parquet").adjusted) == {"decision", "consensus"}
    test = ["predict", "test.parquet", *_folds(), *QUICK]
    cold = run(*test, "--calibrate", "oof.parquet", "--on", "folds.parquet", "-o", "cold.parquet")
    assert cold.exit_code == 0
    assert "temperature " in cold.stderr
    assert "on 168 out-of-fold photos" in cold.stderr
    plain = Predictions.read(_piped(work, "test.parquet", *_folds()))
    assert np.array_equal(Predictions.read("cold.parquet").answer, plain.answer)
    leaky = ["predict", "folds.parquet", "fold0.safetensors", "--allow-leak", *QUICK, "-o", "leaky.parquet"]
    assert run(*leaky).exit_code == 0
    refused = run(*test, "--calibrate", "leaky.parquet", "--on", "folds.parquet")
    assert refused.exit_code == 3


def test_sets_are_written_shown_and_scored(work: Path) -> None:
    oof = ["predict", "folds.parquet", *_folds(), "--oof", *QUICK]
    assert run(*oof, "-o", "oof.parquet").exit_code == 0
    sets = [*oof, "--calibrate", "oof.parquet", "--sets", "0.5"]
    assert run(*sets, "-o", "sets.parquet").exit_code == 0
    found = Predictions.read("sets.parquet").sets
    assert found is not None
    scored = run("evaluate", "folds.parquet", "sets.parquet", "--json")
    again = run("evaluate", "folds.parquet", "oof.parquet", "--sets", "0.5", "--json")
    assert json.loads(scored.stdout)["sets"] == json.loads(again.stdout)["sets"]
    assert json.loads(scored.stdout)["sets"]["all"]["size"] == found.sizes.mean()

    most = int(np.median(found.sizes))
    silent = run(*sets, "--abstain", str(most), "-o", "silent.parquet")
    assert silent.exit_code == 0
    left_out = int((found.sizes > most).sum())
    assert len(Predictions.read("silent.parquet")) == 168 - left_out
    assert f"{left_out} of 168 photos ({left_out / 168:.1%}) are left out: large sets" in silent.stderr
    refused = run("evaluate", "folds.parquet", "silent.parquet")
    assert (refused.exit_code, "or all of a fold, without --abstain" in refused.stderr) == (1, True)


KEPT_OFTEN = """
from maskkit.stages import predict
predict.KEPT_EVERY = 20
"""


def test_kill_9_and_resume_give_the_bytes_of_a_run_that_was_never_stopped(work: Path) -> None:
    (work / "many").mkdir()
    for number in range(240):
        os.link(work / "new" / "0.jpg", work / "many" / f"{number}.jpg")
    words = ["predict", "many", "fold0.safetensors", *QUICK, "--batch-size", "2", "--quiet"]
    kept = Path("found.parquet.resume")
    code = KEPT_OFTEN + COMMAND
    with Forked(*words, "-o", "found.parquet", stdout=1, stderr=2, code=code) as command:
        deadline = time.monotonic() + 120
        while not (kept.exists() and kept.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(command.pid, signal.SIGKILL)
    assert kept.exists()
    assert not Path("found.parquet").exists()
    assert run(*words, "-o", "found.parquet", "--resume").exit_code == 0
    assert not kept.exists()
    assert run(*words, "-o", "whole.parquet").exit_code == 0
    assert Path("found.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def as_it_is(path: Path) -> tuple[int, int, int]:
    """By what a file that is replaced is known; when it was read last is no part of it."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def test_resuming_what_is_finished_ends_well_and_other_options_are_named(work: Path) -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK, "--resume", "-o"]
    for name in ("found.parquet", "found.csv"):
        assert run(*words, name).exit_code == 0
        before = as_it_is(Path(name))
        again = run(*words, name)
        assert (again.exit_code, again.stdout) == (0, f"{name}\n")
        assert as_it_is(Path(name)) == before
        other = run(*words, name, "--tta", "hflip")
        assert (other.exit_code, other.stdout, as_it_is(Path(name))) == (1, "", before)
        assert not Path(f"{name}.resume").exists()
    assert "found.parquet is finished already" in run(*words, "found.parquet").stderr
    assert "tta was none, is hflip" in run(*words, "found.parquet", "--tta", "hflip").stderr
    assert "found.csv exists already" in run(*words, "found.csv", "--tta", "hflip").stderr


def test_a_run_that_was_forced_may_replace_the_output_when_it_is_gone_on_with(work: Path) -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv"]
    assert run(*words).exit_code == 0
    old = Path("found.csv").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Predictions, "encode", _killed)
        assert isinstance(run(*words, "--tta", "hflip", "--force").exception, ZeroDivisionError)
    assert Path("found.csv").read_bytes() == old
    assert run(*words, "--tta", "hflip", "--resume").exit_code == 0
    assert Path("found.csv").read_bytes() != old
    assert not Path("found.csv.resume").exists()


def _killed(*_: object) -> bytes:
    raise ZeroDivisionError


def test_what_was_killed_between_its_output_and_the_end_is_finished(work: Path) -> None:
    words = ["predict", "new", "fold0.safetensors", *QUICK, "-o", "found.csv"]
    assert run(*words).exit_code == 0
    whole = Path("found.csv").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", _killed_at_resume_file)
        assert isinstance(run(*words, "--force").exception, ZeroDivisionError)
    assert Path("found.csv.resume").exists()
    assert run(*words, "--resume").exit_code == 0
    assert (Path("found.csv").read_bytes(), Path("found.csv.resume").exists()) == (whole, False)


UNLINK = Path.unlink


def _killed_at_resume_file(path: Path, missing_ok: bool = False) -> None:
    if path.name == "found.csv.resume" and path.exists():
        raise ZeroDivisionError
    UNLINK(path, missing_ok=missing_ok)
