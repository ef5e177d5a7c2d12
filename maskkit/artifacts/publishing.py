"""Files that appear under their names whole, those of one command together, and never unasked over others.

A file is written beside its place, synced, and linked under its name, which the file system does only if
the name is free. Whoever comes second keeps what was made, under another name.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from maskkit.artifacts.draft import Draft, clear_abandoned, sha256_of
from maskkit.artifacts.places import NAME_KEPT, cannot_write, real_place
from maskkit.artifacts.upload import Upload, refuse_existing_object, upload_of
from maskkit.errors import MaskkitError
from maskkit.storage.address import Address, PathOrAddress

if TYPE_CHECKING:
    from maskkit.artifacts.draft import Content

TOGETHER = ".together"


def write_whole(
    path: PathOrAddress, data: Content, *, force: bool = False, known: Collection[str] = ()
) -> None:
    """Write one file, whole or not at all; `force` and `known` as those of a `Publication`."""
    with Publication([path], force=force, known=known) as publication:
        publication.add(path, data)


def refuse_existing(path: PathOrAddress, *, force: bool, known: Collection[str] = ()) -> None:
    """Raise if `path` cannot be written: it exists unasked, or its folder cannot hold it.

    It may exist with `force`, or if the sha256 of what is there is `known`. What a killed writer left beside
    it is cleared away.
    """
    if isinstance(path, Address):
        refuse_existing_object(path, force=force, known=known)
        return
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
            clear_abandoned(real_place(path))
        if not force and (not known or sha256_of(path) not in known):
            raise MaskkitError(
                f"{path} exists already",
                why="an existing file is never overwritten unasked",
                fix="use --force to replace it, or another -o",
            )


class Publication:
    """The files that a command makes; a context.

    Each is written beside its place as it comes, or is kept in memory if that is at an address. Once all have
    come, or the context ends without an error, they appear under their names. Should the process be killed
    while they do, a note beside the first says what they are, so that the same command may find some of them
    when it runs again.

    `paths` are all files that may come. With `force` they replace what is there; else that must be
    nothing, or have a sha256 among `known`: then it is left if it is the same, and replaced if not. With
    `same_is_fine` it may also be the same without being known. `command` tells commands apart whose files
    have the same names; `announced` is called for each file before the first appears.
    """

    def __init__(
        self,
        paths: Sequence[PathOrAddress],
        *,
        force: bool = False,
        known: Collection[str] = (),
        same_is_fine: bool = False,
        command: str = "",
        announced: Callable[[Draft | Upload], None] = lambda _: None,
    ) -> None:
        self.force, self.same_is_fine, self.command = force, same_is_fine, command
        self._announced = announced
        self._awaited = [path if isinstance(path, Address) else real_place(path) for path in paths]
        # Beside files only: if the process is killed between two objects, --force makes both again.
        here = [place for place in self._awaited if isinstance(place, Path)]
        self._note = _note_of(here[0]) if here and len(paths) > 1 else None
        self.known = {*known, *self._published_before()}
        self._drafts: list[tuple[Draft | Upload, Callable[[], None]]] = []

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

    def add(self, path: PathOrAddress, data: Content, then: Callable[[], None] = lambda: None) -> None:
        """Write a file beside its place; `then` is called when it has appeared.

        Raises:
            MaskkitError: It cannot be written, or its name is taken.
        """
        draft = upload_of(path, data) if isinstance(path, Address) else Draft.of(path, data)
        self._drafts.append((draft, then))
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
            try:
                noted.appear(force=True)
            finally:
                noted.discard()
        for draft in drafts:
            self._announced(draft)
        self._appear(drafts)
        self._forget_note()
        for _, then in self._drafts:
            then()
        self.discard()

    def _appear(self, drafts: list[Draft | Upload]) -> None:
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


class TakenError(MaskkitError):
    """The name of a file is taken; what would have had it is kept under another, or there already."""


def _taken(first: Draft | Upload, lost: list[Draft | Upload]) -> TakenError:
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


def _note_of(place: Path) -> Path:
    return place.with_name(f".{place.name[:NAME_KEPT]}{TOGETHER}")
