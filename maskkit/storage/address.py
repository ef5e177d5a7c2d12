"""Where a photo or an artifact is: a path of this machine, or the address of an object in a store.

Both are used in the same words, as far as both have them: `folder / name`, `.parent`, `.is_dir()`. What reads
or writes bytes asks which it is, once, where the bytes come from: `maskkit/storage/objects.py` has them of an
address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal, TypeAlias, get_args

from maskkit.errors import MaskkitError

Store = Literal["s3", "gs"]
STORES: Final = get_args(Store)
AS_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An object of a store, or all whose keys begin with the same folders: `s3://bucket/photos/a.jpg`."""

    store: Store
    bucket: str
    key: str = ""  # none of the bucket itself; no slash begins or ends it, and no part of it is empty

    def __str__(self) -> str:
        return f"{self.store}://{self.path}"

    def __truediv__(self, name: str) -> Address:
        """Return what is below: an address leads to what a person has named, and never out of it."""
        if not name or name == ".":
            return self
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise MaskkitError(
                f"{name!r} is no name below {self}",
                why="an empty part, `.` or `..` would lead to another object than it says",
                fix="give the address above all photos as the root, and paths below it",
            )
        return Address(self.store, self.bucket, f"{self.key}/{name}" if self.key else name)

    def stepped(self, path: str) -> Address:
        """Return where a path leads that may begin with `../`: to another folder, never to another bucket."""
        above, way = self, path
        while way.startswith("../"):
            if not above.key:
                raise MaskkitError(
                    f"{path} leads out of the bucket of {self}",
                    why="only what is in the bucket that was given is read",
                    fix="copy the photos into one bucket, and label them there",
                )
            above, way = above.parent, way.removeprefix("../")
        return above / way

    def is_in_bucket_of(self, other: Address) -> bool:
        """Whether another address is in the same bucket."""
        return (self.store, self.bucket) == (other.store, other.bucket)

    def joinpath(self, *names: str) -> Address:
        """Return what is below, name by name."""
        return self / "/".join(names)

    @property
    def path(self) -> str:
        """Bucket and key."""
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def parent(self) -> Address:
        """The folder around it; of a bucket, itself."""
        return Address(self.store, self.bucket, self.key.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on."""
        return PurePosixPath(self.name).suffix

    def with_name(self, name: str) -> Address:
        """Return another object of the same folder."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Address:
        """Return the object whose name ends otherwise."""
        return self.with_name(PurePosixPath(self.name).with_suffix(suffix).name)

    def is_absolute(self) -> bool:
        """An address means the same from each folder."""
        return True

    def resolve(self) -> Address:
        """Return the address itself: no links lead to it."""
        return self

    def is_file(self) -> bool:
        """Whether there is such an object."""
        from maskkit.storage.objects import kind_of

        return kind_of(self) == "file"

    def is_dir(self) -> bool:
        """Whether there are objects below it, or it is a bucket."""
        from maskkit.storage.objects import kind_of

        return kind_of(self) == "folder"

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Delete the object; it may be `missing` already, which a store does not say."""
        from maskkit.storage.objects import delete

        assert missing_ok
        delete(self)

    def exists(self) -> bool:
        """Whether there is such an object, or any below it."""
        from maskkit.storage.objects import kind_of

        return kind_of(self) is not None


PathOrAddress: TypeAlias = Path | Address


def place_of(name: PathOrAddress | str) -> PathOrAddress:
    """Return what a text is of: an address begins with `s3://` or `gs://`, all else is a path.

    A `Path` stays one, so that a name which a file recorded, and a program made a path of, is never fetched.

    Raises:
        MaskkitError: It is an address of another kind, or names no object that can be read.
    """
    if not isinstance(name, str):
        return name
    found = AS_ADDRESS.fullmatch(name)
    return Path(name) if found is None else _address(found[1], found[2])


def place_typed(path: Path) -> PathOrAddress:
    """Return what a person has typed, of which a parser of options made a path with one slash for two."""
    store, _, rest = str(path).partition(":/")
    return place_of(f"{store}://{rest.lstrip('/')}") if store in STORES and rest else path


def is_address(name: PathOrAddress | str) -> bool:
    """Whether a name is an address, of a kind that is read or not."""
    return not isinstance(place_of(name), Path)


def _address(store: str, rest: str) -> Address:
    bucket, _, key = rest.partition("/")
    if store not in STORES:
        raise MaskkitError(
            f"{store}://... is an address of a kind that is not read",
            why=f"addresses begin with {' or '.join(f'{one}://' for one in STORES)}",
            fix="copy what is there to this machine, or to such a store",
        )
    if "@" in bucket or ":" in bucket:  # which may hold a secret: nothing of it is repeated
        raise MaskkitError(
            f"the {store}:// address names more than a bucket before its first slash",
            why="credentials and endpoints never stand in an address, which is recorded and shown",
            fix="set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, and give s3://bucket/folder",
        )
    key = key.removesuffix("/")
    if BUCKET.fullmatch(bucket) is None or (key and any(one in ("", ".", "..") for one in key.split("/"))):
        raise MaskkitError(
            f"{store}://{rest} is no address",
            why="behind a bucket's name come names with one slash between them, none of them `.` or `..`",
            fix=f"write it like {store}://bucket/folder/photo.jpg",
        )
    return Address(store, bucket, key)  # type: ignore[arg-type]  # one of STORES
