from __future__ import annotations

import os
import subprocess
import sys

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
