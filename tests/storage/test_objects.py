import hashlib
from collections.abc import Callable

import pytest
from object_store import Fault, ObjectStore, always, first

from maskkit.errors import MaskkitError
from maskkit.imaging.photo_file import PhotoError, photo_bytes, read_photo
from maskkit.storage import clients, objects
from maskkit.storage.address import Address, place_of
from maskkit.storage.failures import StoreError
from maskkit.storage.objects import (
    has_bucket,
    keys_below,
    kind_of,
    names_in,
    opened,
    put,
    sha256_of,
    state_of,
)  # fmt: skip

PHOTO = bytes(range(256)) * 100
ODD = "a b+%20?#&=/\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{GRINNING FACE}'.jpg"


@pytest.fixture
def photo(store: ObjectStore) -> Address:
    store.make("photos", {"train/a.jpg": PHOTO, ODD: b"odd"})
    return Address("s3", "photos", "train/a.jpg")


def whole(address: Address) -> bytes:
    with opened(address) as there:
        return there.read()


def test_an_object_is_read_whole_or_from_its_beginning_on(photo: Address) -> None:
    with opened(photo) as there:
        assert there.size == len(PHOTO)
        assert there.start(4) == PHOTO[:4]
        assert there.start(10**9) == there.read() == PHOTO
    assert sha256_of(photo) == hashlib.sha256(PHOTO).hexdigest()


def test_many_blocks_are_one_object(photo: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "BLOCK", 7000)
    assert whole(photo) == PHOTO


def test_a_key_is_read_as_it_is_written(photo: Address) -> None:
    assert whole(Address("s3", "photos", ODD)) == b"odd"


@pytest.mark.parametrize(
    "address", ["s3://photos/none.jpg", "s3://no-bucket/a.jpg", "s3://photos/train", "s3://photos"]
)
def test_what_is_not_there_is_a_missing_file(photo: Address, address: str) -> None:
    missing = place_of(address)
    assert isinstance(missing, Address)
    with pytest.raises(FileNotFoundError) as caught, opened(missing):
        pass
    assert caught.value.filename == address
    assert sha256_of(missing) == ""


def test_an_address_is_of_a_file_or_a_folder_or_nothing(photo: Address) -> None:
    assert kind_of(photo) == "file"
    assert photo.is_file()
    assert kind_of(photo.parent) == kind_of(Address("s3", "photos")) == "folder"
    assert photo.parent.is_dir()
    assert kind_of(photo.parent / "b.jpg") is None
    assert not Address("s3", "no-bucket").exists()
    assert has_bucket(photo)
    assert not has_bucket(Address("s3", "no-bucket"))


def test_all_pages_of_a_listing_are_read(store: ObjectStore) -> None:
    store.make("many", {f"x/{number:04d}.jpg": b"" for number in range(1001)})
    with store.watched() as requests:
        assert len(list(keys_below(Address("s3", "many"), recursive=True))) == 1002  # and their folder
    assert len([one for one in requests if one.method == "GET"]) == 2
    assert len(names_in(Address("s3", "many", "x"))) == 1001


def test_a_folder_has_the_names_in_it_alone(photo: Address, store: ObjectStore) -> None:
    store.make("photos", {"train/more/b.jpg": b"", "trainer/c.jpg": b""})
    assert names_in(photo.parent) == ("a.jpg", "more")
    assert names_in(photo.parent / "none") == ()
    assert names_in(Address("s3", "no-bucket")) == ()


@pytest.mark.parametrize("fault", [500, "cut", "short"])
def test_a_read_that_fails_is_tried_again(photo: Address, store: ObjectStore, fault: Fault) -> None:
    with store.failing(first(1, fault, where="a.jpg")) as requests:
        assert read_photo(photo) == PHOTO
    assert [one.method for one in requests] == ["HEAD", "GET", "GET"]


@pytest.mark.parametrize("fault", [500, "cut", "short"])
def test_a_read_that_always_fails_ends_and_is_no_half_photo(
    photo: Address, store: ObjectStore, fault: Fault
) -> None:
    with store.failing(always(fault)) as requests, pytest.raises(StoreError) as caught:
        read_photo(photo)
    assert [one.method for one in requests] == ["HEAD", "GET", "GET"]
    assert caught.value.what == "cannot read s3://photos/train/a.jpg"
    assert "after 2 attempts" in caught.value.why


@pytest.mark.parametrize("other", [b"", b"z" * 1000, PHOTO[::-1], PHOTO[::-1] + b"more"])
def test_an_object_that_is_replaced_while_it_is_read_is_no_half_photo(
    photo: Address, store: ObjectStore, other: bytes
) -> None:
    with opened(photo) as there:
        store.make("photos", {"train/a.jpg": other})
        with pytest.raises(StoreError, match="cannot read s3://photos/train/a"):
            there.read()


def test_an_object_that_goes_while_it_is_read_is_missing(photo: Address, store: ObjectStore) -> None:
    with opened(photo) as there:
        store.remove("photos", "train/a.jpg")
        with pytest.raises(StoreError):
            there.read()


