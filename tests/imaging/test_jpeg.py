from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from odd_photos import scan_starts
from PIL import Image

from maskkit.errors import MaskkitError
from maskkit.imaging.decode import Verdict, decode, judged, opened
from maskkit.imaging.jpeg import INCOMPLETE, jpeg_facts
from maskkit.imaging.survey import survey

END = b"\xff\xd9"
KINDS: dict[str, tuple[str, dict[str, object]]] = {
    "plain": ("RGB", {}),
    "grey": ("L", {}),
    "four colours": ("CMYK", {}),
    "progressive": ("RGB", {"progressive": True}),
    "restarts": ("RGB", {"restart_marker_blocks": 3}),
    "whole chroma": ("RGB", {"subsampling": 0}),
}


def jpeg(kind: str = "plain", *, size: tuple[int, int] = (160, 120)) -> bytes:
    mode, options = KINDS[kind]
    noise = np.random.default_rng(0).integers(0, 256, (size[1] // 4, size[0] // 4, 3), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).resize(size).convert(mode).save(sink, "JPEG", quality=90, **options)
    return sink.getvalue()


def data_start(photo: bytes) -> int:
    """Return where the data of the first scan start."""
    place = scan_starts(photo)[0] + 2
    return place + int.from_bytes(photo[place : place + 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 1 / 3, 0.5, 0.9])
def test_a_part_of_the_data_with_an_end_mark_is_incomplete(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, share: float
) -> None:
    whole = jpeg(kind)
    start = data_start(whole)
    half = whole[: start + int(share * (len(whole) - start))].rstrip(b"\xff") + END
    assert judged(half) == Verdict(complaint=INCOMPLETE)
    assert decode(half).shape == (120, 160, 3)  # what is accepted is read
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "half.jpg").write_bytes(half)
    found = survey([tmp_path / "whole.jpg", tmp_path / "half.jpg"], scale=2)
    assert found.complaints == {1: INCOMPLETE}
    assert found.readable.all()
    assert capfd.readouterr() == ("", "")  # libjpeg would print lines that name no file


@pytest.mark.parametrize("kind", KINDS)
def test_whole_data_without_an_end_mark_are_whole(tmp_path: Path, kind: str) -> None:
    whole = jpeg(kind)
    (tmp_path / "a.jpg").write_bytes(whole[:-2])
    assert judged(whole[:-2]) == judged(whole) == Verdict()
    assert np.array_equal(decode(tmp_path / "a.jpg"), decode(whole))
    with opened(whole[:-2], name="a") as (facts, pixels):
        assert facts.complaint is None
        assert np.array_equal(pixels[..., ::-1], decode(whole))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_part_of_the_data_without_an_end_mark_is_refused(kind: str, share: float) -> None:
    whole = jpeg(kind)
    start = data_start(whole)
    part = whole[: start + int(share * (len(whole) - start))]
    assert judged(part) == Verdict(fault="cut off")
    with pytest.raises(MaskkitError, match="cut off"):
        decode(part)


def test_a_progressive_jpeg_of_some_of_its_scans_is_incomplete() -> None:
    whole = jpeg("progressive")
    for start in scan_starts(whole)[1:]:
        assert judged(whole[:start] + END) == Verdict(complaint=INCOMPLETE)
        assert judged(whole[:start]) == Verdict(fault="cut off")


def test_data_that_cannot_be_decoded_are_damaged() -> None:
    whole = jpeg()
    start = data_start(whole) + 200
    noise = np.random.default_rng(3).integers(0, 255, 2000, np.uint8).tobytes()
    verdict = judged(whole[:start] + noise + whole[start + 2000 :])
    assert verdict.fault is None
    assert str(verdict.complaint).startswith(("damaged: ", "incomplete: "))


@pytest.mark.parametrize(
    "behind", [b"", b"\0" * 9, b"a film of the same moment, as phones keep it" * 9, jpeg("grey")]
)
def test_what_follows_the_photo_does_not_matter(behind: bytes) -> None:
    assert judged(jpeg() + behind) == Verdict()
    assert np.array_equal(decode(jpeg() + behind), decode(jpeg()))


def test_zeros_before_the_end_mark_as_cameras_write_them_are_no_damage() -> None:
    padded = jpeg()[:-2] + bytes(31) + END
    assert judged(padded) == Verdict()
    assert np.array_equal(decode(padded), decode(jpeg()))


def with_scans(photo: bytes, times: int) -> bytes:
    """Repeat the last scan of a JPEG."""
    last = photo[scan_starts(photo)[-1] : -2]
    return photo[:-2] + last * times + END


def test_scans_are_counted_before_any_is_decoded(limited: Callable[..., None]) -> None:
    photo = jpeg("progressive", size=(96, 64))
    own = len(scan_starts(photo))
    limited(pixels=96 * 64 * 3)  # 30 scans of this photo
    assert judged(with_scans(photo, 30 - own)).fault is None
    costly = with_scans(photo, 31 - own)
    words = "96x64 in more than 30 scans takes too long: at most 10 scans of the largest photo are read"
    assert str(judged(costly).fault).startswith(words)
    with pytest.raises(MaskkitError, match="in more than 30 scans"):
        decode(costly)


def test_hundreds_of_scans_of_a_large_photo_are_refused_at_once() -> None:
    photo = io.BytesIO()
    Image.new("RGB", (3000, 2000)).save(photo, "JPEG", progressive=True)
    costly = with_scans(photo.getvalue(), 400)
    start = time.process_time()
    assert "scans takes too long" in str(judged(costly).fault)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"\xff\xfe\0\2" * 10_001, "more than 10,000 segments"),
        (bytes(1_000_001), "or bytes between them"),
    ],
)
def test_headers_that_never_end_are_refused(junk: bytes, words: str) -> None:
    whole = jpeg()
    costly = whole[:2] + junk + whole[2:]
    assert words in str(judged(b"\xff\xd8\xff\xfe\0\2" + costly[2:]).fault)


def test_a_progressive_photo_takes_the_memory_of_all_its_coefficients(limited: Callable[..., None]) -> None:
    limited(memory=160 * 120 * 9)
    assert judged(jpeg()).fault is None  # 7 bytes per pixel
    assert str(judged(jpeg("progressive")).fault).startswith("160x120 as JPEG takes 192 KB")  # 10


def test_facts_of_markers() -> None:
    facts = jpeg_facts(jpeg("progressive"))
    assert (facts.width, facts.height, facts.is_progressive, facts.samples) == (160, 120, True, 1.5)
    assert len(facts.scans) == len(scan_starts(jpeg("progressive")))
    assert not facts.lacks_scans
    assert len(jpeg_facts(jpeg()).scans) == 1
