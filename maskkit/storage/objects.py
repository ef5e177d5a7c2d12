"""What is at an address, by Arrow's clients: they wait outside the interpreter's lock, and retry.

What still fails then is a StoreError, of the store or the way to it and never of a photo, so that nothing is
left out for it. An object that is not there is a FileNotFoundError, as of a file.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from maskkit.errors import MaskkitError
from maskkit.storage.address import Address
from maskkit.storage.clients import client_of
from maskkit.storage.failures import StoreError, changed, no_bucket, translated

if TYPE_CHECKING:
    import pyarrow as pa

READERS: Final = 32  # photos that are read at a time: most of a read is waiting for it
BLOCK: Final = 32 << 20  # bytes of one request: what a cut connection costs
LARGEST: Final = 2**63 - 1

State = tuple[int, int]  # size in bytes, and a number made of what the store says of the content


def kind_of(address: Address) -> Literal["file", "folder"] | None:
    """Say whether an address is of an object, or of what is above objects; None if there is neither.

    Raises:
        StoreError: The store does not say.
    """
    from pyarrow.fs import FileType

    with translated(address):
        info = client_of(address).get_file_info(address.path)
    return {FileType.File: "file", FileType.Directory: "folder"}.get(info.type)  # type: ignore[return-value]


class OpenedObject:
    """An object whose size and state are known; no byte of it is read before it is wanted."""

    def __init__(self, address: Address, file: Any) -> None:
        self.address, self._file = address, file
        with translated(address):
            self.size: int = file.size()

    def start(self, size: int) -> bytes:
        """Return so many bytes from its beginning on, or all that it has; it raises what `read` does."""
        return b"".join(self._blocks(min(size, self.size)))

    def read(self) -> bytes:
        """Return all bytes.

        Raises:
            FileNotFoundError: It is gone by now.
            StoreError: It cannot be read, or is another by now.
        """
        blocks = list(self.blocks())
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes, block by block; it raises what `read` does, at the latest behind the last.

        Where the store sends less than the object had, Arrow fills up with whatever was in memory. So what
        came has the MD5 that most stores give as the tag, or the store still has the same object.
        """
        digest = hashlib.md5(usedforsecurity=False)
        for block in self._blocks(self.size):
            digest.update(block)
            yield block
        md5s = digest.hexdigest(), b64encode(digest.digest()).decode()
        is_whole = self._facts.get("etag", "").strip('"') == md5s[0] or self._facts.get("md5hash") == md5s[1]
        if not is_whole and state_of(self.address) != self.state:
            raise changed(self.address)

    def _blocks(self, wanted: int) -> Iterator[bytes]:
        length = 0
        while length < wanted:
            with translated(self.address):
                block = self._file.read_at(min(BLOCK, wanted - length), length)
            if not block:
                raise changed(self.address)
            yield block
            length += len(block)

    @cached_property
    def _facts(self) -> dict[str, str]:
        """What the store says of the object, by names in lower case."""
        with translated(self.address):
            facts = self._file.metadata() or {}
        return {_text(name).lower(): _text(value) for name, value in facts.items()}

    @property
    def state(self) -> State:
        """By what the content is known again: its size, and the tag that the store gave it."""
        tag = self._facts.get("etag") or repr(sorted(self._facts.items()))  # which has the time of the change
        return self.size, int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8]) & LARGEST

    @property
    def seekable(self) -> Any:
        """The file, for a reader of Arrow's that reads parts of it."""
        return self._file


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


@contextmanager
def opened(address: Address) -> Iterator[OpenedObject]:
    """Open an object.

    Raises:
        FileNotFoundError: There is none.
        StoreError: The store cannot be reached, or does not let us.
    """
    with translated(address):
        if not address.key:
            raise FileNotFoundError
        file = client_of(address).open_input_file(address.path)
    try:
        yield OpenedObject(address, file)
    finally:
        with suppress(OSError):
            file.close()


def keys_below(address: Address, *, recursive: bool) -> Iterator[tuple[str, bool]]:
    """Yield the keys below an address, relative to it, and whether each is of a folder.

    All are listed, a thousand in a request; none if there are none.

    Raises:
        StoreError: They cannot be listed.
    """
    from pyarrow.fs import FileSelector, FileType

    with translated(address):
        selector = FileSelector(address.path, recursive=recursive, allow_not_found=True)
        infos = client_of(address).get_file_info(selector)
    start = f"{address.path}/"
    for info in infos:
        name = info.path.removeprefix(start)
        if info.path.startswith(start) and name:
            yield name, info.type == FileType.Directory


def state_of(address: Address) -> State:
    """Return the state of an object; it raises what `opened` does."""
    with opened(address) as file:
        return file.state


def names_in(address: Address) -> tuple[str, ...]:
    """Return the names in a folder, sorted; none if there is no such folder."""
    return tuple(sorted(name.removesuffix("/") for name, _ in keys_below(address, recursive=False)))


def sha256_of(address: Address) -> str:
    """Return the digest of an object's bytes, in hexadecimal; an empty text if there is none."""
    digest = hashlib.sha256()
    try:
        with opened(address) as file:
            for block in file.blocks():
                digest.update(block)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def delete(address: Address) -> None:
    """Delete an object; none that is there no more is no error."""
    with suppress(FileNotFoundError), translated(address, "delete"):
        client_of(address).delete_file(address.path)


def put(address: Address, data: memoryview | bytes | pa.Buffer) -> None:
    """Write an object, whole or not at all, in place of what has its name.

    Raises:
        StoreError: It cannot be written; what was there before is unchanged.
    """
    with translated(address, "write"):
        # Small objects are one request. Parts of larger ones are no object before the last request, which is
        # not made if one of them failed.
        try:
            file = client_of(address).open_output_stream(address.path)
            file.write(data)
            file.close()
        except FileNotFoundError as error:
            raise no_bucket(address, "write") from error


def has_bucket(address: Address) -> bool:
    """Whether there is the bucket; also if it may not be asked for, as of one that may only be written."""
    try:
        return kind_of(Address(address.store, address.bucket)) is not None
    except StoreError as error:
        if error.is_denied:
            return True
        raise


def refuse_missing(address: Address) -> None:
    """Raise the error of an address at which nothing is, which says if that is due to the bucket.

    Raises:
        MaskkitError: Always.
    """
    is_there = has_bucket(address)
    raise MaskkitError(
        f"cannot read {address}",
        why="there is no such object, nor any below it"
        if is_there
        else f"there is no bucket {address.bucket}",
        fix="check the address; upper and lower case are different",
    )
