from __future__ import annotations

import os
from pathlib import Path

import pytest
from forked import run_forked


def test_a_command_ends_as_in_a_process_that_was_started_for_it(tmp_path: Path) -> None:
    code, printed, said = run_forked("label", "nowhere", cwd=tmp_path)
    assert (code, printed) == (1, "")
    assert said.startswith("error: cannot read nowhere")
    assert run_forked("--version")[0] == 0


@pytest.mark.parametrize(
    ("code", "ended"),
    [("print(1)", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_code_ends_with_its_exit_code_or_signal(code: str, ended: int) -> None:
    found, printed, said = run_forked(code=code)
    assert found == ended
    assert printed == ("1\n" if "print" in code else "")
    assert ("ZeroDivisionError" in said) == ("1 / 0" in code)


def test_each_begins_anew_in_a_folder_group_and_environment_of_its_own(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.getpid() == os.getpgrp(), sys.argv, os.environ.get('X'))"
    one = run_forked("a", "b", code=code, cwd=tmp_path, environment={"X": "1"})
    other = run_forked(code=code)
    assert one == (0, f"{tmp_path} True ['maskkit', 'a', 'b'] 1\n", "")
    assert other == (0, f"{Path.cwd()} True ['maskkit'] None\n", "")
    assert "X" not in os.environ
