"""What has to hold of a case: what is under final names, what the message says, how the next run ends."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePath

import pyarrow.parquet as pq

from faults.commands import Command
from faults.layer import Injected
from faults.runs import Ended

KILLED = -9
CLOCK = ("seconds", "images_per_second")  # columns of a history that differ between equal trainings
NO_RESULT = ("cache/", "tmp/")
BESIDE = re.compile(r"(^|/)\.([^/]+?)(?:\.[a-z0-9_*]{8}|\.\*)?\.(?:partial|lock|together)(?=/|$)")
EXIST = ("exists already", "is not empty")

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Case:
    """A command, what goes wrong, and both runs: with the fault, and again without."""

    command: Command
    injected: Injected
    first: Ended
    between: Files  # after the first run
    again: Ended
    after: Files


@dataclass(frozen=True)
class Undisturbed:
    """The run that all others are compared with."""

    ended: Ended
    files: Files

    def kept(self, command: Command) -> int:
        """Return how many pieces of finished work it made last."""
        return kept(command, self.ended)


def files_in(folder: Path) -> Files:
    """Return the content of all files of a folder but the cache's, without what a clock decides."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(NO_RESULT):
            found[name] = _timeless(name, path.read_bytes())
    return found


def problems(case: Case, expected: Undisturbed) -> Iterator[str]:
    """Yield what is wrong with a case."""
    yield from _ending(case, expected)
    yield from _names(case, expected)
    yield from _rerun(case, expected)
    if _is_of_photo(case):
        return  # the others of its batch are predicted again with it
    lost = kept(case.command, case.first) + kept(case.command, case.again) - expected.kept(case.command)
    if lost > 0:
        yield f"{lost} finished pieces of work were made again"


def not_kept(command: Command, found: Undisturbed) -> Iterator[str]:
    """Yield what is wrong if a run keeps less of its work, or more, than it should."""
    if found.kept(command) != command.pieces:
        yield f"{found.kept(command)} pieces of work are kept, and not {command.pieces}"


def not_on_disk(found: Undisturbed) -> Iterator[str]:
    """Yield which files have their names before their content is on the disk, or names that never are.

    Killing a process does not show that, as cutting its machine's power would.
    """
    done = [(one.operation.kind, one.operation.path) for one in found.ended.done if not one.ended]
    for name in found.files:
        folder, last = PurePath(name).parent, PurePath(name).name
        beside = (folder / f".{last}.*.partial").as_posix()
        if ("write", beside) not in done:
            continue  # it came in a folder that was given its name, as that of `demo`
        named = max(place for place, one in enumerate(done) if one in (("link", name), ("rename", name)))
        written = max(place for place, one in enumerate(done[:named]) if one == ("write", beside))
        if ("sync", beside) not in done[written:named]:
            yield f"{name} has its name before it is on the disk"
        if ("sync", folder.as_posix()) not in done[named:]:
            yield f"the name of {name} is not on the disk"


def outcome(case: Case) -> str:
    """Say how the first run ended, for the table."""
    if case.first.code == KILLED:
        return "killed"
    return "finished" if case.first.code == 0 else "error"


def left_behind(case: Case, expected: Undisturbed) -> list[str]:
    """Return the files that are neither results nor known to the command, after the second run."""
    return sorted(set(case.after) - set(expected.files))


def kept(command: Command, ended: Ended) -> int:
    """Return how many pieces of finished work a run made last."""
    if command.keeps is None:
        return 0
    done = (f"{one.operation.kind} {one.operation.path}" for one in ended.done if not one.ended)
    work = takewhile(lambda text: re.match(command.until, text) is None, done)
    return sum(re.fullmatch(command.keeps, text) is not None for text in work)


def _ending(case: Case, expected: Undisturbed) -> Iterator[str]:
    first, fault = case.first, case.injected.fault
    if fault.startswith("SIGKILL"):
        if first.code != KILLED:
            yield f"ended with {first.code} before it was killed"
    elif "Traceback" in first.stderr:
        yield f"a traceback: {first.stderr.strip().splitlines()[-1]}"
    elif first.code == 0:
        yield from _finished(case, expected)
    else:
        yield from _failed(case, expected)


def _finished(case: Case, expected: Undisturbed) -> Iterator[str]:
    if _lacks_photos(case):
        return
    if different := set(_different(case.between, expected.files)) - _may_stay(case):
        yield f"exit code 0 with other files: {sorted(different)}"
    if case.first.stdout != expected.ended.stdout:
        yield "exit code 0 with another standard output"


