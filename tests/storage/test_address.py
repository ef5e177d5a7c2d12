from pathlib import Path

import pytest

from maskkit.errors import MaskkitError
from maskkit.storage.address import Address, is_address, place_of, place_typed


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://photos", "photos", ""),
        ("s3://photos/", "photos", ""),
        ("gs://photos/train/", "photos", "train"),
        ("s3://my.photos-2/a b/\N{LATIN SMALL LETTER U WITH DIAERESIS}?#%20+.jpg",
         "my.photos-2", "a b/\N{LATIN SMALL LETTER U WITH DIAERESIS}?#%20+.jpg"),
    ],
)  # fmt: skip
def test_an_address_is_a_bucket_and_a_key_as_they_are_written(text: str, bucket: str, key: str) -> None:
    found = place_of(text)
    assert isinstance(found, Address)
    assert (found.bucket, found.key) == (bucket, key)
    assert str(found) == text.removesuffix("/")


@pytest.mark.parametrize("text", ["photos", "./s3:", "s3:/photos", "C:photos", "/s3/x"])
def test_all_else_is_a_path(text: str) -> None:
    assert place_of(text) == Path(text)
    assert not is_address(text)


def test_a_path_is_never_an_address_so_that_what_a_file_has_recorded_is_not_fetched() -> None:
    assert isinstance(place_of(Path("s3://photos/a.jpg")), Path)


def test_what_an_option_made_a_path_of_is_the_address_that_was_typed() -> None:
    assert str(place_typed(Path("s3://photos/page.html"))) == "s3://photos/page.html"
    assert place_typed(Path("s3:")) == Path("s3:")
    assert place_typed(Path("pages/a.html")) == Path("pages/a.html")


@pytest.mark.parametrize(
    "text",
    ["https://host/a.jpg", "az://photos", "s3://", "s3:///a", "s3://photos//a.jpg", "s3://photos/a//b",
     "s3://photos/../b", "s3://photos/./b", "s3://.photos/a"],
)  # fmt: skip
def test_what_names_no_object_is_refused(text: str) -> None:
    with pytest.raises(MaskkitError):
        place_of(text)


def test_a_secret_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(MaskkitError, match="more than a bucket") as caught:
        place_of("s3://AKIA:secret@photos/a.jpg")
    assert "secret" not in str(caught.value).replace("AWS_SECRET", "")
    assert "AKIA" not in str(caught.value)


def test_an_address_has_the_words_of_a_path() -> None:
    photo = Address("s3", "photos", "train/a.b.jpg")
    assert str(photo.parent) == "s3://photos/train"
    assert str(photo.parent.parent) == str(photo.parent.parent.parent) == "s3://photos"
    assert (photo.name, photo.stem, photo.suffix) == ("a.b.jpg", "a.b", ".jpg")
    assert str(photo.with_suffix(".png")) == "s3://photos/train/a.b.png"
    assert photo.parent / "a.b.jpg" == photo
    assert Address("s3", "photos").joinpath("train", "a.b.jpg") == photo
    assert photo / "." == photo


@pytest.mark.parametrize("name", ["../a", "a//b", "a/./b", "/a", "a/"])
def test_below_an_address_is_only_what_is_named_below_it(name: str) -> None:
    with pytest.raises(MaskkitError, match="is no name below"):
        Address("s3", "photos", "train") / name


def test_a_path_of_a_manifest_may_step_to_another_folder_but_to_no_other_bucket() -> None:
    root = Address("s3", "photos", "a/train")
    assert str(root.stepped("../eval/x.jpg")) == "s3://photos/a/eval/x.jpg"
    assert str(root.stepped("../../x.jpg")) == "s3://photos/x.jpg"
    with pytest.raises(MaskkitError, match="out of the bucket"):
        root.stepped("../../../others/x.jpg")
    with pytest.raises(MaskkitError, match="is no name below"):
        root.stepped("../eval/../../../others/x.jpg")
