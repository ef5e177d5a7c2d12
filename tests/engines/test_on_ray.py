"""Ray itself, as users start it; what costs seconds is slow."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import networks
import pytest
from commandline import run

from maskkit.artifacts.manifest import Manifest
from maskkit.dry_run import dry_run
from maskkit.engines import on_ray
from maskkit.engines.engine import chosen, working_on
from maskkit.engines.on_ray import OnRay
from maskkit.errors import MaskkitError
from maskkit.options.ray_address import RayAddress

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
# Runs a command with small tasks; the first that is kept kills a worker, or the process itself.
KILLING = """
import os, signal, sys
from pathlib import Path
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.engines import on_ray
from maskkit.imaging import each_photo
from maskkit.stages import predict

on_ray.PHOTOS_PER_TASK = 4
on_ray.OnRay.batches_per_task = 1
each_photo.KEPT_EVERY, each_photo.SETTLED, predict.KEPT_EVERY = 20, -1, 20
append, whom = ProgressFile.append, [os.environ["KILLED"]]

def parent(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])

def is_ours(process):
    while process > 1:
        process = parent(process)
        if process == os.getpid():
            return True
    return False

def worker():
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name = place.joinpath("cmdline").read_bytes()
            if name.startswith(b"ray::MapWorker") and is_ours(int(place.name)):
                return int(place.name)
        except OSError:
            pass
    raise SystemExit("there is no worker")

def append_and_kill(self, data):
    append(self, data)
    if whom:
        os.kill(worker() if whom.pop() == "worker" else os.getpid(), signal.SIGKILL)

