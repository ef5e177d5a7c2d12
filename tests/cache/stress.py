"""Pairs of processes use one cache while another deletes, shortens, changes and replaces its files.

    python tests/cache/stress.py --pairs 200 --flips 1000

Whatever they take must be what the maker makes, and whatever digest they get that of the file. Then so many
bytes of the cache's files are changed one after the other, and each time everything is read again, by who
has the store open and by who opens it. What happened is counted; the exit code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maskkit.cache import digests
from maskkit.cache import records as module
from maskkit.cache.digests import content_digests
from maskkit.cache.records import Cache
from maskkit.cache.store import Keys, Store

SHAPE = (40, 32, 3)
STORE = Store("store", SHAPE, np.dtype(np.uint8))
KEYS: Keys = np.random.default_rng(0).integers(0, 256, (200, 16), np.uint8)
ROUNDS = 5  # in which a process opens the store anew
LIMIT = 100 * 2**20
LONGEST = 300  # seconds
FORK = multiprocessing.get_context("fork")


class Maker:
    """Makes records that follow from their keys, in some time."""

    def __init__(self, keys: Keys, counts: Counter[str]) -> None:
        self.keys, self.counts = keys, counts

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        size = int(np.prod(SHAPE))
        repeated = np.tile(self.keys[rows], (1, size // self.keys.shape[1])).reshape(-1, *SHAPE)
        return repeated ^ np.resize(np.arange(256, dtype=np.uint8), SHAPE)

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.counts["made"] += len(rows)
        time.sleep(0.0001 * len(rows))
        return self.values(rows)


def photos_in(folder: Path) -> list[Path]:
    paths = [folder / f"{number}.jpg" for number in range(20)]
    folder.mkdir(exist_ok=True)
    for number, path in enumerate(paths):
        path.write_bytes(b"photo %d" % number)
    return paths


def use(cache: Cache, photos: list[Path], seed: int, rounds: int = ROUNDS) -> Counter[str]:
    """Take records and digests, and count what was right and what was wrong."""
    chosen, counts = np.random.default_rng(seed), Counter[str]()
    true = [hashlib.sha256(path.read_bytes()).digest() for path in photos]
    for _ in range(rounds):
        maker = Maker(KEYS[chosen.permutation(len(KEYS))[:80]], counts)
        records = cache.records(STORE, maker.keys, maker)
        counts["opened" if records is not None else "without a cache"] += 1
        for _ in range(10 if records is not None else 0):
            rows = chosen.integers(0, 80, 32)
            assert records is not None
            wrong = (records.take(rows) != maker.values(rows)).any((1, 2, 3))
            counts["wrong records"] += int(wrong.sum())
            counts["records"] += len(rows)
        found = content_digests(photos, cache.folder)
        counts["digests"] += len(photos)
        counts["wrong digests"] += sum(one.tobytes() != each for one, each in zip(found, true, strict=True))
    return counts


def _process(folder: Path, photos: list[Path], seed: int, out: Path) -> None:
    module.SPARE, module.CHUNK, digests.SETTLED = 0, 20 * STORE.record_bytes, -(10**18)
    counts = use(Cache(folder, LIMIT), photos, seed)
    out.write_text(json.dumps(counts))


def flip(path: Path, chosen: random.Random) -> None:
    """Change one byte of a file in place."""
    size = path.stat().st_size
    if path.is_file() and size:
        with path.open("r+b") as file:
            place = chosen.randrange(size)
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ chosen.randrange(1, 256)]) if byte else b"")


def remove(path: Path, _: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def shorten(path: Path, chosen: random.Random) -> None:
    if path.is_file():
        os.truncate(path, chosen.randrange(1 + path.stat().st_size))


def replace(path: Path, chosen: random.Random) -> None:
    """Let something else have a file's name."""
    size = path.stat().st_size if path.is_file() else 0
    others = [one for one in path.parent.rglob("*") if one.is_file()]
    remove(path, chosen)
    kind = chosen.choice(["noise", "folder", "pipe", "link", "other"])
    if kind == "noise":
        path.write_bytes(chosen.randbytes(size))
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(chosen.choice(others) if others else "nothing")
    elif others:
        shutil.copy(chosen.choice(others), path)


