"""label, crop, eda and audit that are killed go on, and come to the bytes of a run that was never stopped."""

from __future__ import annotations

import csv
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import networks
import pytest
from commandline import run
from forked import COMMAND, run_forked

from maskkit.artifacts.progress_file import ProgressFile
from maskkit.engines import engine
from maskkit.imaging import each_photo
from maskkit.stages.label import label

PHOTOS = 40
KEPT = 15  # photos in the blocks that a killed run has written

KILLED = """
import os, signal
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.imaging import each_photo

each_photo.KEPT_EVERY, each_photo.SETTLED = 5, -1
append, blocks = ProgressFile.append, []

def append_and_die(self, data):
    append(self, data)
    blocks.append(data)
    if len(blocks) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

ProgressFile.append = append_and_die
"""


@dataclass(frozen=True)
class Case:
    """A command, the flag of its first output and how that ends, and an option that changes it."""

    words: str
    ending: str = ".parquet"
    flag: str = "-o"
    other: str = ""
    named: str = ""  # in what the error says of the option

    def to(self, name: str) -> list[str]:
        return [*self.words.split(), self.flag, f"{name}{self.ending}"]


CASES = {
    "label": Case(
        "label photos.csv", other="--ignore age=57-59", named="ignore was {}, is {'age': ['57-59']}"
    ),
    "label without a check": Case(
        "label photos.csv", other="--no-check", named="no_check was False, is True"
    ),
    "crop": Case(
        "crop labels.parquet --detector detector", other="--score 0.5", named="score was 0.35, is 0.5"
    ),
    "eda": Case("eda labels.parquet", ".html", "--html", "--half", "half was False, is True"),
    "eda with other photos": Case(
        "eda labels.parquet", ".html", "--html", "--photos", "photos was False, is True"
    ),
    "eda's survey": Case("eda labels.parquet", other="--half", named="half was False, is True"),
    "eda of two": Case("eda labels.parquet more.parquet", ".html", "--html", "--seed 1", "seed was 0, is 1"),
    "audit": Case("audit labels.parquet", other="--sureness 0.5", named="sureness was 0.95, is 0.5"),
    "audit against": Case(
        "audit labels.parquet --against more.parquet", other="--no-photos --root .", named="root"
    ),
    "audit's page": Case("audit labels.parquet", ".html", "--html", "--photos", "photos was False, is True"),
}
del CASES["audit against"]
RERUNS = [name for name, case in CASES.items() if case.flag == "--html"]


@pytest.fixture(autouse=True)
def _blocks_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(each_photo, "KEPT_EVERY", 5)
    monkeypatch.setattr(each_photo, "SETTLED", -1)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty photos of twenty people with a red face, a manifest of them, and one of the first three."""
    folder = tmp_path_factory.mktemp("album")
    rows = [(f"{number}.png", number // 2, "none", "male", 20 + number) for number in range(PHOTOS)]
    for number, (name, *_) in enumerate(rows):
        networks.save_photo(folder / name, networks.red_photo((30 + number, 50)))
    for table, some in (("photos.csv", rows), ("more.csv", rows[:3])):
        with (folder / table).open("w", newline="") as file:
            csv.writer(file).writerows([("path", "person_id", "mask", "gender", "age"), *some])
    (folder / "detector").write_bytes(networks.centerface())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        label("photos.csv").write("labels.parquet")
        label("more.csv").write("more.parquet")
    return folder


@pytest.fixture
def work(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that, which is the working folder."""
    folder = Path(shutil.copytree(album, tmp_path / "work"))
    monkeypatch.chdir(folder)
    return folder


def killed(words: list[str]) -> None:
    """Run a command that dies once it has written three blocks."""
    code, *_ = run_forked(*words, code=KILLED + COMMAND)
    assert code == -signal.SIGKILL


@pytest.mark.parametrize("name", CASES)
def test_kill_9_and_resume_give_the_bytes_of_a_run_that_was_never_stopped(work: Path, name: str) -> None:
    case = CASES[name]
    words, output = case.to("found"), work / f"found{case.ending}"
    kept = work / f"{output.name}.resume"
    killed(words)
    assert kept.exists()
    assert not output.exists()

    anew = run(*words)
    assert anew.exit_code == 1
    assert f"{kept.name} holds an interrupted run" in anew.stderr
    changed = run(*words, *case.other.split(), "--resume")
    assert changed.exit_code == 1
    assert case.named in " ".join(changed.stderr.split())

    kept.write_bytes(kept.read_bytes() + b"torn")
    resumed, whole = run(*words, "--resume"), run(*case.to("whole"))
    assert resumed.exit_code == whole.exit_code
    assert resumed.exit_code in (0, 3)
    assert f"resumed {kept.name} after {KEPT} photos" in resumed.stderr
    assert not kept.exists()
    assert output.read_bytes() == (work / f"whole{case.ending}").read_bytes()


@pytest.mark.parametrize("name", CASES)
def test_a_finished_run_is_left_and_another_one_refused_by_name(work: Path, name: str) -> None:
    case = CASES[name]
    words, output = case.to("found"), work / f"found{case.ending}"
    first = run(*words, "--resume")  # on nothing, which begins
    assert first.exit_code in (0, 3)
    before, inode = output.read_bytes(), output.stat().st_ino
    again = run(*words, "--resume")
    assert (again.exit_code, again.stdout) == (first.exit_code, first.stdout)
    if name not in RERUNS:
        assert f"{output.name} is finished already" in again.stderr
        assert output.stat().st_ino == inode
    assert output.read_bytes() == before
    changed = run(*words, *case.other.split(), "--resume")
    assert (changed.exit_code, changed.stdout) == (1, "")
    assert f"{output.name} was made with other settings" in changed.stderr
    assert case.named in " ".join(changed.stderr.split())
    assert output.read_bytes() == before
    assert not list(work.glob("*.resume"))


