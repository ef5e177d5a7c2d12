from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from maskkit.cli.shell import startup


def test_lets_idle_threads_sleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    startup.prepare_for_torch()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    startup.prepare_for_torch()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the page faults of glibc's malloc")
def test_freed_memory_is_kept() -> None:
    churn = (
        "import resource, sys; from maskkit.cli.shell import startup;"
        "sys.argv[1] == 'well' and startup.prepare_for_torch();"
        "sizes = [len(bytearray(60_000_000)) for _ in range(20)];"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    )
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", churn, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("plain", "well")
    }
    assert faults["well"] < faults["plain"] / 3


@pytest.mark.parametrize("prepare", [startup.prepare_for_tables, startup.prepare_for_torch])
def test_the_environment_does_not_decide_how_sums_are_divided(
    monkeypatch: pytest.MonkeyPatch, prepare: Callable[[], None]
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    monkeypatch.setenv("OMP_DYNAMIC", "true")
    prepare()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert prepare is startup.prepare_for_tables or os.environ["OMP_DYNAMIC"] == "false"
