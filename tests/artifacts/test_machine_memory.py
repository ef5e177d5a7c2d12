"""The memory that a process can have, inside control groups and out of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskkit.artifacts import machine_memory as module
from maskkit.artifacts.machine_memory import machine_memory

PAGES = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", PAGES.__getitem__)
    monkeypatch.setattr(module, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(module, "LIMITS", tmp_path / "limits")


def limit(folder: Path, text: str, name: str = "memory.max") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"{text}\n")


def test_without_control_groups_it_is_the_machines() -> None:
    assert machine_memory() == 4_096_000


def test_the_least_of_the_groups_that_we_are_in_counts(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/slurm/job_3/step_0\n")
    limit(tmp_path / "limits" / "slurm" / "job_3" / "step_0", "max")
    limit(tmp_path / "limits" / "slurm" / "job_3", "3000000")
    limit(tmp_path / "limits" / "slurm", "3500000")
    limit(tmp_path / "limits" / "another", "7")
    limit(tmp_path, "5")  # above all groups
    assert machine_memory() == 3_000_000


def test_version_1_has_a_hierarchy_for_memory_alone(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("5:cpu,cpuacct:/docker/a\n4:hugetlb,memory:/docker/a\n")
    limit(tmp_path / "limits" / "memory" / "docker" / "a", "2000000", "memory.limit_in_bytes")
    limit(tmp_path / "limits" / "cpu,cpuacct" / "docker" / "a", "9", "memory.limit_in_bytes")
    assert machine_memory() == 2_000_000


def test_in_a_container_the_group_is_at_the_top(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")
    limit(tmp_path / "limits", "1000000")
    assert machine_memory() == 1_000_000


def test_a_limit_above_the_machines_memory_is_none(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("4:memory:/\n")
    limit(tmp_path / "limits" / "memory", "9223372036854771712", "memory.limit_in_bytes")
    assert machine_memory() == 4_096_000