def _failed(case: Case, expected: Undisturbed) -> Iterator[str]:
    first = case.first
    if first.code != 1:
        yield f"exit code {first.code}"
    if case.injected.fault == "short":
        yield "a short write is an error"
    if not re.search(r"^error: .+\n +why: .+\n +fix: ", first.stderr, re.MULTILINE):
        yield f"no error, why and fix: {first.stderr.strip()[-200:]!r}"
    elif not _is_named(case, first.stderr, expected):
        yield f"the message names no file: {first.stderr.strip()[-300:]!r}"


def _lacks_photos(case: Case) -> bool:
    """Whether a photo could not be read, and the command named it, as a finding too, and went on."""
    first, name = case.first, "/".join(PurePath(case.injected.operation.path).parts[-2:]).encode()
    said = [first.stderr.encode(), first.stdout, *case.between.values()]
    return _is_of_photo(case) and first.code == 0 and any(name in one for one in said)


def _is_of_photo(case: Case) -> bool:
    operation = case.injected.operation
    return operation.kind in ("open", "read") and operation.path.endswith(".jpg")


def _may_stay(case: Case) -> set[str]:
    """Return the file beside an output that could not be removed, if that is the fault."""
    operation = case.injected.operation
    if operation.kind != "unlink":
        return set()
    pattern = re.compile(re.escape(operation.path).replace(r"\*", "[a-z0-9_]{8}"))
    return {name for name in case.between if pattern.fullmatch(name) and BESIDE.search(name)}


def _is_named(case: Case, message: str, expected: Undisturbed) -> bool:
    """Whether a message has the name of a file that failed, or of an output that would lie in the folder."""
    failed = {case.injected.operation.path}
    failed |= {one.operation.path for one in case.first.done if one.ended == case.injected.fault}
    paths = {PurePath(final_name(path)) for path in failed}
    inside = {PurePath(name) for name in expected.files if paths & set(PurePath(name).parents)}
    known = {folder for path in paths | inside for folder in (path, *path.parents) if folder.name}
    return any(re.search(rf"\b{re.escape(path.name)}\b", message) for path in known)


def final_name(path: str) -> str:
    """Return the name that a temporary sibling stands in for.

    >>> final_name("out/.labels.parquet.*.partial")
    'out/labels.parquet'
    >>> final_name(".out.partial/fresh/train/train.csv")
    'out/train/train.csv'
    """
    return BESIDE.sub(r"\1\2", path).replace("/fresh/", "/").replace("/replaced/", "/")


def _names(case: Case, expected: Undisturbed) -> Iterator[str]:
    """Look at what the first run left under final names."""
    for name, data in case.between.items():
        if name in expected.files and not _lacks_photos(case):
            if not _is_whole(name, data, expected.files[name]):
                yield f"{name} is not whole"
        elif name in expected.files:
            continue
        elif BESIDE.search(name):
            if case.first.code != KILLED and name not in _may_stay(case) and not name.endswith(".together"):
                yield f"{name} was left by an error"
        elif not name.endswith(".resume"):
            yield f"{name} is no result"


def _is_whole(name: str, data: bytes, expected: bytes) -> bool:
    if data == expected:
        return True
    if name.endswith(".history.csv"):  # whole after each epoch
        return expected.startswith(data) and data.endswith(b"\n")
    return name.endswith("oof.parquet") and _rows(data).items() <= _rows(expected).items()


def _rows(data: bytes) -> dict[str, tuple[float, ...]]:
    """Return predictions by path: those of photos that cannot be read are left out, and listed."""
    table = pq.read_table(io.BytesIO(data))
    return dict(zip(table["path"].to_pylist(), map(tuple, table["probs"].to_pylist()), strict=True))


def _rerun(case: Case, expected: Undisturbed) -> Iterator[str]:
    again = case.again
    was_finished = all(case.between.get(name) == data for name, data in expected.files.items())
    is_refused = again.code == 1 and any(text in again.stderr for text in EXIST)
    if is_refused and (_lacks_photos(case) or (was_finished and not case.command.resume)):
        return
    if again.code != 0:
        yield f"the next run ends with {again.code}: {again.stderr.strip()[-300:]!r}"
        return
    if _lacks_photos(case) and case.after == case.between:
        return  # it is finished, and has said what is wrong
    if different := set(_different(case.after, expected.files)) - _may_stay(case):
        yield f"the next run ends in other files: {sorted(different)}"
    if again.stdout != expected.ended.stdout:
        yield "the next run has another standard output"


def _different(found: Files, expected: Files) -> list[str]:
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def _timeless(name: str, data: bytes) -> bytes:
    if not name.endswith(".history.csv"):
        return data
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    text = io.StringIO()
    writer = csv.DictWriter(text, [key for key in rows[0] if key not in CLOCK], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().replace("\r\n", "\n").encode()
