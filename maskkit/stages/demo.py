"""Draw a small data set in the competition's layout, its people made up by code."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskkit.artifacts.draft import PARTIAL
from maskkit.artifacts.locks import held
from maskkit.artifacts.places import NAME_KEPT, cannot_write, sync_folder
from maskkit.drawing.people import Person, population
from maskkit.drawing.photo import draw_portrait, take_photo
from maskkit.dry_run import is_dry, work_begins
from maskkit.engines.threads import on_all_cores
from maskkit.errors import MaskkitError, examples
from maskkit.imaging.survey import keep_freed_memory
from maskkit.progress import track
from maskkit.sources.layouts import STATES
from maskkit.stopping import undone

RACE = "Drawn"  # fills a column that the competition has, and marks the files as made here
OLDEST, OLDEST_TESTED = 6, 2  # at least so many per gender are 60 or older, if the number of people allows it
JPEG_QUALITY = 90
ATTEMPTS = 20  # at removing a folder in which others write


@dataclass(frozen=True)
class Drawn:
    """How many people and photos were drawn."""

    people: int
    photos: int
    test_people: int
    test_photos: int


def demo(
    directory: Path, *, people: int = 150, test_people: int = 40, seed: int = 0, force: bool = False
) -> Drawn:
    """Write `train/` with labelled people and `eval/` with others, seven photos each, and the answers.

    Everything is built in `.<name>.partial` beside the folder, which takes its place at the end, so
    that no half data set looks complete.

    The same seed, 0 or more, gives the same bytes. The folder must be empty or not exist; with `force`, it
    may be a data set that `demo` wrote, provided that nothing was added to it.

    Raises:
        MaskkitError: The folder holds something else or cannot be written, or a number is too small.
    """
    for name, number, least in (("people", people, 1), ("test people", test_people, 0), ("seed", seed, 0)):
        if number < least:
            raise MaskkitError(
                f"the number of {name} is {number}" if name != "seed" else f"the seed is {number}",
                why=f"the least is {least}",
                fix=f"give {least} or more",
            )
    directory = directory.resolve()
    known = {  # where their photos go, in the order of STATES
        person: [Path("train", "images", _folder(person), f"{state}.jpg") for state in STATES]
        for person in population(people, seed=seed, at_least=OLDEST)
    }
    others = population(test_people, seed=seed, first=people + 1, at_least=OLDEST_TESTED)
    hidden = {person: _test_paths(person, seed=seed) for person in others}
    with _whole_folder(directory, force=force) as partial:
        _write_tables(partial, known, hidden)
        _draw(partial, known | hidden, seed=seed)
    return Drawn(people, people * len(STATES), test_people, test_people * len(STATES))


def _folder(person: Person) -> str:
    return f"{person.id}_{person.gender}_{RACE}_{person.age}"


def _test_paths(person: Person, *, seed: int) -> list[Path]:
    """Return names that reveal nothing, and whose order therefore shuffles people and masks."""
    keys = [f"{seed}/{person.id}/{state}".encode() for state in STATES]
    names = [hashlib.sha1(key, usedforsecurity=False).hexdigest() for key in keys]
    return [Path("eval", "images", f"{name}.jpg") for name in names]


def _write_tables(folder: Path, known: dict[Person, list[Path]], hidden: dict[Person, list[Path]]) -> None:
    answers = sorted(
        (path.name, mask, person.gender, person.age, person.id)
        for person, paths in hidden.items()
        for path, mask in zip(paths, STATES.values(), strict=True)
    )
    people = [(person.id, person.gender, RACE, person.age, _folder(person)) for person in known]
    _write_csv(folder / "train" / "train.csv", ("id", "gender", "race", "age", "path"), people)
    _write_csv(folder / "eval" / "info.csv", ("ImageID", "ans"), [(name, 0) for name, *_ in answers])
    _write_csv(folder / "eval" / "answers.csv", ("path", "mask", "gender", "age", "person_id"), answers)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows(rows)


def _draw(folder: Path, work: dict[Person, list[Path]], *, seed: int) -> None:
    """Draw everybody, a person per thread: NumPy and OpenCV compute outside the interpreter's lock."""
    keep_freed_memory()
    with on_all_cores(lambda one: _draw_person(folder, *one, seed), work.items()) as drawn:
        for _ in track(drawn, len(work), "people"):
            pass


def _draw_person(folder: Path, person: Person, paths: list[Path], seed: int) -> None:
    portrait = draw_portrait(person.look)
    for number, (path, mask) in enumerate(zip(paths, STATES.values(), strict=True), start=1):
        photo = take_photo(portrait, mask=mask, random=np.random.default_rng([seed, person.number, number]))
        _, jpeg = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(jpeg.tobytes())


def _refuse_occupied(directory: Path, *, force: bool) -> None:
    """Raise if something is in the way that may not be replaced."""
    if directory.exists() and not directory.is_dir():
        raise MaskkitError(f"{directory} is a file", why="a folder is written", fix="choose another name")
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not force:
        raise MaskkitError(
            f"{directory} is not empty",
            why="what is there is never overwritten unasked",
            fix="choose another folder, or use --force if it holds an earlier demo",
        )
    present = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}
    foreign = sorted(present - _own_files(directory))
    if foreign:
        raise MaskkitError(
            f"{directory} holds files that `demo` did not write: {examples(foreign)}",
            why="--force replaces a folder only if everything in it was drawn",
            fix="move them away, or choose another folder",
        )


def _own_files(directory: Path) -> set[str]:
    """Return the files that an earlier run wrote, by its tables; none if these are of another program."""
    try:
        people = _read_csv(directory / "train" / "train.csv")
        answers = _read_csv(directory / "eval" / "answers.csv")
        if any(row["race"] != RACE for row in people):
            return set()
        photos = {f"train/images/{row['path']}/{state}.jpg" for row in people for state in STATES}
        photos |= {f"eval/images/{row['path']}" for row in answers}
    except (OSError, KeyError, ValueError):
        return set()
    return photos | {"train/train.csv", "eval/info.csv", "eval/answers.csv"}


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def _whole_folder(directory: Path, *, force: bool) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `directory` when the block ends without an error.

    It is drawn beside it, where one that a killed run has left is cleared away.
    """
    partial = directory.with_name(f".{directory.name[:NAME_KEPT]}{PARTIAL}")
    fresh, replaced = partial / "fresh", partial / "replaced"

    def take_back(_: None = None) -> None:
        if is_dry():
            return
        with suppress(OSError):
            _put_back(replaced, directory)
        for _attempt in range(ATTEMPTS):  # threads may still be drawing there
            shutil.rmtree(partial, ignore_errors=True)

    with held(directory):
        try:
            take_back()
            _refuse_occupied(directory, force=force)
            work_begins()
            with undone(lambda: fresh.mkdir(parents=True), take_back):
                yield fresh
                if directory.exists():
                    directory.rename(replaced)
                fresh.rename(directory)
                sync_folder(directory.parent)
        except OSError as error:
            raise cannot_write(directory, error) from error
        finally:
            take_back()


def _put_back(replaced: Path, directory: Path) -> None:
    """Give a folder its name back, if nothing has taken its place."""
    if replaced.exists() and not directory.exists():
        replaced.rename(directory)
