from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
from PIL import Image

from maskkit.errors import MaskkitError
from maskkit.imaging.face_detectors import FaceModel, open_model
from maskkit.imaging.faces import LONGEST, Detector, Face, find_faces, is_plausible, reduced, the_person


def face(x: float, y: float, size: float = 0.3, score: float = 0.8) -> Face:
    """A face with its centre at (x, y), `size` of the photo wide and high."""
    return Face((x - size / 2, y - size / 2, x + size / 2, y + size / 2), score)


def test_no_face_is_nobody() -> None:
    assert the_person([]) is None


@pytest.mark.parametrize(
    ("person", "other"),
    [
        (face(0.5, 0.4, size=0.4), face(0.5, 0.6, size=0.2)),
        (face(0.5, 0.4, score=0.9), face(0.5, 0.6, score=0.5)),
        (face(0.5, 0.4), face(0.2, 0.4)),
        (face(0.5, 0.4, size=0.3), face(0.9, 0.9, size=0.35)),
        (face(0.4, 0.4, size=0.4), face(0.5, 0.5, size=0.1, score=0.99)),
    ],
    ids=["larger", "surer", "nearer the centre", "not in a corner", "not a small one behind"],
)
def test_the_person_is_the_large_sure_face_near_the_centre(person: Face, other: Face) -> None:
    assert the_person([person, other]) == the_person([other, person]) == person


def test_prominence_is_score_by_size_by_nearness() -> None:
    # 0.8 * 0.4 * (1 - 0.25 / 0.5 / sqrt 2) is 0.2069; 0.8 * 0.26 * 1 is 0.208, and 0.258 makes 0.2064.
    aside = face(0.25, 0.5, size=0.4)
    assert the_person([aside, face(0.5, 0.5, size=0.26)]) != aside
    assert the_person([aside, face(0.5, 0.5, size=0.258)]) == aside


@pytest.mark.parametrize(
    ("one", "fits"),
    [
        (face(0.5, 0.4), True),
        (face(0.5, 0.4, size=0.09), False),
        (face(0.5, 0.5, size=1.0), True),
        (face(0.1, 0.4), False),
        (face(0.9, 0.4), False),
        (face(0.5, 0.05, size=0.1), False),
        (face(0.5, 0.9, size=0.2), False),
        (Face((0.1, 0.4, 0.9, 0.6), 0.9), False),
        (Face((0.4, 0.05, 0.6, 0.95), 0.9), False),
        (Face((0.4, 0.4, 0.4, 0.6), 0.9), False),
    ],
    ids=["portrait", "tiny", "all", "left", "right", "top", "bottom", "flat", "tall", "empty"],
)
def test_a_portrait_has_its_face_in_the_middle_and_of_some_size(one: Face, fits: bool) -> None:
    assert is_plausible(one, height=100, width=100) is fits


def test_the_shape_of_a_face_is_judged_in_pixels() -> None:
    square = face(0.5, 0.5)
    assert is_plausible(square, height=240, width=100)
    assert not is_plausible(square, height=260, width=100)


@pytest.fixture
def model(tmp_path: Path) -> FaceModel:
    (tmp_path / "model").write_bytes(networks.centerface())
    return open_model(str(tmp_path / "model"))


def files_of(folder: Path, *photos: np.ndarray) -> list[Path]:
    files = [folder / f"{number}.png" for number in range(len(photos))]
    for file, photo in zip(files, photos, strict=True):
        networks.save_photo(file, photo)
    return files


def test_says_where_the_face_is_that_there_is_none_or_that_it_is_out_of_place(
    model: FaceModel, tmp_path: Path
) -> None:
    files = files_of(
        tmp_path, networks.red_photo((50, 60)), networks.red_photo(), networks.red_photo((10, 120))
    )
    found = find_faces(lambda: model.detector(0.5), files)
    assert found.is_found.tolist() == [True, False, False]
    assert found.misplaced.tolist() == [False, False, True]
    x0, y0, x1, y1 = found.boxes[0].tolist()
    assert ((x0 + x1) * 48, (y0 + y1) * 64) == pytest.approx((50, 60), abs=4.1)
    assert np.isnan(found.boxes[1:]).all()


def test_a_face_in_its_place_is_taken_beside_one_that_is_not(model: FaceModel, tmp_path: Path) -> None:
    photo = networks.red_photo((50, 60))
    photo[104:, :24] = (255, 0, 0)
    found = find_faces(lambda: model.detector(0.5), files_of(tmp_path, photo))
    assert found.boxes[0, 0] > 0.3
    assert not found.misplaced.any()


def test_a_photo_on_its_side_is_put_upright_first(model: FaceModel, tmp_path: Path) -> None:
    upright = networks.red_photo((40, 50))
    (plain,) = files_of(tmp_path, upright)
    lying = Image.fromarray(np.rot90(upright))
    exif = lying.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    lying.save(tmp_path / "lying.png", exif=exif)
    found = find_faces(lambda: model.detector(0.5), [plain, tmp_path / "lying.png"])
    assert np.array_equal(found.boxes[0], found.boxes[1])


def test_order_and_company_of_photos_do_not_matter(model: FaceModel, tmp_path: Path) -> None:
    photos = [networks.red_photo((30 + 2 * index, 50 + index)) for index in range(12)]
    files = files_of(tmp_path, *photos)
    found = find_faces(lambda: model.detector(0.5), files)
    assert found.is_found.all()
    assert np.array_equal(find_faces(lambda: model.detector(0.5), files[::-1]).boxes[::-1], found.boxes)


@pytest.mark.parametrize(
    ("size", "seen"), [((512, 384), (256, 192)), ((300, 600), (128, 256)), ((40, 30), (40, 30))]
)
def test_detectors_see_photos_reduced_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    Image.fromarray(networks.red_photo(size=size)).save(tmp_path / "a.jpg")
    assert reduced(tmp_path / "a.jpg").shape == (*seen, 3)
    assert max(seen) <= LONGEST


def test_each_thread_has_a_detector_of_its_own(tmp_path: Path) -> None:
    made = list[Detector]()

    def make() -> Detector:
        made.append(lambda _: [Face((0.3, 0.3, 0.6, 0.6), 0.7)])
        return made[-1]

    files = files_of(tmp_path, *[networks.red_photo()] * 9)
    found = find_faces(make, files)
    assert found.is_found.all()
    assert 1 <= len(made) <= 9


def test_a_broken_photo_stops_the_search_and_is_named(model: FaceModel, tmp_path: Path) -> None:
    files = files_of(tmp_path, networks.red_photo((50, 60)), networks.red_photo((50, 60)))
    files[1].write_bytes(files[1].read_bytes()[:100])
    with pytest.raises(MaskkitError, match=r"1\.png"):
        find_faces(lambda: model.detector(0.5), files)
