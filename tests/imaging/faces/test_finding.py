from __future__ import annotations

from pathlib import Path

import networks
import numpy as np
import pytest
from PIL import Image

from maskkit.errors import MaskkitError
from maskkit.imaging.faces.detection import Detector, Face
from maskkit.imaging.faces.finding import LONGEST, find_faces, reduced
from maskkit.imaging.faces.models import FaceModel, open_model


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
    found = find_faces(model, files, score=0.5)
    assert found.is_found.tolist() == [True, False, False]
    assert found.misplaced.tolist() == [False, False, True]
    x0, y0, x1, y1 = found.boxes[0].tolist()
    assert ((x0 + x1) * 48, (y0 + y1) * 64) == pytest.approx((50, 60), abs=4.1)
    assert np.isnan(found.boxes[1:]).all()


def test_a_face_in_its_place_is_taken_beside_one_that_is_not(model: FaceModel, tmp_path: Path) -> None:
    photo = networks.red_photo((50, 60))
    photo[104:, :24] = (255, 0, 0)
    found = find_faces(model, files_of(tmp_path, photo), score=0.5)
    assert found.boxes[0, 0] > 0.3
    assert not found.misplaced.any()


def test_a_photo_on_its_side_is_put_upright_first(model: FaceModel, tmp_path: Path) -> None:
    upright = networks.red_photo((40, 50))
    (plain,) = files_of(tmp_path, upright)
    lying = Image.fromarray(np.rot90(upright))
    exif = lying.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    lying.save(tmp_path / "lying.png", exif=exif)
    found = find_faces(model, [plain, tmp_path / "lying.png"], score=0.5)
    assert np.array_equal(found.boxes[0], found.boxes[1])


def test_order_and_company_of_photos_do_not_matter(model: FaceModel, tmp_path: Path) -> None:
    photos = [networks.red_photo((30 + 2 * index, 50 + index)) for index in range(12)]
    files = files_of(tmp_path, *photos)
    found = find_faces(model, files, score=0.5)
    assert found.is_found.all()
    assert np.array_equal(find_faces(model, files[::-1], score=0.5).boxes[::-1], found.boxes)


@pytest.mark.parametrize(
    ("size", "seen"), [((512, 384), (256, 192)), ((300, 600), (128, 256)), ((40, 30), (40, 30))]
)
def test_detectors_see_photos_reduced_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], seen: tuple[int, int]
) -> None:
    Image.fromarray(networks.red_photo(size=size)).save(tmp_path / "a.jpg")
    assert reduced(tmp_path / "a.jpg").shape == (*seen, 3)
    assert max(seen) <= LONGEST


def test_each_thread_has_a_detector_of_its_own(tmp_path: Path, model: FaceModel) -> None:
    made = []

    def detector(score: float) -> Detector:
        made.append(score)
        return lambda _: [Face((0.3, 0.3, 0.6, 0.6), score)]

    files = files_of(tmp_path, *[networks.red_photo()] * 9)
    found = find_faces(FaceModel("fake", model.source, detector), files, score=0.7)
    assert found.is_found.all()
    assert 1 <= len(made) <= 9
    assert set(made) == {0.7}


def test_a_broken_photo_stops_the_search_and_is_named(model: FaceModel, tmp_path: Path) -> None:
    files = files_of(tmp_path, networks.red_photo((50, 60)), networks.red_photo((50, 60)))
    files[1].write_bytes(files[1].read_bytes()[:100])
    with pytest.raises(MaskkitError, match=r"1\.png"):
        find_faces(model, files, score=0.5)
