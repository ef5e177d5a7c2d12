from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from conftest import draw_photo
from local_places import here

from maskkit.artifacts.checkpoint import Crop, Preprocess
from maskkit.artifacts.checks import BOX
from maskkit.artifacts.manifest import Manifest
from maskkit.cache import digests
from maskkit.cache.digests import Digests, content_digests
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError
from maskkit.imaging import kept_photos as module
from maskkit.imaging.decode import load
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.photos import Photos

SMALL = Preprocess(20, 15, (0.5,) * 3, (0.5,) * 3, "bilinear")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**8)


def pixels(photos: Photos) -> np.ndarray:
    return photos.take(np.arange(len(photos)))


@pytest.fixture
def own(labels: Manifest, tmp_path: Path) -> Manifest:
    """The manifest of the first photos, on a copy that a test may change."""
    part = labels.select(np.arange(30))
    for path in part.paths:
        (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(here(labels.root) / path, tmp_path / "images" / path)
        os.utime(tmp_path / "images" / path, (time.time() - 100,) * 2)
    return part


def test_the_cache_changes_no_pixel(labels: Manifest, cache: Cache) -> None:
    plain, kept = open_photos(labels, SMALL), open_photos(labels.located(cache=cache), SMALL)
    assert kept.cached is not None
    assert np.array_equal(pixels(plain), pixels(kept))
    rows = np.array([3, 100, 3, 0])
    assert np.array_equal(kept.take(rows), plain.take(rows))
    assert np.array_equal(plain.take(rows)[1], load(plain.files[100], SMALL))


def test_photos_are_decoded_once(labels: Manifest, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    open_photos(labels.located(cache=cache), SMALL)
    monkeypatch.setattr(Photos, "load", None)  # who decodes now, fails
    again = open_photos(labels.select(np.arange(50)[::-1].copy()).located(cache=cache), SMALL)
    assert again.cached is not None
    assert len(pixels(again)) == 50


def test_a_changed_photo_is_decoded_anew(own: Manifest, cache: Cache, tmp_path: Path) -> None:
    root = str(tmp_path / "images")
    before = pixels(open_photos(own.located(root=root, cache=cache), SMALL))
    draw_photo(tmp_path / "images" / own.paths[4], mask="none", gender="male", age=90, seed=77)
    after = pixels(open_photos(own.located(root=root, cache=cache), SMALL))
    changed = (before != after).any((1, 2, 3))
    assert np.flatnonzero(changed).tolist() == [4]
    assert np.array_equal(after[4], load(tmp_path / "images" / own.paths[4], SMALL))


def test_each_size_and_filter_has_its_own_pixels_and_normalisation_does_not_matter(
    labels: Manifest, cache: Cache
) -> None:
    open_photos(labels.located(cache=cache), SMALL)
    for other in (replace(SMALL, height=21), replace(SMALL, interpolation="bicubic")):
        photos = open_photos(labels.located(cache=cache), other)
        assert np.array_equal(pixels(photos), pixels(open_photos(labels, other)))
    assert len(list(cache.folder.glob("pixels-*"))) == 3
    open_photos(labels.located(cache=cache), replace(SMALL, mean=(0.4,) * 3))
    assert len(list(cache.folder.glob("pixels-*"))) == 3


CROP = Crop(0.25, (0.25, 0.125, 0.75, 0.5))


def boxed(manifest: Manifest, *boxes: list[float] | None) -> Manifest:
    rows = [*boxes, *[None] * (len(manifest) - len(boxes))]
    return replace(manifest, table=manifest.table.append_column("box", pa.array(rows, BOX)))


def test_photos_are_cut_to_their_boxes_if_the_model_saw_such(labels: Manifest, cache: Cache) -> None:
    cropping = replace(SMALL, crop=CROP)
    manifest = boxed(labels, [0.25, 0.25, 0.5, 0.75], None, [0.0, 0.0, 0.5, 0.5])
    plain, kept = open_photos(manifest, cropping), open_photos(manifest.located(cache=cache), cropping)
    whole = pixels(open_photos(manifest.located(cache=cache), SMALL))
    assert np.array_equal(pixels(plain), pixels(kept))
    assert (pixels(kept) != whole).any((1, 2, 3)).all()  # those without a face too
    box = np.array([0.25, 0.25, 0.5, 0.75], np.float32)
    assert np.array_equal(pixels(kept)[0], load(plain.files[0], cropping, box=box))
    assert np.array_equal(pixels(kept)[1], load(plain.files[1], cropping))
    moved = boxed(labels, [0.25, 0.25, 0.5, 0.625], None, [0.0, 0.0, 0.5, 0.5])
    after = pixels(open_photos(moved.located(cache=cache), cropping))
    assert np.flatnonzero((after != pixels(kept)).any((1, 2, 3))).tolist() == [0]


@pytest.mark.parametrize(
    ("change", "changed"),
    [({"margin": 0.5}, [0, 1, 2]), ({"fallback": (0.25, 0.25, 0.75, 0.75)}, [1])],
    ids=["margin", "fallback"],
)
def test_the_cache_holds_a_photo_once_per_way_to_cut_it(
    labels: Manifest, cache: Cache, change: dict[str, Any], changed: list[int]
) -> None:
    manifest = boxed(labels.select(np.arange(3)), [0.25, 0.25, 0.5, 0.75], None, [0.0, 0.0, 0.5, 0.5])
    before = open_photos(manifest.located(cache=cache), replace(SMALL, crop=CROP))
    other = replace(SMALL, crop=replace(CROP, **change))
    after = open_photos(manifest.located(cache=cache), other)
    assert np.flatnonzero((before.keys() != after.keys()).any(1)).tolist() == changed
    assert np.array_equal(pixels(after), pixels(open_photos(manifest, other)))
    assert np.flatnonzero((pixels(before) != pixels(after)).any((1, 2, 3))).tolist() == changed


def test_a_model_of_cut_photos_needs_boxes(labels: Manifest) -> None:
    with pytest.raises(MaskkitError, match="no box"):
        open_photos(labels, replace(SMALL, crop=CROP))


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "empty"), (b"no photo", "not a photo"), (None, "missing")]
)
def test_a_photo_that_cannot_be_decoded_is_named(
    own: Manifest, cache: Cache, tmp_path: Path, content: bytes | None, why: str
) -> None:
    bad = tmp_path / "images" / own.paths[20]
    if content is None:
        bad.unlink()
    else:
        bad.write_bytes(content)
    with pytest.raises(MaskkitError) as caught:
        pixels(open_photos(own.located(root=str(tmp_path / "images"), cache=cache), SMALL))
    assert caught.value.what == f"cannot read the photo {bad}"
    assert why in caught.value.why


