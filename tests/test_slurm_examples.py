"""The scripts for Slurm, run by a shell with what Slurm sets, and a `maskkit` and `scontrol` of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SLURM = Path(__file__).parents[1] / "examples" / "slurm"
TYPED = {
    "shards.sbatch": "predict given.parquet model.safetensors --tta hflip --shard 3/7 -o out/3.parquet "
    "--resume",
    "folds.sbatch": "train given.parquet --fold 3 -o out/fold3.safetensors --resume model.safetensors "
    "--tta hflip",
}


def begun(script: str, folder: Path, *, maskkit: str) -> subprocess.Popen[bytes]:
    """Begin a job of an array whose `maskkit` is a shell script."""
    for name, text in {"maskkit": maskkit, "scontrol": 'echo "$@" > requeued'}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    slurm = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "7"}
    words = [str(SLURM / script), "given.parquet", "out", "model.safetensors", "--tta", "hflip"]
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.Popen(["sh", *words], cwd=folder, env={**os.environ, **slurm, "PATH": path})


@pytest.mark.parametrize("script", TYPED)
@pytest.mark.parametrize("code", [0, 3])
def test_a_job_does_its_share_and_ends_as_the_command_ends(script: str, code: int, tmp_path: Path) -> None:
    job = begun(script, tmp_path, maskkit=f'echo "$@" > typed; exit {code}')
    assert job.wait() == code
    assert (tmp_path / "typed").read_text().strip() == TYPED[script]
    assert not (tmp_path / "requeued").exists()


@pytest.mark.parametrize("script", TYPED)
def test_a_job_whose_time_is_up_goes_back_into_the_queue(script: str, tmp_path: Path) -> None:
    stopped = "trap 'sleep 0.2; exit 138' USR1; : > begun; while :; do sleep 0.05; done"
    job = begun(script, tmp_path, maskkit=stopped)
    while not (tmp_path / "begun").exists():
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    assert job.wait() == 0  # of scontrol
    assert (tmp_path / "requeued").read_text() == "requeue 17_3\n"