ProgressFile.append = append_and_kill
from maskkit.__main__ import main
sys.argv[0] = "maskkit"
main()
"""
PREDICT = "predict folds.parquet fold0.safetensors fold1.safetensors --oof --runtime torch --batch-size 4"
CASES = {
    "label": ("label {train_csv}", ".parquet", "-o"),
    "crop": ("crop folds.parquet --detector detector", ".parquet", "-o"),
    "eda": ("eda folds.parquet", ".html", "--html"),
    "survey": ("eda folds.parquet --half", ".parquet", "-o"),
    "audit": ("audit folds.parquet", ".parquet", "-o"),
    "predict": (f"{PREDICT} --workers 0 --cache-size 0", ".parquet", "-o"),
}


def test_without_ray_the_line_that_installs_it_is_said(
    folds: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds.write(tmp_path / "folds.parquet")
    monkeypatch.setattr(on_ray, "find_spec", lambda _: None)
    found = run("eda", str(tmp_path / "folds.parquet"), "--engine", "ray", "--dry-run")
    assert (found.exit_code, found.stdout) == (1, "")
    assert "Ray is not installed" in found.stderr
    assert "pip install 'ray[client,data]'" in found.stderr


@needs_ray
def test_on_ray_is_understood_also_in_predict_where_on_names_a_manifest(work: Path, train_csv: Path) -> None:
    for words in (
        "label {train_csv}",
        "crop folds.parquet --detector detector",
        "eda folds.parquet",
        PREDICT,
    ):
        typed = words.format(train_csv=train_csv).split()
        found = run(*typed, "-o", "x.parquet", "--on", "ray", "--dry-run")
        assert found.exit_code == 0, found.stderr


@needs_ray
def test_an_address_at_which_nothing_answers_is_an_error_at_once(folds: Manifest) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for address in (RayAddress(f"ray://127.0.0.1:{port}"), RayAddress()):
            with pytest.MonkeyPatch.context() as patch, working_on(address):
                patch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
                with pytest.raises(MaskkitError, match=f"no Ray answers at .*127.0.0.1:{port}") as caught:
                    chosen().each(len, [""]).__enter__()
                assert caught.value.why == "connection refused"


@needs_ray
def test_a_dry_run_starts_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnRay, "_connected", lambda _: pytest.fail("Ray is started"))
    with working_on(RayAddress()), dry_run(is_wanted=True):
        chosen().each(len, [""]).__enter__()


@pytest.mark.parametrize(
    ("needs", "what", "fix"),
    [
        ({"num_cpus": 5}, "no machine of Ray has 5 processors", "OMP_NUM_THREADS=1"),
        ({"num_gpus": 1}, "no machine of Ray has a GPU", "--device cpu"),
    ],
)
def test_what_no_machine_of_a_cluster_has_is_an_error_instead_of_a_wait(
    needs: dict[str, int], what: str, fix: str
) -> None:
    machines = [
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": False, "Resources": {"CPU": 8.0, "GPU": 1.0}},
    ]
    ray = SimpleNamespace(nodes=lambda: machines)
    assert on_ray._room(ray, {"num_cpus": 2}) == 2
    with pytest.raises(MaskkitError, match=what) as caught:
        on_ray._room(ray, needs)
    assert fix in caught.value.fix


@pytest.fixture
def own_ray(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of artifacts, where commands start a Ray that leaves its files in a place of its own."""
    (work / "detector").exists() or (work / "detector").write_bytes(networks.centerface())
    place = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # sockets' names have to be short
    for name, value in {"RAY_TMPDIR": place, "HOME": place, "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield work
    shutil.rmtree(place, ignore_errors=True)


def ended(program: list[str], words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *words], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def assert_same(work: Path, name: str, train_csv: Path, *more: str, **environment: str) -> None:
    """Run a command here and on Ray; it says the same and makes the same bytes."""
    words, ending, flag = CASES[name]
    typed = words.format(train_csv=train_csv).split()
    here = ended(["-m", "maskkit"], [*typed, flag, f"here{ending}"], **environment)
    there = ended(
        ["-m", "maskkit"], [*typed, flag, f"there{ending}", *(more or ("--engine", "ray"))], **environment
    )
    assert there.returncode == here.returncode, there.stderr
    assert there.stdout.replace("there", "here") == here.stdout
    assert "ray" not in there.stderr.lower()
    assert (work / f"there{ending}").read_bytes() == (work / f"here{ending}").read_bytes()


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize("name", CASES)
def test_on_ray_what_is_made_has_the_bytes_of_this_machine(own_ray: Path, train_csv: Path, name: str) -> None:
    assert_same(own_ray, name, train_csv)


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize("name", ["survey", "predict"])
def test_a_worker_that_is_killed_in_the_middle_changes_nothing(own_ray: Path, name: str) -> None:
    words, ending, flag = CASES[name]
    typed = [*words.split(), flag]
    found = ended(["-c", KILLING], [*typed, f"there{ending}", "--engine", "ray"], KILLED="worker")
    assert (found.returncode, found.stdout) == (0, f"there{ending}\n"), found.stderr
    ended(["-m", "maskkit"], [*typed, f"here{ending}"])
    assert (own_ray / f"there{ending}").read_bytes() == (own_ray / f"here{ending}").read_bytes()


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize("name", ["survey", "predict"])
def test_a_command_that_is_killed_in_the_middle_is_gone_on_with(own_ray: Path, name: str) -> None:
    words, ending, flag = CASES[name]
    typed = [*words.split(), flag]
    killed = ended(["-c", KILLING], [*typed, f"there{ending}", "--engine", "ray"], KILLED="driver")
    assert killed.returncode == -signal.SIGKILL
    kept = own_ray / f"there{ending}.resume"
    assert kept.exists()
    resumed = ended(["-m", "maskkit"], [*typed, f"there{ending}", "--engine", "ray", "--resume"])
    assert resumed.returncode == 0, resumed.stderr
    assert not kept.exists()
    ended(["-m", "maskkit"], [*typed, f"here{ending}"])
    assert (own_ray / f"there{ending}").read_bytes() == (own_ray / f"here{ending}").read_bytes()


WRONG = """
import os
from maskkit.engines import on_ray
from maskkit.engines.engine import chosen, working_on
from maskkit.options.ray_address import RayAddress

on_ray.PHOTOS_PER_TASK = 2

def raises(number):
    return number if number != 5 else 1 / 0

def dies(number):
    return number if number != 5 else os._exit(1)

with working_on(RayAddress()):
    for function in (raises, dies):
        found = []
        try:
            with chosen().each(function, range(9)) as results:
                found.extend(results)
        except Exception as error:
            print([number for number in found if number != 4], error)
"""


@pytest.mark.slow
@needs_ray
def test_a_photo_at_which_each_worker_fails_or_dies_ends_the_work(own_ray: Path) -> None:
    done = ended(["-c", WRONG], [])
    assert done.stdout.count("[0, 1, 2, 3]") == 2, done.stdout + done.stderr
    assert "why: ZeroDivisionError: division by zero" in done.stdout
    assert "error: 5 workers of Ray have died at the same photos" in done.stdout


@pytest.fixture
def cluster(own_ray: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The addresses of a cluster of one machine: for its own machine, and for others."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ports = []
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    own, client = ports
    head = subprocess.Popen(
        [Path(sys.executable).parent / "ray", "start", "--head", "--block", f"--port={own}",
         f"--ray-client-server-port={client}", "--include-dashboard=false", "--num-cpus=2",
         "--disable-usage-stats", "--node-ip-address=127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    for _ in range(600):
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", client)) == 0:
                break
        time.sleep(0.1)
    yield f"127.0.0.1:{own}", f"ray://127.0.0.1:{client}"
    head.terminate()
    head.wait(60)


@pytest.mark.slow
@needs_ray
def test_a_cluster_is_reached_from_its_machines_and_from_others(
    own_ray: Path, cluster: tuple[str, str], train_csv: Path
) -> None:
    assert_same(own_ray, "label", train_csv, RAY_ADDRESS=cluster[0])
    for made in own_ray.glob("*here.parquet"):
        made.unlink()
    assert_same(own_ray, "predict", train_csv, "--engine", cluster[1])
