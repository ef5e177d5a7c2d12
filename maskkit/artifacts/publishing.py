"""Files that appear under their names whole, those of one command together, and never unasked over others.

A file is written beside its place, synced, and linked under its name, which the file system does only if
the name is free. Whoever comes second keeps what was made, under another name.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from maskkit.artifacts.places import NAME_KEPT, cannot_write, made, sync_folder
from maskkit.errors import MaskkitError
from maskkit.stopping import undoing

if TYPE_CHECKING:
    import pyarrow as pa

    Content: TypeAlias = bytes | bytearray | memoryview | pa.Buffer

PARTIAL = ".partial"
TOGETHER = ".together"
BLOCK = 1 << 20  # bytes
# What file systems without hard links say, such as those of memory cards.
NO_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
AT_FDCWD, RENAME_NOREPLACE = -100, 1  # of linux/fcntl.h and linux/fs.h


def write_whole(path: Path, data: Content, *, force: bool = False, known: Collection[str] = ()) -> None:
    """Write one file, whole or not at all; `force` and `known` as those of a `Publication`."""
    with Publication([path], force=force, known=known) as publication:
        publication.add(path, data)


def refuse_existing(path: Path, *, force: bool, known: Collection[str] = ()) -> None:
    """Raise if `path` cannot be written: it exists unasked, or its folder cannot hold it.

    It may exist with `force`, or if the sha256 of what is there is `known`. What a killed writer left beside
    it is cleared away.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:  # such as a name that is too long
        raise cannot_write(path, error) from error
    if mode is not None and stat.S_ISDIR(mode):
        raise MaskkitError(
            f"{path} is a folder", why="one file is written there", fix="give -o a file name inside it"
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise MaskkitError(
            f"{path} is a device or a pipe",
            why="a file is written beside it and takes its place, which would destroy it",
            fix="use `-o -` to write to standard output",
        )
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise MaskkitError(
            f"cannot write {path}", why=f"{folder} is not a folder you may write to", fix="use another -o"
        )
    if mode is not None:
        with suppress(OSError):
            _clear_abandoned(Path(os.path.realpath(path)))
        if not force and (not known or sha256_of(path) not in known):
            raise MaskkitError(
                f"{path} exists already",
                why="an existing file is never overwritten unasked",
                fix="use --force to replace it, or another -o",
            )


class Publication:
    """The files that a command makes; a context.

    Each is written beside its place as it comes, and once all have come, or the context ends without an
    error, they appear under their names. Should the process be killed while they do, a note beside the first
    says what they are, so that the same command may find some of them when it runs again.

    `paths` are all files that may come. With `force` they replace what is there; else that must be
    nothing, or have a sha256 among `known`: then it is left if it is the same, and replaced if not. With
    `same_is_fine` it may also be the same without being known. `command` tells commands apart whose files
    have the same names; `announced` is called for each file before the first appears.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        force: bool = False,
        known: Collection[str] = (),
        same_is_fine: bool = False,
        command: str = "",
        announced: Callable[[Draft], None] = lambda _: None,
    ) -> None:
        self.force, self.same_is_fine, self.command = force, same_is_fine, command
        self._announced = announced
        self._awaited = [_place(path) for path in paths]
        self._is_of_several = len(paths) > 1
        self._note = _sibling(self._awaited[0], TOGETHER) if self._is_of_several else None
        self.known = {*known, *self._published_before()}
        self._drafts: list[tuple[Draft, Callable[[], None]]] = []

    def _published_before(self) -> Collection[str]:
        """Return the sha256 of files that the same command has published before it was killed."""
        with suppress(OSError, ValueError):
            noted = json.loads(self._note.read_bytes()) if self._note is not None else {}
            if isinstance(noted, dict) and noted.get("command") == self._name_of_command:
                return [str(one) for one in noted["files"]]
        return []

    @property
    def _name_of_command(self) -> str:
        return hashlib.sha256(json.dumps([self.command, *map(str, self._awaited)]).encode()).hexdigest()

    def add(self, path: Path, data: Content, then: Callable[[], None] = lambda: None) -> None:
        """Write a file beside its place; `then` is called when it has appeared.

        Raises:
            MaskkitError: It cannot be written, or its name is taken.
        """
        self._drafts.append((Draft.of(path, data), then))
        if len(self._drafts) == len(self._awaited):
            self.publish()

    def publish(self) -> None:
        """Let all that have come appear under their names."""
        if not self._drafts:
            return
        drafts = [draft for draft, _ in self._drafts]
        if self._note is not None:
            digests = [draft.sha256 for draft in drafts]
            note = json.dumps({"command": self._name_of_command, "files": digests}).encode()
            noted = Draft.of(self._note, note)
            noted.appear(force=True)
            noted.discard()
        for draft in drafts:
            self._announced(draft)
        self._appear(drafts)
        self._forget_note()
        for _, then in self._drafts:
            then()
        self.discard()

    def _appear(self, drafts: list[Draft]) -> None:
        """Give drafts their names; from the first on whose name is taken, keep them under others."""
        for number, draft in enumerate(drafts):
            try:
                draft.appear(force=self.force, known=self.known, same_is_fine=self.same_is_fine)
            except FileExistsError:
                self._forget_note()
                raise _taken(draft, drafts[number:]) from None

    def _forget_note(self) -> None:
        if self._note is not None:
            with suppress(OSError):  # one that stays does no harm
                self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what was written beside the places."""
        for draft, _ in self._drafts:
            draft.discard()
        self._drafts.clear()

    def __enter__(self) -> Publication:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.publish()
        finally:
            self.discard()


@dataclass(frozen=True)
class Draft:
    """A whole file beside its place.

    It is locked while its writer lives, so that the next writer of the same name can tell what `kill -9` left
    behind from what another process is still writing, and clear it away.
    """

    path: Path  # as it was named
    place: Path  # where it will be: a symbolic link stays one
    beside: Path  # where it is
    file: BinaryIO  # open, and locked
    forget: Callable[[], None]  # that a signal is to remove it

    @classmethod
    def of(cls, path: Path, data: Content) -> Draft:
        """Write a file, and see that it is on the disk; raise a MaskkitError if that fails."""
        place, content = _place(path), memoryview(data)
        try:
            made(place.parent)
            (file, beside), forget = undoing(partial(_opened_beside, place), _remove)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            mask = os.umask(0o022)  # which cannot be read without setting it
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)  # mkstemp made it private
            return cls(path, place, beside, file, forget)
        except BaseException as error:
            _remove((file, beside))
            forget()
            if isinstance(error, OSError):
                raise cannot_write(path, error) from error
            raise

    @cached_property
    def sha256(self) -> str:
        """Digest of the content, in hexadecimal."""
        return sha256_of(self.beside)

    def appear(self, *, force: bool = False, known: Collection[str] = (), same_is_fine: bool = False) -> None:
        """Take the name, if it is free or what has it may be replaced, as those of a `Publication`.

        Raises:
            FileExistsError: It is taken.
            MaskkitError: The file system fails.
        """
        try:
            replaces = force
            if not force and not self._takes_free_name():
                there = sha256_of(self.place)
                if there not in known and not (same_is_fine and there == self.sha256):
                    raise FileExistsError(self.place)
                replaces = there != self.sha256
            if replaces:
                os.replace(self.beside, self.place)  # noqa: PTH105 - seen beside link, which pathlib turns round
            sync_folder(self.place.parent)
        except FileExistsError:
            raise
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def _takes_free_name(self) -> bool:
        try:
            _link(self.beside, self.place)
        except FileExistsError:
            return False
        return True

    def keep(self) -> Path:
        """Take another name, `a.2.csv` for `a.csv`, or the next that is free; return it."""
        for number in count(2):
            other = self.place.with_name(f"{self.place.stem[:NAME_KEPT]}.{number}{self.place.suffix}")
            with suppress(FileExistsError):
                _link(self.beside, other)
                sync_folder(other.parent)
                return other
        raise AssertionError

    def discard(self) -> None:
        """Remove what is beside the place, if anything."""
        _remove((self.file, self.beside))
        self.forget()


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal; an empty text if there is no file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


