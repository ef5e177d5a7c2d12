from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest

from maskkit.artifacts.checkpoint import Checkpoint, Crop
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.script import script
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError
from maskkit.imaging.kept_photos import open_photos
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.stages.bench import bench
from maskkit.stages.crop import crop
from maskkit.stages.export import export
from maskkit.stages.label import label
from maskkit.stages.predict import predict
from maskkit.stages.split import split
from maskkit.stages.train import train
from maskkit.training.fold_rows import FoldRows

ON_CPU = Inference("cpu", 20, 0)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("detector") / "red.onnx"
    path.write_bytes(networks.centerface())
    return str(path)


@pytest.fixture(scope="module")
def reds(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """36 photos of 12 people with a red face, but for those that wear a mask, whose face is in a corner,
    and the men's that wear none, who have no face."""
    folder = tmp_path_factory.mktemp("reds")
    lines = ["path,person_id,mask,gender,age"]
    for person in range(12):
        gender = ("male", "female")[person % 2]
        for mask in ("wear", "incorrect", "none"):
            faces = [(10, 120)] if mask == "wear" else [(40 + person, 50)]
            faces = [] if mask == "none" and gender == "male" else faces
            networks.save_photo(folder / f"{person}{mask}.png", networks.red_photo(*faces))
            lines.append(f"{person}{mask}.png,{person},{mask},{gender},{20 + 20 * (person % 3)}")
    (folder / "photos.csv").write_text("\n".join(lines))
    return label(folder / "photos.csv")


@pytest.fixture(scope="module")
def cropped(reds: Manifest, detector: str) -> Manifest:
    return split(crop(reds, detector=detector, score=0.5).manifest, folds=3)


@pytest.fixture(scope="module")
def quick_crop(quick: TrainOptions) -> TrainOptions:
    return replace(quick, epochs=1, size=f"{quick.size.partition(':')[0]}:margin=0.5")


@pytest.fixture(scope="module")
def checkpoint(
    cropped: Manifest, quick_crop: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    path = tmp_path_factory.mktemp("run") / "fold0.safetensors"
    return Checkpoint.read(train(FoldRows.of(cropped, 0), path, options=quick_crop))


def test_adds_boxes_where_a_face_is_and_leaves_the_others_null(reds: Manifest, detector: str) -> None:
    result = crop(reds, detector=detector, score=0.5)
    boxes = dict(zip(reds.paths, result.manifest.table["box"].to_pylist(), strict=True))
    assert boxes["3wear.png"] is None
    assert boxes["2none.png"] is None
    assert boxes["3none.png"] == boxes["3incorrect.png"]
    x0, y0, x1, y1 = boxes["3none.png"]
    assert x0 < 43 / 96 < x1
    assert y0 < 50 / 128 < y1
    assert result.manifest.table.drop(["box"]).equals(reds.table)


def test_tells_how_many_faces_were_found_per_level(reds: Manifest, detector: str) -> None:
    result = crop(reds, detector=detector, score=0.5)
    counts = {(one.factor, one.level): (one.photos, one.found, one.misplaced) for one in result.tallies}
    assert counts["", "all"] == (36, 18, 12)
    assert counts["mask", "wear"] == (12, 0, 12)
    assert counts["mask", "none"] == (12, 6, 0)
    assert counts["gender", "female"] == (18, 12, 6)
    assert [one.share for one in result.tallies[:2]] == [0.5, 0]
    assert result.milliseconds > 0


def test_photos_without_a_label_are_cropped_too(reds: Manifest, detector: str, tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text("ImageID,ans\n3none.png,0\n2none.png,0\n")
    unlabelled = label(tmp_path / "info.csv", root=str(reds.root))
    result = crop(unlabelled, detector=detector, score=0.5)
    assert [(one.level, one.photos, one.found) for one in result.tallies] == [("all", 2, 1)]


def test_the_same_photos_give_the_same_bytes(reds: Manifest, detector: str) -> None:
    first, second = (crop(reds, detector=detector).manifest for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


def test_history_names_the_detector_its_digest_and_the_command(reds: Manifest, detector: str) -> None:
    result = crop(reds, detector=detector, score=0.5).manifest
    record = result.header.history[-1]
    assert record.options == {"detector": detector, "score": 0.5, "root": None}
    given = next(item for item in record.inputs if item.option == "detector")
    assert re.fullmatch("[0-9a-f]{64}", given.sha256)
    last = script(result.header.history, output="out.parquet").splitlines()[-1]
    assert last.endswith(f"--detector {detector} --score 0.5 -o out.parquet")
    assert last.startswith("maskkit crop ")


def test_boxes_from_an_earlier_run_are_replaced(cropped: Manifest, detector: str) -> None:
    again = crop(cropped, detector=detector, score=0.5).manifest
    assert again.table.equals(cropped.table)


def test_finding_no_face_at_all_is_warned_of(
    labels: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "blind").write_bytes(networks.centerface(bias=-40))
    result = crop(labels, detector=str(tmp_path / "blind"))
    assert "no face was found in any of 168 photos" in caplog.text
    assert result.manifest.table["box"].null_count == 168


def test_the_checkpoint_holds_the_margin_and_where_to_cut_without_a_face(
    checkpoint: Checkpoint, cropped: Manifest
) -> None:
    found = [box for box in cropped.table["box"].to_pylist() if box]
    assert len(found) == 18
    fallback = tuple(np.median(found, axis=0).astype(float).round(4).tolist())
    assert checkpoint.preprocess.crop == Crop(0.5, fallback)


def test_prediction_cuts_photos_as_training_did(checkpoint: Checkpoint, cropped: Manifest) -> None:
    held_out = cropped.select(cropped.folds == 0)
    probs = predict(held_out, [checkpoint], inference=ON_CPU).probs
    assert probs is not None
    # A prediction does not depend on the company: nothing is learnt from the photos predicted.
    rows = np.arange(len(held_out))[::-1].copy()
    reversed_probs = predict(held_out.select(rows), [checkpoint], inference=ON_CPU).probs
    assert reversed_probs == pytest.approx(probs[::-1], abs=1e-5)
    photos = open_photos(held_out, checkpoint.preprocess)
    assert photos.boxes is not None
    lacking = np.array([box is None for box in held_out.table["box"].to_pylist()])
    assert lacking.any()
    assert checkpoint.preprocess.crop is not None
    assert (photos.boxes[lacking] == np.array(checkpoint.preprocess.crop.fallback, np.float32)).all()


def test_a_model_of_cut_photos_refuses_uncut_ones(checkpoint: Checkpoint, reds: Manifest) -> None:
    with pytest.raises(MaskkitError, match="no box") as caught:
        predict(reds, [checkpoint], inference=ON_CPU, allow_leak=True)
    assert "maskkit crop" in caught.value.fix


def test_faces_that_were_found_otherwise_are_refused(
    checkpoint: Checkpoint, reds: Manifest, detector: str, tmp_path: Path
) -> None:
    copy, other = tmp_path / "copy.onnx", tmp_path / "other.onnx"
    copy.write_bytes(Path(detector).read_bytes())
    other.write_bytes(networks.centerface(width=40))
    same = crop(reds, detector=str(copy), score=0.5).manifest
    assert len(predict(same, [checkpoint], inference=ON_CPU, allow_leak=True)) == 36
    for changed in ({"detector": str(other), "score": 0.5}, {"detector": detector, "score": 0.6}):
        manifest = crop(reds, **changed).manifest  # type: ignore[arg-type]
        with pytest.raises(MaskkitError, match="found otherwise") as caught:
            predict(manifest, [checkpoint], inference=ON_CPU, allow_leak=True)
        assert f"--detector {detector} --score 0.5" in caught.value.fix


def test_folds_share_how_photos_are_cut(
    cropped: Manifest, checkpoint: Checkpoint, quick_crop: TrainOptions, tmp_path: Path
) -> None:
    other = train(FoldRows.of(cropped, 1), tmp_path / "fold1.safetensors", options=quick_crop)
    assert Checkpoint.read(other).preprocess == checkpoint.preprocess


def test_an_exported_model_says_how_to_cut(checkpoint: Checkpoint) -> None:
    import onnx

    properties = {item.key: item.value for item in onnx.load_from_string(export(checkpoint)).metadata_props}
    assert '"margin": 0.5' in properties["crop"]


def test_bench_loads_cut_photos(cropped: Manifest, quick_crop: TrainOptions, tmp_path: Path) -> None:
    result = bench(cropped.located(cache=Cache(tmp_path / "cache", 10**8)), options=quick_crop, seconds=0.01)
    assert result.speeds
