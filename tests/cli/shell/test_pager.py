from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maskkit.artifacts.manifest import Manifest

PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells who reads a pipe")
ASKS = (
    "import sys, time; from maskkit.cli.shell.pager import a_pager_reads; time.sleep(.5); "
    "print(a_pager_reads(), file=sys.stderr)"
)


def said(pipeline: str, **environment: str) -> tuple[str, str]:
    """Run a shell's pipeline in which $ASK asks; return what its last program prints, and the answer."""
    done = subprocess.run(
        ["bash", "-c", pipeline], capture_output=True, text=True, check=False,
        env={**os.environ, "ASK": ASKS, "PY": sys.executable, **environment},
    )  # fmt: skip
    return done.stdout, done.stderr.strip()


@PROC
def test_a_pager_is_known_by_its_name_and_that_it_reads_the_pipe(tmp_path: Path) -> None:
    ask = '"$PY" -c "$ASK"'
    (tmp_path / "less").symlink_to(shutil.which("cat") or "cat")  # without a terminal, less is a cat
    (tmp_path / "mine").symlink_to(shutil.which("cat") or "cat")
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert said(f"{ask} | less", PATH=path)[1] == "True"
    assert said(f"{ask} | cat", PATH=path)[1] == "False"
    assert said(f"{ask} | mine", PATH=path)[1] == "False"
    assert said(f"{ask} | mine", PATH=path, PAGER="mine -R")[1] == "True"
    assert said(f"{ask} | cat", PATH=path, PAGER="'broken")[1] == "False"
    assert said(f"{ask} > {tmp_path}/file; less < /dev/null", PATH=path)[1] == "False"
    assert said(f"yes | less > /dev/null & {ask} | cat; kill %1", PATH=path)[1] == "False"  # another's


@PROC
def test_a_pager_gets_tables_and_no_bytes(folds: Manifest, tmp_path: Path) -> None:
    folds.write(tmp_path / "folds.parquet")
    (tmp_path / "less").symlink_to(shutil.which("cat") or "cat")
    command = f'cd {tmp_path}; "$PY" -m maskkit'
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert "kind: manifest" in said(f"{command} show folds.parquet | less", PATH=path)[0]
    assert "kind\tmanifest" in said(f"{command} show folds.parquet | cat", PATH=path)[0].replace(": ", "\t")
    shown, error = said(f"{command} split folds.parquet | less", PATH=path)
    assert (shown, "give a file with -o" in error) == ("", True)
