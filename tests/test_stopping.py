"""What a signal does to a process that has given its signals over."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from maskkit import stopping

PRELUDE = """
import os, signal, sys, threading
from pathlib import Path
from maskkit import stopping

def sent(number):
    os.kill(os.getpid(), number)

def made(name):
    Path(name).write_text("half")
    return Path(name)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)  # what is ignored is inherited, as after `&`
stopping.take_over()
"""


def ended(program: str, folder: Path) -> tuple[int, str]:
    """Run a program; return its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("SIGINT", 130, "interrupted\n"),
        ("SIGTERM", 143, "terminated\n"),
        ("SIGHUP", 129, "the terminal is closed\n"),
    ],
)
def test_a_signal_ends_the_process_with_its_exit_code(
    name: str, code: int, said: str, tmp_path: Path
) -> None:
    assert ended(f"sent(signal.{name})", tmp_path) == (code, said)


def test_what_is_half_done_is_undone_the_last_first(tmp_path: Path) -> None:
    program = """
with stopping.undone(lambda: made("a"), Path.unlink), stopping.undone(lambda: made("b"), Path.unlink):
    with stopping.undone(lambda: made("c"), Path.unlink):
        pass
    with stopping.undone(lambda: None, lambda _: print(sorted(os.listdir()), flush=True)):
        sent(signal.SIGINT)
"""
    assert ended(program, tmp_path)[0] == 130
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_signal_while_something_is_made_waits_until_it_can_be_undone(tmp_path: Path) -> None:
    program = """
def slowly():
    path = made("a")
    sent(signal.SIGTERM)
    print("still here", file=sys.stderr)
    return path

stopping.undoing(slowly, Path.unlink)
"""
    assert ended(program, tmp_path) == (143, "still here\nterminated\n")
    assert list(tmp_path.iterdir()) == []


def test_a_signal_waits_for_what_another_thread_makes(tmp_path: Path) -> None:
    program = """
half, asked = threading.Event(), threading.Event()

def slowly():
    path = made("a")
    half.set()
    asked.wait()
    return path

threading.Thread(target=lambda: stopping.undoing(slowly, Path.unlink)).start()
half.wait()
sent(signal.SIGTERM)
asked.set()
signal.pause()
"""
    assert ended(program, tmp_path) == (143, "terminated\n")
    assert list(tmp_path.iterdir()) == []


def test_a_second_signal_ends_what_hangs_in_undoing_and_undoes_the_rest(tmp_path: Path) -> None:
    program = """
with stopping.undone(lambda: made("a"), Path.unlink):
    with stopping.undone(lambda: None, lambda _: (sent(signal.SIGTERM), signal.pause())):
        sent(signal.SIGINT)
"""
    assert ended(program, tmp_path) == (143, "terminated\n")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_undone_is_no_reason_to_stay(tmp_path: Path) -> None:
    program = """
with stopping.undone(lambda: made("a"), Path.unlink), stopping.undone(lambda: None, lambda _: 1 / 0):
    sent(signal.SIGINT)
"""
    assert ended(program, tmp_path) == (130, "interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_deferred_work_checks_for_its_end_and_a_second_signal_does_not_wait(
    name: str, tmp_path: Path
) -> None:
    program = f"""
with stopping.deferred():
    stopping.check()
    sent(signal.{name})
    try:
        stopping.check()
    except stopping.StopRequested as stopped:
        print("stopped by", stopped.name, file=sys.stderr)
    with stopping.hinted("go on with this"):
        sent(signal.{name})
"""
    code, said = ended(program, tmp_path)
    assert code == 128 + getattr(signal, name)
    first, stopped, last = said.splitlines()
    assert first == f"{name}: saving what is done, after this step; once more to end at once"
    assert stopped == f"stopped by {name}"
    assert last.endswith("; go on with this")


def test_sigusr1_is_handled_only_while_work_is_deferred(tmp_path: Path) -> None:
    program = """
before = signal.getsignal(signal.SIGUSR1)
with stopping.deferred():
    assert signal.getsignal(signal.SIGUSR1) is not before
assert signal.getsignal(signal.SIGUSR1) is before
"""
    assert ended(program, tmp_path) == (0, "")


def test_no_more_work_is_begun_after_a_signal_for_which_nothing_checked(tmp_path: Path) -> None:
    program = """
with stopping.deferred():
    sent(signal.SIGTERM)
print("finished", file=sys.stderr)
with stopping.deferred():
    print("begun", file=sys.stderr)
"""
    code, said = ended(program, tmp_path)
    assert code == 143
    assert said.splitlines()[1:] == ["finished", "terminated"]


def test_signals_that_are_ignored_stay_so(tmp_path: Path) -> None:
    program = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
stopping.take_over()
sent(signal.SIGHUP)
"""
    assert ended(program, tmp_path) == (0, "")


def test_a_program_that_imports_maskkit_keeps_its_handlers() -> None:
    before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGINT)
    with stopping.deferred():
        assert (signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGINT)) == before
        stopping.check()


def test_messages_to_nobody_are_no_reason_to_stay(tmp_path: Path) -> None:
    assert ended("os.close(2); sent(signal.SIGINT)", tmp_path)[0] == 130
