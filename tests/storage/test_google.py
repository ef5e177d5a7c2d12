"""Google's store, as far as an emulator of it goes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import run

from maskkit.artifacts.manifest import Manifest
from maskkit.storage import clients, objects
from maskkit.storage.address import Address
from maskkit.storage.failures import StoreError
from maskkit.storage.objects import has_bucket, keys_below, kind_of, names_in, put, state_of

PHOTO = Address("gs", "photos", "a b/\N{LATIN SMALL LETTER U WITH DIAERESIS}.jpg")


# By itself: from inside this process it leaves a client that reads waiting.
SERVER = """
import time
from gcp_storage_emulator.server import create_server

server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="photos")
server.start()
print(server._api._httpd.server_port, flush=True)
time.sleep(600)
"""


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.stdout.readline().strip()}")
        clients._gs.cache_clear()  # which has read the environment
        yield
        clients._gs.cache_clear()
        server.kill()


@pytest.mark.usefixtures("google")
def test_objects_are_written_read_listed_and_deleted() -> None:
    put(PHOTO, b"photo")
    assert kind_of(PHOTO) == "file"
    assert kind_of(PHOTO.parent) == kind_of(PHOTO.parent.parent) == "folder"
    with objects.opened(PHOTO) as there:
        assert there.read() == b"photo"
    assert names_in(PHOTO.parent) == (PHOTO.name,)
    assert list(keys_below(Address("gs", "photos"), recursive=True)) == [(PHOTO.key, False)]
    before = state_of(PHOTO)
    assert state_of(PHOTO) == before
    put(PHOTO, b"other")
    assert state_of(PHOTO) != before
    PHOTO.unlink(missing_ok=True)
    assert kind_of(PHOTO) is None
    assert not has_bucket(Address("gs", "nowhere"))
    with pytest.raises(StoreError, match="cannot write gs://nowhere/a"):
        put(Address("gs", "nowhere", "a"), b"x")


@pytest.mark.usefixtures("google")
def test_photos_of_a_bucket_are_labelled(train_csv: Path, tmp_path: Path) -> None:
    photos = sorted(train_csv.parent.rglob("*.jpg"))[:6]
    for number, file in enumerate(photos):
        put(Address("gs", "photos", f"parts/{'ab'[number % 2]}/{number}.jpg"), file.read_bytes())
    output = tmp_path / "labels.parquet"
    found = run("label", "gs://photos/parts", "-o", str(output))
    assert found.exit_code == 0, found.output
    assert Manifest.read(output).paths == ["a/0.jpg", "a/2.jpg", "a/4.jpg", "b/1.jpg", "b/3.jpg", "b/5.jpg"]
