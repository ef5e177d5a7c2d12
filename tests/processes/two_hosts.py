"""Two hosts, as far as a network can tell: two namespaces of this machine with a wire between them.

    python tests/processes/two_hosts.py [FOLDER]

trains and predicts on both by torchrun, each host with a cache of its own, and compares with one process on
this machine; then a process of the second host is killed, and the training is gone on with. It needs root and
`ip` of iproute2, and ends with 0 and a reason where there is none. Takes some two minutes.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

ADDRESSES = ("10.203.77.1", "10.203.77.2")
PORT = 29_677
OPTIONS = (
    "--model convnext_atto --head joint:dropout=0 --weights none --size 32 --precision float32 --device cpu "
    "--epochs 4 --batch-size 31 --sampler weighted --mix cutmix:p=0.5 --workers 1"
)
MASKKIT = [sys.executable, "-m", "maskkit"]
PATIENCE = 240  # seconds


@dataclass(frozen=True)
class Host:
    """One end of the wire."""

    number: int
    folder: Path

    @property
    def space(self) -> str:
        """The name of its namespace, and of its end of the wire."""
        return f"maskkit{self.number}"

    @property
    def cache(self) -> Path:
        """Where it keeps photos."""
        return self.folder / f"cache{self.number}"

    @property
    def log(self) -> Path:
        """What it has said last."""
        return self.folder / f"host{self.number}.log"

    def start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start torchrun with one process of a command of maskkit."""
        torchrun = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
            "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:{PORT}", "--rdzv-id", "two",
            "--rdzv-conf", f"is_host={int(self.number == 0)}", "--local-addr", ADDRESSES[self.number],
        ]  # fmt: skip
        env = {**environment(self.cache), "GLOO_SOCKET_IFNAME": self.space}
        command = ["ip", "netns", "exec", self.space, *torchrun, "-m", "maskkit", *words]
        with self.log.open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=self.folder)


def environment(cache: Path) -> Mapping[str, str]:
    """Return the environment of every command."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MASKKIT_CACHE": str(cache)}


def one(folder: Path, *words: str) -> None:
    """Run a command of maskkit in one process on this machine."""
    done = subprocess.run(
        [*MASKKIT, *words], cwd=folder, env=environment(folder / "cache"), capture_output=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr.decode())


def both(hosts: Sequence[Host], *words: str) -> list[int]:
    """Run a command on both hosts, and return how they ended."""
    running = [host.start(words) for host in hosts]
    return [each.wait(timeout=PATIENCE) for each in running]


def ip(*words: str, check: bool = True) -> str:
    """Run `ip`, and return what it says."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def wired(hosts: Sequence[Host]) -> Iterator[None]:
    """Have the namespaces, and the wire between them, inside the block."""
    first, second = (host.space for host in hosts)
    try:
        for host in hosts:
            ip("netns", "add", host.space)
        ip("link", "add", first, "netns", first, "type", "veth", "peer", "name", second, "netns", second)
        for host in hosts:
            ip("-n", host.space, "addr", "add", f"{ADDRESSES[host.number]}/24", "dev", host.space)
            ip("-n", host.space, "link", "set", host.space, "up")
            ip("-n", host.space, "link", "set", "lo", "up")
        yield
    finally:
        for host in hosts:
            ip("netns", "del", host.space, check=False)


def losses(path: Path) -> list[tuple[float, float, float]]:
    """Return the losses and the score of each epoch."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return [
        (float(row["train_loss"]), float(row["held_out_loss"]), float(row["held_out_macro_f1"]))
        for row in rows
    ]


def compare(folder: Path, name: str) -> bool:
    """Show how a training on two hosts differs from that in one process; return whether by rounding alone."""
    mine, theirs = (losses(folder / f"{one}.history.csv") for one in ("one", name))
    for epoch, (a, b) in enumerate(zip(mine, theirs, strict=True), 1):
        print(f"  epoch {epoch}: one process {a}, two hosts {b}")
    first, second = (load_file(folder / f"{one}.safetensors") for one in ("one", name))
    apart = max(float((first[key].float() - second[key].float()).abs().max()) for key in first)
    print(f"  largest difference of a weight: {apart:.2g}")
    close = torch.allclose(torch.tensor(mine), torch.tensor(theirs), rtol=1e-3, atol=1e-3)
    return close and apart < 1e-2


def kept(host: Host) -> int:
    """Return how many photos a host has decoded into its cache."""
    found = host.cache.glob("records/pixels-*/index")
    return sum(index.stat().st_size // 24 for index in found)  # a key of 16 bytes and a checksum of 8


def kill_one(hosts: Sequence[Host], words: Sequence[str], history: Path) -> list[int]:
    """Start a command on both hosts, kill the process of the second after an epoch; return how both ended."""
    running = [host.start(words) for host in hosts]
    begun = time.monotonic()
    while not history.exists() and time.monotonic() - begun < PATIENCE:
        time.sleep(0.05)
    for process in ip("netns", "pids", hosts[1].space).split():
        if b"RANK=1" in Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
            os.kill(int(process), signal.SIGKILL)
    return [each.wait(timeout=PATIENCE) for each in running]


def main(folder: Path) -> int:
    """Do all of it, and return an exit code."""
    hosts = [Host(number, folder) for number in (0, 1)]
    one(folder, "demo", "drawn", "--people", "24", "--test-people", "6")
    one(folder, "label", "drawn/train/train.csv", "-o", "labels.parquet")
    one(folder, "split", "labels.parquet", "-o", "folds.parquet")
    train = ["train", "folds.parquet", *OPTIONS.split(), "-o"]
    one(folder, *train, "one.safetensors")
    predict = ["predict", "drawn/eval", "one.safetensors", "--runtime", "torch", "-o"]
    one(folder, *predict, "one.csv")
    found = []

    print("training:", codes := both(hosts, *train, "two.safetensors"))
    found += [codes == [0, 0], compare(folder, "two")]
    print("photos in the caches, of 168:", counts := [kept(host) for host in hosts])
    found.append(sum(counts) <= 168 + len(hosts) and max(counts) < 168)

    print("prediction:", codes := both(hosts, *predict, "two.csv"))
    same = (folder / "one.csv").read_bytes() == (folder / "two.csv").read_bytes()
    print("  the same bytes as of one process:", same)
    found += [codes == [0, 0], same]

    print("killed:", codes := kill_one(hosts, [*train, "killed.safetensors"], folder / "killed.history.csv"))
    said = [
        line
        for line in hosts[0].log.read_text().splitlines()
        if line.lstrip()[:6] in ("error:", "why: t", "fix: s")
    ]
    print("", *said, sep="\n  ")
    found += [all(codes), (folder / "killed.resume").exists(), bool(said)]
    print("gone on with:", codes := both(hosts, *train, "killed.safetensors", "--resume"))
    found += [codes == [0, 0], compare(folder, "killed")]
    whole = (folder / "two.safetensors").read_bytes() == (folder / "killed.safetensors").read_bytes()
    print("  the same bytes as of a run that was not killed:", whole)
    found.append(whole)
    print("all as it should be" if all(found) else f"NOT as it should be: {found}")
    return 0 if all(found) else 1


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    if os.geteuid() or shutil.which("ip") is None:
        print("not tried: it needs root, and `ip` of iproute2")
        sys.exit()
    try:
        with wired([Host(0, place), Host(1, place)]):
            code = main(place)
    except OSError as error:
        print(f"not tried: {error}")
        sys.exit()
    sys.exit(code)