def changing(photo: Path, *, times: int) -> Callable[..., Digests]:
    """Return what changes a photo each time that its content was looked at, so many times."""
    seeds = iter(range(78, 78 + times))

    def then_change(*given: object, **extra: object) -> Digests:
        found = content_digests(*given, **extra)  # type: ignore[arg-type]
        if (seed := next(seeds, None)) is not None:
            draw_photo(photo, mask="none", gender="male", age=90, seed=seed)
        return found

    return then_change


def test_a_photo_that_keeps_changing_while_it_is_read_is_an_error(
    own: Manifest, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "images")
    monkeypatch.setattr(module, "content_digests", changing(tmp_path / "images" / own.paths[0], times=2))
    with pytest.raises(MaskkitError, match="cannot read the photo") as caught:
        open_photos(own.located(root=root, cache=cache), SMALL)
    assert caught.value.why == "it was changed while it was read"


def test_a_photo_that_changed_once_while_it_was_read_is_kept_as_what_it_is(
    own: Manifest, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = own.located(root=str(tmp_path / "images"), cache=cache)
    before = pixels(open_photos(own, SMALL))
    monkeypatch.setattr(module, "content_digests", changing(tmp_path / "images" / own.paths[0], times=1))
    photos = open_photos(here, SMALL)
    after = pixels(photos)
    assert np.flatnonzero((before != after).any((1, 2, 3))).tolist() == [0]
    assert np.array_equal(after[0], load(tmp_path / "images" / own.paths[0], SMALL))
    monkeypatch.undo()
    assert np.array_equal(pixels(open_photos(here, SMALL)), after)
    assert np.array_equal(photos.keys(), open_photos(here, SMALL).keys())


def test_a_wrong_digest_in_the_book_is_put_right(
    own: Manifest, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a file system that does not say when a file was changed."""
    here = own.located(root=str(tmp_path / "images"), cache=cache)
    monkeypatch.setattr(digests, "_state", lambda _: [0, 0, 0, 0])
    content_digests([tmp_path / "images" / path for path in own.paths], cache.folder)
    draw_photo(tmp_path / "images" / own.paths[0], mask="none", gender="male", age=90, seed=77)
    for _ in range(2):
        assert np.array_equal(
            pixels(open_photos(here, SMALL)),
            pixels(open_photos(own.located(root=str(tmp_path / "images")), SMALL)),
        )


def test_pixels_that_are_lost_while_they_are_used_are_decoded_again(
    own: Manifest, cache: Cache, tmp_path: Path
) -> None:
    here = own.located(root=str(tmp_path / "images"), cache=cache)
    photos, plain = open_photos(here, SMALL), pixels(open_photos(own, SMALL))
    (data,) = cache.folder.glob("pixels-*/data")
    os.truncate(data, 1000)
    assert np.array_equal(pixels(photos), plain)
    assert np.array_equal(pixels(open_photos(here, SMALL)), plain)


@pytest.mark.parametrize("is_tolerant", [False, True])
def test_a_photo_that_is_lost_with_its_pixels_is_named(
    own: Manifest, cache: Cache, tmp_path: Path, is_tolerant: bool
) -> None:
    here = own.located(root=str(tmp_path / "images"), cache=cache)
    faults: dict[int, str] | None = {} if is_tolerant else None
    photos, plain = open_photos(here, SMALL, faults=faults), pixels(open_photos(own, SMALL))
    (tmp_path / "images" / own.paths[3]).unlink()
    draw_photo(tmp_path / "images" / own.paths[20], mask="none", gender="male", age=90, seed=77)
    assert np.array_equal(pixels(photos), plain)
    (data,) = cache.folder.glob("pixels-*/data")
    os.truncate(data, 0)
    if not is_tolerant:
        with pytest.raises(MaskkitError, match=f"cannot read the photo .*{own.paths[20]}"):
            pixels(photos)  # the others of row 3's person look alike
        return
    found = pixels(photos)
    assert faults == {3: "missing", 20: "it was changed while it was read"}
    good = np.array([row for row in range(30) if row not in faults])
    assert np.array_equal(found[good], plain[good])


def test_what_is_kept_of_photos_is_never_of_another_content(
    own: Manifest, cache: Cache, tmp_path: Path
) -> None:
    """Also where their pixels found no room: features would be kept under the digest of what they were."""
    photos = open_photos(own.located(root=str(tmp_path / "images"), cache=replace(cache, limit=1)), SMALL)
    assert photos.cached is None
    draw_photo(tmp_path / "images" / own.paths[0], mask="none", gender="male", age=90, seed=77)
    with pytest.raises(MaskkitError, match=f"cannot read the photo .*{own.paths[0]}"):
        photos.take(np.array([0]))


@pytest.fixture
def torn(own: Manifest, tmp_path: Path) -> Manifest:
    """Photos of which three cannot be read, two of them for the same reason and with the same content."""
    for row in (3, 20):
        (tmp_path / "images" / own.paths[row]).write_bytes(b"no photo")
    (tmp_path / "images" / own.paths[11]).unlink()
    return own


def test_all_photos_that_cannot_be_decoded_are_named_at_once_after_the_others_were_kept(
    torn: Manifest, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "images")
    with pytest.raises(MaskkitError, match="cannot read 3 of 30 photos") as caught:
        open_photos(torn.located(root=root, cache=cache), SMALL)
    assert [f"{torn.paths[row]} (" in caught.value.why for row in (3, 11, 20)] == [True] * 3
    assert caught.value.why.count("(not a photo)") == 2
    assert caught.value.why.count("(missing)") == 1
    good = torn.select(np.array([row for row in range(30) if row not in (3, 11, 20)]))
    monkeypatch.setattr(Photos, "load", None)  # who decodes now, fails
    assert len(pixels(open_photos(good.located(root=root, cache=cache), SMALL))) == 27


@pytest.mark.parametrize("is_cached", [True, False])
def test_faults_are_noted_and_such_photos_are_black(
    torn: Manifest, cache: Cache, tmp_path: Path, is_cached: bool
) -> None:
    faults: dict[int, str] = {}
    opened = open_photos(
        torn.located(root=str(tmp_path / "images"), cache=cache if is_cached else None), SMALL, faults=faults
    )
    assert set(faults) == ({3, 11, 20} if is_cached else set())
    found = pixels(opened)
    assert faults == {3: "not a photo", 11: "missing", 20: "not a photo"}
    assert np.flatnonzero((found == 0).all((1, 2, 3))).tolist() == [3, 11, 20]
    good = np.array([row for row in range(30) if row not in faults])
    assert np.array_equal(found[good], open_photos(torn, SMALL).take(good))