def test_a_page_is_left_where_people_look_and_nothing_is_done(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("eda", "audit's page"):
        words = CASES[name].to(name.partition("'")[0])
        first = run(*words)
        with monkeypatch.context() as patch:
            patch.setattr("maskkit.cli.shell.resume_option.stdout_is_terminal", lambda: True)
            patch.setattr(engine, "on_all_cores", lambda *_: pytest.fail("a photo is opened"))
            again = run(*words, "--resume")
        assert (again.exit_code, again.stdout) == (first.exit_code, "")
        assert f"{words[-1]} is finished already" in again.stderr


def test_leaks_that_a_finished_audit_has_found_are_refused_again(work: Path) -> None:
    words = [*CASES["audit"].to("found"), "--quiet"]
    for more in ([], ["--resume"]):
        refused = run(*words, *more)
        assert refused.exit_code == 3
        assert "leaks were found: " in refused.stderr
        assert "leak:people" in refused.stderr


def test_a_photo_that_is_mended_or_replaced_meanwhile_is_looked_at_again(work: Path) -> None:
    Path("3.png").write_bytes(b"no photo")
    words = CASES["label"].to("found")
    killed(words)
    networks.save_photo(Path("3.png"), networks.red_photo((20, 20)))
    networks.save_photo(Path("7.png"), networks.red_photo((70, 70)))
    assert run(*words, "--resume").exit_code == 0
    assert run(*CASES["label"].to("whole")).exit_code == 0
    assert Path("found.parquet").read_bytes() == Path("whole.parquet").read_bytes()


def test_bad_photos_are_named_and_what_was_found_of_the_others_is_kept_until_they_are_mended(
    work: Path,
) -> None:
    good = Path("3.png").read_bytes()
    Path("3.png").write_bytes(b"no photo")
    words = CASES["label"].to("found")
    bad = run(*words)
    assert bad.exit_code == 1
    assert "3.png (not a photo)" in bad.stderr
    Path("3.png").write_bytes(good)
    mended = run(*words, "--resume")
    assert (mended.exit_code, mended.stdout) == (0, "found.parquet\n")
    assert "resumed found.parquet.resume after 40 photos" in mended.stderr


def test_a_photo_that_has_changed_since_makes_a_finished_label_another_run(work: Path) -> None:
    words = CASES["label"].to("found")
    assert run(*words).exit_code == 0
    networks.save_photo(Path("7.png"), networks.red_photo((70, 70)))
    changed = run(*words, "--resume")
    assert changed.exit_code == 1
    assert "an input file has other content" in changed.stderr


def test_what_another_stage_has_made_is_not_taken_for_the_result(work: Path) -> None:
    shutil.copy("labels.parquet", "found.parquet")
    refused = run(*CASES["crop"].to("found"), "--resume")
    assert refused.exit_code == 1
    assert "`maskkit label` has made it" in refused.stderr


def test_force_starts_anew_and_other_outputs_than_the_first_are_made_if_they_are_missing(work: Path) -> None:
    words = CASES["audit"].to("found")
    killed(words)
    forced = run(*words, "--force")
    assert forced.exit_code == 3
    assert "resumed" not in forced.stderr
    before = Path("found.parquet").read_bytes()
    more = run(*words, "--html", "page.html", "--resume")
    assert more.exit_code == 3
    assert Path("page.html").exists()
    assert Path("found.parquet").read_bytes() == before


def test_a_file_that_says_nothing_of_its_run_is_compared_with_what_is_made_again(work: Path) -> None:
    words = ["audit", "labels.parquet", "--corrections", "fixes.csv", "--quiet"]
    killed(words)
    resumed = run(*words, "--resume")
    assert resumed.exit_code == 3
    made, inode = Path("fixes.csv").read_bytes(), Path("fixes.csv").stat().st_ino
    assert run(*words, "--resume").exit_code == 3
    assert Path("fixes.csv").stat().st_ino == inode
    Path("fixes.csv").write_bytes(made + b"x,,age,5,,,,\n")
    other = run(*words, "--resume")
    assert other.exit_code == 1
    assert "fixes.csv exists already" in other.stderr
    assert Path("fixes.csv").read_bytes() != made


@pytest.mark.parametrize("name", ["eda", "audit's page"])
def test_a_finished_run_that_is_made_again_for_a_pipe_may_be_killed_too(work: Path, name: str) -> None:
    words = CASES[name].to("found")
    assert run(*words).exit_code in (0, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressFile, "append", lambda *_: pytest.fail("progress is kept"))
        assert run(*words, "--resume").exit_code in (0, 3)
    assert not list(work.glob("*.resume"))


@pytest.mark.parametrize(
    "words",
    ["label photos.csv", "label photos.csv -o -", "crop labels.parquet --detector detector",
     "eda labels.parquet", "audit labels.parquet", "audit labels.parquet -o -"],
)  # fmt: skip
def test_without_a_file_there_is_nothing_to_resume(work: Path, words: str) -> None:
    result = run(*words.split(), "--resume")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kept beside a file" in " ".join(result.stderr.split())
    piped = run(*words.split())
    assert piped.exit_code in (0, 3)
    assert not list(work.glob("*.resume"))