class TakenError(MaskkitError):
    """The name of a file is taken; what would have had it is kept under another, or there already."""


def _taken(first: Draft, lost: list[Draft]) -> TakenError:
    """Keep drafts under other names; return the error that tells which."""
    if sha256_of(first.place) == first.sha256 and len(lost) == 1:
        kept = "it holds what this run has made"
    else:
        kept = f"what this run has made is kept: {', '.join(str(draft.keep()) for draft in lost)}"
    return TakenError(
        f"{first.path} exists already",
        why="another run may have written it meanwhile, and an existing file is never overwritten unasked",
        fix=f"{kept}; use another -o, or --force",
    )


def _place(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _sibling(place: Path, suffix: str) -> Path:
    return place.with_name(f".{place.name[:NAME_KEPT]}{suffix}")


def _link(source: Path, target: Path) -> None:
    """Give a file a name if that is free; raise a FileExistsError if not."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_onto_nothing(source, target)
    else:
        os.unlink(source)  # noqa: PTH108 - as above


def _rename_onto_nothing(source: Path, target: Path) -> None:
    """Rename a file if the name is free, where there are no hard links.

    Without the system call for it, another process may take the name between the look and the rename.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None:
        names = os.fsencode(source), os.fsencode(target)
        if not rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE):
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise OSError(number, os.strerror(number), str(target))
    if os.path.lexists(target):
        raise FileExistsError(target)
    os.replace(source, target)  # noqa: PTH105 - as above


def _opened_beside(place: Path) -> tuple[BinaryIO, Path]:
    _clear_abandoned(place)
    while True:
        handle, name = tempfile.mkstemp(prefix=_prefix(place), suffix=PARTIAL, dir=place.parent)
        with suppress(OSError):  # some network file systems have no locks; nothing is cleared there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return os.fdopen(handle, "wb"), Path(name)
        os.close(handle)  # another writer cleared it away before it was locked


def _prefix(place: Path) -> str:
    return f".{place.name[:NAME_KEPT]}."


def _clear_abandoned(place: Path) -> None:
    for path in place.parent.iterdir():
        if path.name.startswith(_prefix(place)) and path.name.endswith(PARTIAL):
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe of that name is not waited for
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives
                    path.unlink(missing_ok=True)
                finally:
                    os.close(handle)


def _remove(opened: tuple[BinaryIO, Path]) -> None:
    file, beside = opened
    with suppress(OSError):  # nothing of worth is lost, and what failed before is what is said
        beside.unlink(missing_ok=True)
    with suppress(OSError):
        file.close()