DAMAGES: list[Callable[[Path, random.Random], None]] = [flip, flip, flip, remove, shorten, replace]


def destroy(folder: Path, stop: Event, seed: int, out: Path) -> None:
    """Damage the files below a folder at random moments, and now and then delete it, until told to stop."""
    chosen, counts = random.Random(seed), Counter[str]()
    while not stop.is_set():
        time.sleep(chosen.expovariate(1 / 0.003))
        with suppress(OSError):
            if chosen.random() < 0.02:
                shutil.rmtree(folder)
                counts["delete all"] += 1
                continue
            paths = [path for path in folder.rglob("*") if path.is_file() or chosen.random() < 0.1]
            if paths:
                damage = chosen.choice(DAMAGES)
                damage(chosen.choice(paths), chosen)
                counts[damage.__name__] += 1
    out.write_text(json.dumps(counts))


def run_pairs(folder: Path, pairs: int, *, at_once: int = 2) -> tuple[Counter[str], Counter[str], int]:
    """Let pairs of processes use one cache that a third destroys; return their counts and failures."""
    photos, cache = photos_in(folder / "photos"), folder / "cache"
    stop, outs = FORK.Event(), [folder / f"out{number}" for number in range(2 * pairs)]
    vandal = FORK.Process(target=destroy, args=(cache, stop, 0, folder / "damages"))
    vandal.start()
    failures = 0
    for first in range(0, 2 * pairs, 2 * at_once):
        numbers = range(first, min(first + 2 * at_once, 2 * pairs))
        users = [FORK.Process(target=_process, args=(cache, photos, one, outs[one])) for one in numbers]
        for user in users:
            user.start()
        for user in users:
            user.join(LONGEST)
            user.kill()  # one that still waits for something is a failure
            user.join()
        failures += sum(user.exitcode != 0 for user in users)
    stop.set()
    vandal.join()
    counts = sum((Counter(json.loads(out.read_text())) for out in outs if out.exists()), Counter[str]())
    return counts, Counter(json.loads((folder / "damages").read_text())), failures


def run_flips(folder: Path, flips: int) -> tuple[Counter[str], Counter[str]]:
    """Change bytes of the cache's files one after the other; return what was flipped and what was read."""
    photos, cache = photos_in(folder / "photos"), Cache(folder / "cache", LIMIT)
    chosen, flipped, counts = random.Random(0), Counter[str](), Counter[str]()
    maker, every = Maker(KEYS, counts), np.arange(len(KEYS))
    held = cache.records(STORE, KEYS, maker)
    content_digests(photos, cache.folder)
    for number in range(flips):
        path = chosen.choice(
            [one for one in sorted(cache.folder.rglob("*")) if one.is_file() and one.name != "lock"]
        )
        flip(path, chosen)
        flipped[path.name.partition("-")[0]] += 1
        for records in (held, cache.records(STORE, KEYS, maker)):
            assert records is not None
            counts["wrong records"] += int((records.take(every) != maker.values(every)).any((1, 2, 3)).sum())
            counts["records"] += len(every)
        counts += use(cache, photos, number, rounds=1)
    return flipped, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--flips", type=int, default=1000)
    given = parser.parse_args()
    module.SPARE, digests.SETTLED = 0, -(10**18)
    with tempfile.TemporaryDirectory() as name:
        counts, damages, failures = run_pairs(Path(name), given.pairs)
    print(f"{given.pairs} pairs: {dict(counts)}, {failures} failures, during {dict(damages)}")
    with tempfile.TemporaryDirectory() as name:
        flipped, read = run_flips(Path(name), given.flips)
    print(f"{sum(flipped.values())} bytes changed: {dict(flipped)}: {dict(read)}")
    both = counts + read
    sys.exit(failures > 0 or both["wrong records"] + both["wrong digests"] > 0)


if __name__ == "__main__":
    main()