def test_an_object_whose_tag_is_no_md5_is_asked_for_again(photo: Address, store: ObjectStore) -> None:
    put(photo, b"x" * 11_000_000)  # in parts
    with store.watched() as requests:
        assert len(whole(photo)) == 11_000_000
    assert [one.method for one in requests] == ["HEAD", "GET", "HEAD"]


def test_the_number_of_attempts_is_bounded_by_default_and_as_amazon_calls_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for given, attempts in (("7", 7), ("0", 5), ("many", 5), ("", 5)):
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", given)
        assert clients.attempts() == attempts


def test_an_answer_that_is_late_is_waited_for(photo: Address, store: ObjectStore) -> None:
    with store.failing(first(1, 0.3)) as requests:
        assert read_photo(photo) == PHOTO
    assert len(requests) == 2


def test_an_answer_that_never_comes_is_not(
    photo: Address, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "SILENCE", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with store.failing(always(3.0)), pytest.raises(StoreError, match="cannot read"):
        read_photo(photo)


def test_a_size_over_the_limit_is_refused_before_anything_is_read(
    photo: Address, store: ObjectStore, limited: Callable[..., None]
) -> None:
    limited(bytes=1000)
    with store.watched() as requests, pytest.raises(PhotoError, match="too many"), photo_bytes(photo):
        pass
    assert [one.method for one in requests] == ["HEAD"]


def test_a_store_that_refuses_is_an_error_that_names_variables_and_none_of_their_values(
    photo: Address, store: ObjectStore
) -> None:
    with store.failing(lambda *_: 403), pytest.raises(StoreError) as caught:
        whole(photo)
    assert caught.value.is_denied
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in caught.value.why
    assert "AWS_NO_SIGN_REQUEST=YES" in caught.value.fix
    assert "testing" not in str(caught.value)


def test_a_name_in_a_key_is_not_taken_for_what_the_store_says(store: ObjectStore) -> None:
    key = "SIGNATURE TOKEN/NO_SUCH_BUCKET/HTTP status 403.jpg"
    store.make("photos", {key: PHOTO})
    with store.failing(always(500)), pytest.raises(StoreError) as caught:
        whole(Address("s3", "photos", key))
    assert caught.value.why == "no answer but an error after 2 attempts: HTTP status 500"


def test_a_bucket_that_may_not_be_asked_for_may_still_be_written(photo: Address, store: ObjectStore) -> None:
    with store.failing(lambda _, path: 403 if path.startswith("/photos?") else None):
        assert has_bucket(photo)


def test_a_bucket_of_another_region_is_named(photo: Address, store: ObjectStore) -> None:
    with store.failing(lambda *_: 301), pytest.raises(StoreError, match="cannot read") as caught:
        whole(photo)
    assert "AWS_REGION" in caught.value.fix


def test_a_public_bucket_is_read_without_a_signature(
    photo: Address, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.watched() as requests:
        whole(photo)
        assert all(one.is_signed for one in requests)
    store.make("public", {"a.jpg": PHOTO}, is_public=True)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    clients._s3.cache_clear()
    with store.watched() as requests:
        assert whole(Address("s3", "public", "a.jpg")) == PHOTO
        assert not any(one.is_signed for one in requests)
    with pytest.raises(StoreError, match="unset AWS_NO_SIGN_REQUEST"):
        whole(photo)


def test_no_server_is_an_error_that_names_the_address(
    photo: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")  # which has precedence, and nobody there
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreError, match="cannot read") as caught:
        whole(photo)
    assert str(photo) in caught.value.what
    assert "after 1 attempts" in caught.value.why


def test_an_object_is_known_again_by_its_content(photo: Address, store: ObjectStore) -> None:
    before = state_of(photo)
    assert state_of(photo) == before
    store.make("photos", {"train/a.jpg": PHOTO})
    assert state_of(photo) == before
    store.make("photos", {"train/a.jpg": PHOTO[::-1]})
    assert state_of(photo) != before
    assert state_of(photo)[0] == before[0]


@pytest.mark.parametrize("size", [3, 11_000_000])
def test_an_object_is_written_whole(photo: Address, store: ObjectStore, size: int) -> None:
    put(photo, b"x" * size)
    assert store.data("photos", "train/a.jpg") == b"x" * size


@pytest.mark.parametrize(("size", "where"), [(3, ""), (11_000_000, "partNumber=2")])
def test_an_object_is_not_written_in_part(photo: Address, store: ObjectStore, size: int, where: str) -> None:
    failing = store.failing(always(500, method="PUT", where=where))
    with failing, pytest.raises(StoreError, match="cannot write"):
        put(photo, b"x" * size)
    assert store.data("photos", "train/a.jpg") == PHOTO


def test_an_object_in_no_bucket_is_not_written(photo: Address) -> None:
    with pytest.raises(MaskkitError, match="cannot write s3://no-bucket/a") as caught:
        put(Address("s3", "no-bucket", "a"), b"x")
    assert caught.value.why == "there is no bucket no-bucket"


def test_an_object_is_deleted_also_if_it_is_gone(photo: Address, store: ObjectStore) -> None:
    photo.unlink(missing_ok=True)
    assert not photo.exists()
    photo.unlink(missing_ok=True)
