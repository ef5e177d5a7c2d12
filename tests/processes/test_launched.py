from __future__ import annotations

import os

import pytest

from maskkit.processes import launched
from maskkit.processes.launched import Launch, claim_device, launch


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "GROUP_RANK",
        "CUDA_VISIBLE_DEVICES",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(launched._Part, "is_taken", True)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "ERROR")


def started_as(monkeypatch: pytest.MonkeyPatch, **values: str) -> Launch:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return launch()


def test_a_process_is_the_only_one_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert launch() == Launch()
    assert started_as(monkeypatch, RANK="1") == Launch()  # of how many?
    assert started_as(monkeypatch, WORLD_SIZE="many") == Launch()
    assert started_as(monkeypatch, WORLD_SIZE="1") == Launch()


def test_torchrun_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = started_as(
        monkeypatch, RANK="5", WORLD_SIZE="8", LOCAL_RANK="1", LOCAL_WORLD_SIZE="4", GROUP_RANK="1"
    )
    assert found == Launch(rank=5, world=8, local_rank=1, local_world=4, host=1)
    assert found.name == "process 6 of 8"
    monkeypatch.setattr(launched._Part, "is_taken", False)  # a program with processes of its own
    assert launch() == Launch()
    assert not found.is_first


@pytest.mark.parametrize(
    ("visible", "claimed"), [(None, "1"), ("4,7", "7"), ("GPU-a,GPU-b,GPU-c", "GPU-b"), ("3", "3"), ("", "")]
)
def test_each_process_sees_one_gpu(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, claimed: str
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "gone")
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    claim_device(Launch(rank=1, world=2, local_rank=1))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == claimed


def test_a_process_alone_keeps_all_gpus() -> None:
    claim_device(Launch())
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
