"""The same inputs, options, seed, libraries and threads give the same bytes, whatever else changes."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from conftest import draw_people, some_people

from determinism.commands import SAMPLE

TESTS = Path(__file__).resolve().parents[1]
CLOCK = {"images_per_second", "seconds"}  # columns of history.csv, which say how long epochs took
THREADS = 2  # of torch, on which its sums depend: recorded, and the same here


@dataclass(frozen=True)
class Circumstances:
    """What is no input, option, seed or library, and changes no byte."""

    workers: int = 1
    is_warm: bool = False  # the cache holds photos and features
    nice: int = 0  # how far others have the processor first
    is_backwards: bool = False  # folders list their entries in another order
    one_core: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022

    def run(self, which: str, folder: Path, cache: Path) -> None:
        """Run the commands, `sample` or `all`, in a folder."""
        order = "backwards" if self.is_backwards else "listed"
        words = [sys.executable, "-m", "determinism.commands", str(self.workers), which, order]
        words = ["nice", "-n", str(self.nice), *words] if self.nice else words
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MASKKIT_")}
        given = {
            **inherited, "OMP_NUM_THREADS": str(THREADS), "MASKKIT_CACHE": str(cache), "PYTHONHASHSEED": "0",
            "COLUMNS": "120", "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
            **self.environment,
        }  # fmt: skip
        done = subprocess.run(
            words, cwd=folder, env=given, capture_output=True, text=True, umask=self.umask, check=False,
            preexec_fn=_on_one_core if self.one_core else None,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def _on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


PLAIN = Circumstances()
ELSEWHERE = {"PYTHONHASHSEED": "7", "TZ": "Asia/Seoul", "LC_ALL": "C", "OPENBLAS_NUM_THREADS": "3"}
# All that differs from `PLAIN` at a time: what survives it depends on none of it.
ALL_AT_ONCE = Circumstances(
    7, is_warm=True, nice=1, is_backwards=True, one_core=True, environment=ELSEWHERE, umask=0o077
)
MATRIX = [
    *(Circumstances(*one) for one in product((1, 2, 7), (False, True), (0, 19))),
    Circumstances(2, is_backwards=True),
    Circumstances(2, one_core=True),
    *(Circumstances(2, environment={name: value}) for name, value in ELSEWHERE.items()),
    Circumstances(2, environment={"PYTHONHASHSEED": "random", "LC_ALL": "tr_TR.UTF-8"}, umask=0o077),
]

Run = Callable[[Circumstances, str], dict[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the commands, `sample` or `all`, and return the digests of what was made, by path."""
    folder = tmp_path_factory.mktemp("determinism")
    photos = draw_people(folder / "photos", some_people(18)).parent
    cache = folder / "cache"  # as the first run left it

    def made(how: Circumstances, which: str) -> dict[str, str]:
        here = Path(tmp_path_factory.mktemp("run"))
        (here / "photos").symlink_to(photos)
        _class_folders(photos / "images", here / "classes", backwards=how.is_backwards)
        if how.is_warm:
            assert any(path.is_file() for path in cache.rglob("*")), "the cache is empty"
        how.run(which, here, cache if how.is_warm or not cache.exists() else here / "cache")
        found = {
            path.relative_to(here).as_posix(): hashlib.sha256(_read(path)).hexdigest()
            for path in sorted(here.rglob("*"))
            if path.is_file() and not {"cache", "classes", "photos"} & set(path.relative_to(here).parts)
        }
        shutil.rmtree(here)
        return found

    return made


def _class_folders(images: Path, folder: Path, *, backwards: bool) -> None:
    """Lay out some photos by class, their files made in one order or another."""
    for person in sorted(images.iterdir(), reverse=backwards)[:: -1 if backwards else 1]:
        for mask, name in (("wear", "mask1"), ("none", "normal")):
            _, gender, _, age = person.name.split("_")
            band = "under30" if int(age) < 30 else "30to59" if int(age) < 60 else "60plus"
            place = folder / mask / gender / band
            place.mkdir(parents=True, exist_ok=True)
            os.link(person / f"{name}.jpg", place / f"{person.name}-{name}.jpg")


def _read(path: Path) -> bytes:
    """Read a file; of a history without the columns of a clock."""
    if not path.name.endswith(".history.csv"):
        return path.read_bytes()
    with path.open(newline="") as file:
        columns = zip(*csv.reader(file), strict=True)
        return repr([column for column in columns if column[0] not in CLOCK]).encode()


def test_nothing_depends_on_workers_cache_load_cores_order_or_environment(run: Run) -> None:
    plain = run(PLAIN, "sample")
    files = {"labels", "classes", "folds", "fold0", "fold0.history", "predicted", "voted"}
    assert len(plain) == len(files) + len(SAMPLE)  # and what each command printed
    assert run(ALL_AT_ONCE, "sample") == plain


@pytest.fixture(scope="module")
def plain(run: Run) -> dict[str, str]:
    return run(PLAIN, "all")


@pytest.mark.slow
@pytest.mark.parametrize("how", MATRIX, ids=str)
def test_nothing_depends_on_each_of_them(how: Circumstances, run: Run, plain: dict[str, str]) -> None:
    assert run(how, "all") == plain
