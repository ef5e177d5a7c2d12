from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskkit.artifacts.checkpoint import Crop
from maskkit.artifacts.checks import BOX
from maskkit.artifacts.header import Header, Input, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.errors import MaskkitError
from maskkit.imaging.cropping import boxes_to_cut, crop_to_train, found_alike, window
from maskkit.labels import HOME

PORTRAIT = (128, 96)


def boxed(manifest: Manifest, *boxes: list[float] | None) -> Manifest:
    rows = [*boxes, *[None] * (len(manifest) - len(boxes))]
    return replace(manifest, table=manifest.table.append_column("box", pa.array(rows, BOX)))


def in_pixels(part: tuple[float, ...], photo: tuple[int, int]) -> list[float]:
    return [edge * side for edge, side in zip(part, [photo[1], photo[0]] * 2, strict=True)]


def test_the_margin_is_a_share_of_the_box_on_each_side() -> None:
    face = (0.4, 0.4, 0.6, 0.6)  # 60 x 80 of 300 x 400 pixels, the shape of the model's input
    part = window(face, margin=0.5, shape=PORTRAIT, photo=(400, 300))
    assert in_pixels(part, (400, 300)) == pytest.approx([90, 120, 210, 280])
    assert window(face, margin=0, shape=PORTRAIT, photo=(400, 300)) == pytest.approx(face)


def test_a_box_is_widened_to_the_shape_of_the_input_not_squashed() -> None:
    part = window((0.4, 0.4, 0.6, 0.6), margin=0.5, shape=(100, 100), photo=(400, 300))
    assert in_pixels(part, (400, 300)) == pytest.approx([70, 120, 230, 280])  # 160 x 160


def test_a_window_beyond_the_edge_is_shifted_into_the_photo() -> None:
    part = window((0.7, 0.0, 0.9, 0.2), margin=0.5, shape=PORTRAIT, photo=(400, 300))
    assert in_pixels(part, (400, 300)) == pytest.approx([180, 0, 300, 160])


def test_a_window_larger_than_the_photo_is_shrunk_around_the_face() -> None:
    part = window((0.1, 0.1, 0.7, 0.7), margin=1, shape=(100, 100), photo=(400, 300))
    assert in_pixels(part, (400, 300)) == pytest.approx([0, 10, 300, 310])
    assert window((0.1, 0.1, 0.9, 0.9), margin=0.3, shape=PORTRAIT, photo=(400, 300)) == (0, 0, 1, 1)


@given(
    st.tuples(*[st.floats(0, 0.9)] * 2, *[st.floats(0.02, 1)] * 2),
    st.floats(0, 3),
    st.sampled_from([(128, 96), (96, 128), (224, 224)]),
    st.integers(50, 3000),
    st.integers(50, 3000),
)
def test_every_window_is_inside_the_photo_and_has_the_shape(
    place: tuple[float, ...], margin: float, shape: tuple[int, int], height: int, width: int
) -> None:
    x0, y0, wide, tall = place
    face = (x0, y0, min(1.0, x0 + wide), min(1.0, y0 + tall))
    left, top, right, bottom = window(face, margin=margin, shape=shape, photo=(height, width))
    assert 0 <= left < right <= 1 + 1e-9
    assert 0 <= top < bottom <= 1 + 1e-9
    assert (bottom - top) * height / ((right - left) * width) == pytest.approx(shape[0] / shape[1])


def test_photos_without_a_face_are_cut_to_the_median_of_the_others(labels: Manifest) -> None:
    manifest = boxed(labels, [0.2, 0.2, 0.6, 0.7], None, [0.3, 0.1, 0.7, 0.7], [0.9, 0.9, 1, 1])
    crop = crop_to_train(manifest, 0.3)
    assert crop == Crop(0.3, (0.3, 0.2, 0.7, 0.7))
    assert boxes_to_cut(manifest, crop)[:2] == pytest.approx(
        np.array([[0.2, 0.2, 0.6, 0.7], crop.fallback]), abs=1e-6
    )


def test_how_many_photos_have_no_face_is_told(labels: Manifest, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        boxes_to_cut(boxed(labels, [0.2, 0.2, 0.6, 0.7], None), Crop(0.3, (0.1, 0.1, 0.9, 0.9)))
    assert "167 of 168 have no face" in caplog.text


def test_without_the_column_nothing_is_cut(labels: Manifest) -> None:
    assert crop_to_train(labels, 0.3) is None


def test_a_model_cannot_learn_from_faces_where_none_was_found(labels: Manifest) -> None:
    with pytest.raises(MaskkitError, match="no photo has a face box"):
        crop_to_train(boxed(labels), 0.3)


def test_photos_may_all_be_without_a_face_when_they_are_predicted(labels: Manifest) -> None:
    fallback = (0.125, 0.25, 0.875, 0.75)
    assert (boxes_to_cut(boxed(labels), Crop(0.3, fallback)) == fallback).all()


@pytest.mark.parametrize("options", [{}, {"detector": "face.onnx"}, {"detector": "face.onnx", "score": 0.5}])
def test_a_history_that_names_no_detector_is_compared_with_none(options: dict[str, object]) -> None:
    header = Header("manifest", HOME, (Record("crop", options),))
    digest = Input("face.onnx", "a" * 64, option="detector")
    other = Header("manifest", HOME, (Record("crop", {"detector": "other.onnx", "score": 0.1}, (digest,)),))
    found_alike(header, other, names=("m", "n"))
