import logging
import os
import shutil
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
import torch
from local_places import here
from members import average
from numpy.typing import NDArray

from maskkit.artifacts.answer_sets import Promise
from maskkit.artifacts.checkpoint import Checkpoint, Crop, write_checkpoint
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.cache.records import Cache
from maskkit.errors import MaskkitError, RefusedError
from maskkit.fitting.conformal import NEW, Calibrated
from maskkit.fitting.temperature import temperature_decision
from maskkit.imaging.decode import load
from maskkit.imaging.roots import photo_files
from maskkit.labelling.targets import TargetRules
from maskkit.labels import Factor, LabelSpace
from maskkit.modeling.backbone import restore
from maskkit.modeling.runtimes import NEEDS, RUNTIMES, Resolved, resolve_runtime
from maskkit.options.train_options import Blend, Inference, TrainOptions
from maskkit.predicting.adjustments import Afterwards, with_consensus, with_decision, with_sets
from maskkit.scoring.judged import Judged
from maskkit.sources.photos_to_predict import folder_of_photos
from maskkit.stages.label import label
from maskkit.stages.predict import predict
from maskkit.stages.show import show
from maskkit.stages.split import split
from maskkit.stages.train import train
from maskkit.storage.address import PathOrAddress
from maskkit.training.fold_rows import FoldRows

HERE = Inference("cpu", batch_size=16, workers=0, runtime="torch")


@pytest.fixture
def models(checkpoints: list[Path]) -> list[Checkpoint]:
    return [Checkpoint.read(path) for path in checkpoints]


@pytest.fixture
def unlabelled(info_csv: Path) -> Manifest:
    return label(info_csv)


def test_members_are_added_up_in_float64(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    """Sums in float32 are off by a step of it on some photos."""
    alone = [predict(unlabelled, [model], inference=HERE).probs for model in models]
    exact = np.mean([one.astype(np.float64) for one in alone if one is not None], axis=0)
    together = predict(unlabelled, models, inference=HERE).probs
    np.testing.assert_array_equal(together, exact.astype(np.float32))


def test_a_model_from_before_random_weights_were_a_choice_is_shown_and_predicts(
    unlabelled: Manifest, models: list[Checkpoint], tmp_path: Path
) -> None:
    header = models[0].header
    record = replace(header.history[-1], options={**header.history[-1].options, "weights": None})
    before = tmp_path / "before.safetensors"
    write_checkpoint(before, models[0].weights(), replace(header, history=(*header.history[:-1], record)))
    assert show(Source.open(before))["model"] == models[0].model
    probs = [
        probs_of(predict(unlabelled, [one], inference=HERE)) for one in (models[0], Checkpoint.read(before))
    ]
    np.testing.assert_array_equal(probs[0], probs[1])


@pytest.fixture(scope="module")
def of_another_kind(
    folds: Manifest, quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """Another model, at another size, held out on another fold."""
    options = replace(quick, model="test_resnet", size="48x40", epochs=1)
    output = tmp_path_factory.mktemp("other") / "resnet.safetensors"
    return Checkpoint.read(train(FoldRows.of(folds, 1), output, options=options))


def by_hand(checkpoint: Checkpoint, file: PathOrAddress, *, mirrored: bool = False) -> NDArray[np.float64]:
    pixels = load(file, checkpoint.preprocess) / 255
    if mirrored:
        pixels = pixels[:, ::-1]
    image = (pixels - checkpoint.preprocess.mean) / checkpoint.preprocess.std
    with torch.inference_mode():
        model = restore(checkpoint).eval()
        logits = model(torch.tensor(image.transpose(2, 0, 1)[None].copy(), dtype=torch.float32))
    return np.asarray(logits.double().softmax(1).numpy()[0])


def probs_of(predictions: Predictions) -> NDArray[np.float32]:
    assert predictions.probs is not None
    return predictions.probs


def test_averages_models_each_with_its_own_preprocessing(
    unlabelled: Manifest, models: list[Checkpoint], of_another_kind: Checkpoint
) -> None:
    members = [models[0], of_another_kind, models[2]]
    probs = probs_of(predict(unlabelled, members, inference=HERE))
    for row, file in enumerate(photo_files(unlabelled)):
        mean = np.mean([by_hand(member, file) for member in members], axis=0)
        assert np.allclose(probs[row], mean, atol=1e-5)


def test_hflip_is_the_mean_of_both_views_of_every_model(
    unlabelled: Manifest, models: list[Checkpoint]
) -> None:
    probs = probs_of(predict(unlabelled, models[:2], inference=replace(HERE, tta="hflip")))
    file = photo_files(unlabelled)[3]
    views = [by_hand(model, file, mirrored=mirrored) for model in models[:2] for mirrored in (False, True)]
    assert np.allclose(probs[3], np.mean(views, axis=0), atol=1e-5)


def test_keeps_the_order_of_the_table(info_csv: Path, unlabelled: Manifest, models: list[Checkpoint]) -> None:
    predictions = predict(unlabelled, models, inference=HERE)
    ids = [line.split(",")[0] for line in info_csv.read_text().splitlines()[1:]]
    assert ids != sorted(ids)
    submission = bytes(predictions.encode("submission")).decode().splitlines()
    assert [line.split(",")[0] for line in submission] == ["ImageID", *ids]
    assert predictions.answer.tolist() == probs_of(predictions).argmax(1).tolist()


def test_gives_the_same_bytes_twice(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    first, second = (bytes(predict(unlabelled, models, inference=HERE).encode("parquet")) for _ in range(2))
    assert first == second


def test_the_number_of_workers_does_not_change_a_bit(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    answers = [probs_of(predict(unlabelled, models[:1], inference=replace(HERE, workers=n))) for n in (0, 2)]
    assert np.array_equal(answers[0], answers[1])


def test_says_whose_model_spoke(folds: Manifest, unlabelled: Manifest, models: list[Checkpoint]) -> None:
    assert predict(unlabelled, models[1:2], inference=HERE).fold.tolist() == [1] * 7  # type: ignore[union-attr]
    assert predict(unlabelled, models, inference=HERE).fold.tolist() == [-1] * 7  # type: ignore[union-attr]
    oof = predict(folds, models, oof=True, inference=HERE)
    assert np.array_equal(oof.fold, folds.folds)  # type: ignore[arg-type]


def test_refuses_people_a_model_was_trained_on(folds: Manifest, models: list[Checkpoint]) -> None:
    held_out = folds.select(folds.folds == 0)
    assert len(predict(held_out, models[:1], inference=HERE)) == 56
    with pytest.raises(RefusedError, match="56 photos show people that a model was trained on") as caught:
        predict(held_out, models, inference=HERE)
    assert caught.value.exit_code == 3
    assert "--oof" in caught.value.fix


def test_knows_people_again_in_another_table_of_theirs(
    labels: Manifest, train_csv: Path, tmp_path: Path, models: list[Checkpoint]
) -> None:
    again = label(train_csv, root=str(train_csv.parent / "images"))  # other bytes, no folds, same people
    with pytest.raises(RefusedError, match="112 photos"):
        predict(again, models[:1], inference=HERE)


def test_predicts_a_leak_if_told_to_and_records_it(folds: Manifest, models: list[Checkpoint]) -> None:
    predictions = predict(folds, models[:1], allow_leak=True, inference=HERE)
    assert len(predictions) == len(folds)
    assert predictions.leaked == 112


def test_out_of_fold_goes_by_people_and_not_by_fold_numbers(
    labels: Manifest, folds: Manifest, models: list[Checkpoint]
) -> None:
    other_folds = split(labels, folds=3, seed=99)
    assert not np.array_equal(other_folds.folds, folds.folds)
    predictions = predict(other_folds, models, oof=True, inference=HERE)
    assert np.array_equal(predictions.fold, folds.folds)  # type: ignore[arg-type]
    assert predictions.leaked == 0
    assert predictions.trained_on == []


def test_out_of_fold_averages_all_who_have_not_seen_the_person(
    folds: Manifest, models: list[Checkpoint], of_another_kind: Checkpoint
) -> None:
    predictions = predict(folds, [*models, of_another_kind], oof=True, inference=HERE)
    row = int(np.flatnonzero(folds.folds == 1)[5])
    file = photo_files(folds)[row]
    mean = np.mean([by_hand(models[1], file), by_hand(of_another_kind, file)], axis=0)
    assert np.allclose(probs_of(predictions)[row], mean, atol=1e-5)
    assert predictions.fold[row] == 1  # type: ignore[index]  # both held out fold 1


def test_people_nobody_was_trained_on_are_answered_for_by_their_fold_alone(
    train_csv: Path, quick: TrainOptions, tmp_path: Path
) -> None:
    ignoring = split(label(train_csv, targets=TargetRules(ignore={"age": ["58-60"]})), folds=2)
    assert (ignoring.table["weight"].to_numpy() == 0).any()
    options = replace(quick, epochs=1)
    paths = [
        train(FoldRows.of(ignoring, fold), tmp_path / f"{fold}.safetensors", options=options)
        for fold in (0, 1)
    ]
    oof = predict(ignoring, [Checkpoint.read(path) for path in paths], oof=True, inference=HERE)
    assert np.array_equal(oof.fold, ignoring.folds)  # type: ignore[arg-type]


def test_out_of_fold_leaves_out_who_was_seen_by_all_and_says_so(
    folds: Manifest, models: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "maskkit"):
        predictions = predict(folds, models[:2], oof=True, inference=HERE)
    assert "56 of 168 photos are left out" in caplog.text
    assert predictions.path.to_pylist() == [
        path for path, fold in zip(folds.paths, folds.folds, strict=True) if fold < 2
    ]


def test_out_of_fold_passes_over_a_model_that_has_seen_everyone(
    folds: Manifest, models: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    two_folds = folds.select(folds.folds < 2)
    with caplog.at_level(logging.WARNING, "maskkit"):
        predictions = predict(two_folds, models, oof=True, inference=replace(HERE, workers=1))
    assert np.array_equal(predictions.fold, two_folds.folds)  # type: ignore[arg-type]
    assert "fold2.safetensors predicts no photo" in caplog.text


def test_out_of_fold_is_refused_if_every_model_has_seen_every_person(
    folds: Manifest, models: list[Checkpoint]
) -> None:
    with pytest.raises(RefusedError, match="every model has seen their people"):
        predict(folds.select(folds.folds == 0), models[1:], oof=True, inference=HERE)


@pytest.fixture(scope="module")
def by_image(labels: Manifest) -> Manifest:
    return split(labels, by="image", folds=3)


@pytest.fixture(scope="module")
def leaky(by_image: Manifest, quick: TrainOptions, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    output = tmp_path_factory.mktemp("leaky") / "fold0.safetensors"
    options = replace(quick, epochs=1)
    return Checkpoint.read(train(FoldRows.of(by_image, 0, allow_leak=True), output, options=options))


def test_out_of_fold_of_a_split_by_image_leaves_out_who_was_seen(
    by_image: Manifest, leaky: Checkpoint
) -> None:
    try:
        predictions = predict(by_image, [leaky], oof=True, inference=HERE)
    except RefusedError as refused:  # nobody had all seven photos in one fold
        assert "every model has seen their people" in refused.what  # noqa: PT017
    else:
        assert len(predictions) % 7 == 0


def test_a_leak_that_was_asked_for_goes_by_fold_numbers_and_is_counted(
    by_image: Manifest, leaky: Checkpoint, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "maskkit"):
        predictions = predict(by_image, [leaky], oof=True, allow_leak=True, inference=HERE)
    held_out = by_image.folds == 0
    assert predictions.path.to_pylist() == [by_image.paths[row] for row in np.flatnonzero(held_out)]
    assert predictions.leaked > 40
    assert "photos are left out: no model held them out" in caplog.text


def test_another_label_space_is_an_error_that_names_the_difference(
    unlabelled: Manifest, models: list[Checkpoint]
) -> None:
    age = Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))
    space = LabelSpace((*unlabelled.space.factors[:2], age))
    other = replace(unlabelled, header=replace(unlabelled.header, space=space))
    with pytest.raises(MaskkitError, match="different label spaces") as caught:
        predict(other, models, inference=HERE)
    assert caught.value.why == "cuts of age: [30, 58] against [30, 60]"


def test_history_holds_every_training_once_and_ends_with_the_prediction(
    folds: Manifest, models: list[Checkpoint]
) -> None:
    history = predict(folds, models, oof=True, inference=replace(HERE, tta="hflip")).header.history
    assert [record.stage for record in history] == ["label", "split", "train", "train", "train", "predict"]
    assert history[-1].options["tta"] == "hflip"
    assert [item.path for item in history[-1].inputs[1:]] == [model.name for model in models]


def test_photos_that_are_not_there_are_an_error_before_any_work(
    unlabelled: Manifest, models: list[Checkpoint], tmp_path: Path
) -> None:
    with pytest.raises(MaskkitError, match=f"are not under {tmp_path}"):
        predict(unlabelled.located(root=str(tmp_path)), models, inference=HERE)


def test_a_photo_that_cannot_be_read_is_named(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    paths = [*unlabelled.paths[:6], "gone.jpg"]
    torn = unlabelled.then("edit", {"path": pa.array(paths)})
    with pytest.raises(MaskkitError, match=r"gone\.jpg"):
        predict(torn, models[:1], inference=replace(HERE, workers=1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_an_error(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    with pytest.raises(MaskkitError, match="there is no cuda device"):
        predict(unlabelled, models, inference=replace(HERE, device="cuda"))


def test_what_auto_cannot_use_for_a_model_is_recorded_as_what_it_used(
    unlabelled: Manifest,
    models: list[Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = probs_of(predict(unlabelled, models, inference=HERE))

    def unable(model: torch.nn.Module, photos: torch.Tensor) -> None:
        broken.append(model)
        if len(broken) in unfit:
            raise RuntimeError("no such operation")
        return RUNTIMES["torch"](model, photos)  # type: ignore[return-value]

    monkeypatch.setitem(RUNTIMES, "openvino", unable)
    monkeypatch.setattr("maskkit.predicting.members.resolve_runtime", lambda *_: "openvino")
    caplog.set_level(logging.INFO)
    for unfit, recorded in [({1}, "auto"), (set(range(1, len(models) + 1)), "torch"), (set(), "openvino")]:
        broken: list[torch.nn.Module] = []
        found = predict(unlabelled, models, inference=replace(HERE, runtime="auto"))
        assert found.header is not None
        assert found.header.history[-1].options["runtime"] == recorded
        assert np.array_equal(probs_of(found), wanted)
        said = f"torch computes {models[0].model}, since openvino cannot: no such operation"
        assert caplog.text.count(said) == len(unfit)
        caplog.clear()


@pytest.mark.parametrize("runtime", ["torch", "openvino", "onnx"])
def test_every_runtime_answers_alike_and_is_recorded(
    unlabelled: Manifest, models: list[Checkpoint], runtime: Resolved
) -> None:
    if any(find_spec(package) is None for package in NEEDS[runtime]):
        pytest.skip(f"needs maskkit[{runtime}]")
    expected = probs_of(predict(unlabelled, models, inference=HERE))
    predictions = predict(unlabelled, models, inference=replace(HERE, runtime=runtime))
    assert np.allclose(probs_of(predictions), expected, atol=1e-5)
    options = predictions.header.history[-1].options
    assert (options["runtime"], options["precision"]) == (runtime, "float32")
    again = predict(unlabelled, models, inference=replace(HERE, runtime=runtime))
    assert bytes(again.encode("parquet")) == bytes(predictions.encode("parquet"))


def test_the_history_tells_what_auto_came_to(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    options = (
        predict(unlabelled, models[:1], inference=replace(HERE, runtime="auto")).header.history[-1].options
    )
    assert options["runtime"] == resolve_runtime("auto", torch.device("cpu"))


def test_bfloat16_answers_as_float32_does(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    exact = predict(unlabelled, models, inference=HERE)
    rounded = predict(unlabelled, models, inference=replace(HERE, precision="bfloat16"))
    assert np.array_equal(rounded.answer, exact.answer)
    assert not np.array_equal(probs_of(rounded), probs_of(exact))
    assert np.allclose(probs_of(rounded), probs_of(exact), atol=0.02)
    assert rounded.header.history[-1].options["precision"] == "bfloat16"


def test_models_trained_in_different_precisions_keep_theirs(
    unlabelled: Manifest, models: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    mixed = [models[0], replace(models[1], precision="bfloat16")]
    assert predict(unlabelled, mixed, inference=HERE).header.history[-1].options["precision"] == "auto"


@pytest.mark.parametrize("blend", ["geometric", "logit"])
def test_views_and_models_of_all_sizes_are_blended_alike(
    unlabelled: Manifest, models: list[Checkpoint], of_another_kind: Checkpoint, blend: Blend
) -> None:
    members = [models[0], of_another_kind]
    probs = probs_of(predict(unlabelled, members, inference=replace(HERE, tta="hflip", blend=blend)))
    for row in (0, 5):
        file = photo_files(unlabelled)[row]
        every = [
            by_hand(model, file, mirrored=mirrored)[None] for model in members for mirrored in (False, True)
        ]
        assert np.allclose(probs[row], average(every, blend)[0], atol=1e-5)


def test_one_model_and_one_view_are_the_same_in_every_blend(
    unlabelled: Manifest, models: list[Checkpoint]
) -> None:
    plain, *others = (
        probs_of(predict(unlabelled, models[:1], inference=replace(HERE, blend=blend)))
        for blend in get_args(Blend)
    )
    for other in others:
        assert np.allclose(other, plain, atol=1e-6)


def test_models_of_different_heads_and_sizes_speak_together(
    folds: Manifest, unlabelled: Manifest, models: list[Checkpoint], quick: TrainOptions, tmp_path: Path
) -> None:
    options = replace(quick, head="factors+regression", size="40x32", epochs=1)
    other = Checkpoint.read(train(FoldRows.of(folds, 0), tmp_path / "fold0.safetensors", options=options))
    found = probs_of(predict(unlabelled, [models[0], other], inference=HERE))
    alone = [probs_of(predict(unlabelled, [model], inference=HERE)) for model in (models[0], other)]
    assert not np.allclose(alone[0], alone[1], atol=1e-3)
    assert np.allclose(found, np.mean(alone, axis=0), atol=1e-6)


def test_what_views_cost_is_told_before(
    folds: Manifest, unlabelled: Manifest, models: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "maskkit"):
        predict(unlabelled, models, inference=HERE)
        assert "passes" not in caplog.text
        predict(unlabelled, models, inference=replace(HERE, tta="hflip,scale:0.9,shift"))
        assert "12 views per photo, 3 models: 36 passes per photo" in caplog.text
        predict(folds, models, oof=True, inference=replace(HERE, tta="hflip"))
    assert "2 views per photo, 1 model: 2 passes per photo" in caplog.text


def test_the_history_holds_views_in_one_spelling(unlabelled: Manifest, models: list[Checkpoint]) -> None:
    spelt = ["shift,scale:0.90,hflip", "hflip,scale:.9,shift:0.05"]
    one, two = (predict(unlabelled, models[:1], inference=replace(HERE, tta=text)) for text in spelt)
    assert one.header.history[-1].options["tta"] == "hflip,scale:0.9,shift:0.05"
    assert bytes(one.encode("parquet")) == bytes(two.encode("parquet"))


@pytest.fixture
def torn(unlabelled: Manifest, tmp_path: Path) -> Manifest:
    """The same photos in a folder of their own, where two cannot be read."""
    for path in unlabelled.paths:
        shutil.copy(here(unlabelled.root) / path, tmp_path / path)
    (tmp_path / unlabelled.paths[2]).write_bytes(b"no photo")
    (tmp_path / unlabelled.paths[5]).unlink()
    return unlabelled


@pytest.mark.parametrize("is_cached", [True, False])
def test_photos_that_cannot_be_read_are_set_aside_and_the_others_are_as_ever(
    torn: Manifest, models: list[Checkpoint], tmp_path: Path, is_cached: bool
) -> None:
    cache = Cache(tmp_path / "cache", 10**8) if is_cached else None
    faults: dict[str, str] = {}
    found = predict(torn.located(root=str(tmp_path), cache=cache), models, inference=HERE, faults=faults)
    assert faults == {torn.paths[2]: "not a photo", torn.paths[5]: "missing"}
    good = [0, 1, 3, 4, 6]
    assert found.path.to_pylist() == [torn.paths[row] for row in good]
    whole = predict(torn, models, inference=HERE)
    assert np.array_equal(probs_of(found), probs_of(whole)[good])


@pytest.mark.parametrize("is_cached", [True, False])
def test_nothing_is_predicted_if_no_photo_can_be_read(
    unlabelled: Manifest, models: list[Checkpoint], tmp_path: Path, is_cached: bool
) -> None:
    for path in unlabelled.paths:
        (tmp_path / path).write_bytes(b"no photo")
    cache = Cache(tmp_path / "cache", 10**8) if is_cached else None
    with pytest.raises(MaskkitError, match="none of 7 photos can be read") as caught:
        predict(unlabelled.located(root=str(tmp_path), cache=cache), models[:1], inference=HERE, faults={})
    assert "not a photo" in caught.value.why


def test_photos_agree_before_a_decision_is_applied_and_both_are_recorded(
    folds: Manifest, models: list[Checkpoint]
) -> None:
    offsets = np.random.default_rng(0).normal(size=18)
    decision = Decision.make(folds.space, (), method="classes", offsets=offsets.tolist(), temperature=1.5)
    plain = predict(folds, models, oof=True, inference=HERE)
    found = predict(
        folds, models, oof=True, inference=HERE, afterwards=Afterwards(consensus="person", decide=decision)
    )
    expected = with_decision(with_consensus(plain, folds.known_people, folds.space), decision)
    assert np.array_equal(probs_of(found), probs_of(expected))
    assert found.adjusted == expected.adjusted
    assert set(found.adjusted) == {"consensus", "decision"}
    (given,) = [item for item in found.header.history[-1].inputs if item.option == "decide"]
    assert given.sha256 == decision.as_input().sha256
    assert found.header.history[-1].options["consensus"] == "person"


def test_a_temperature_of_out_of_fold_answers_is_applied_and_its_inputs_recorded(
    folds: Manifest, unlabelled: Manifest, models: list[Checkpoint]
) -> None:
    oof = predict(folds, models, oof=True, inference=HERE)
    found = predict(unlabelled, models, inference=HERE, afterwards=Afterwards(calibrate=oof, on=folds))
    decision = temperature_decision(folds, oof)
    plain = predict(unlabelled, models, inference=HERE)
    assert np.array_equal(probs_of(found), decision.applied(probs_of(plain)))
    assert np.array_equal(found.answer, plain.answer)
    assert found.adjusted["decision"]["method"] == "temperature"
    options = [item.option for item in found.header.history[-1].inputs]
    assert options == [None, None, None, None, "calibrate", "on"]


def test_sets_of_new_people_are_calibrated_on_all_and_those_of_known_ones_on_other_folds(
    folds: Manifest, unlabelled: Manifest, models: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    oof, promise = predict(folds, models, oof=True, inference=HERE), Promise(0.8)
    asked = Afterwards(calibrate=oof, on=folds, promise=promise)
    calibrated = Calibrated.of(Judged.of(folds, [oof], "same"), promise)
    with caplog.at_level(logging.INFO, "maskkit"):
        found = predict(unlabelled, models, inference=HERE, afterwards=asked)
    plain = predict(unlabelled, models, inference=HERE)
    new = calibrated.sets(probs_of(plain), np.full(len(plain), NEW))
    assert found.sets is not None
    assert np.array_equal(found.sets.classes, new.classes)
    assert found.header.facts["sets"] == {"coverage": 0.8, "per": None, "abstain": None, "left_out": 0}
    options = found.header.history[-1].options
    assert (options["sets"], options["sets_per"]) == (0.8, None)
    assert "% of 168 out-of-fold photos" in caplog.text
    same = predict(folds, models, oof=True, inference=HERE, afterwards=replace(asked, on=None)).sets
    assert same is not None
    assert np.array_equal(same.classes, calibrated.sets_of_others().classes)


def test_photos_with_large_sets_are_left_out_and_what_that_brings_is_said(
    folds: Manifest, models: list[Checkpoint], caplog: pytest.LogCaptureFixture
) -> None:
    ask = partial(predict, folds, models, oof=True, inference=HERE)
    asked = Afterwards(calibrate=ask(), promise=Promise(0.5, "gender"))
    whole = ask(afterwards=asked)
    assert whole.sets is not None
    most = int(np.median(whole.sets.sizes))
    with caplog.at_level(logging.INFO, "maskkit"):
        found = ask(afterwards=replace(asked, abstain=most))
    kept = np.flatnonzero(whole.sets.sizes <= most)
    assert 0 < len(kept) < len(whole)
    assert found.path.to_pylist() == whole.path.take(kept).to_pylist()
    assert np.array_equal(probs_of(found), probs_of(whole)[kept])
    assert found.left_out == len(whole) - len(kept)
    assert f"have sets of more than {most} classes; macro-F1 is" in caplog.text
    with pytest.raises(MaskkitError, match=r"none of \d+ photos has a set of at most 0 classes"):
        with_sets(whole, whole.sets, 0)


def test_what_cannot_be_done_afterwards_is_found_out_before_any_photo_is_read(
    folds: Manifest, unlabelled: Manifest, models: list[Checkpoint], tmp_path: Path
) -> None:
    oof = predict(folds, models, oof=True, inference=HERE)
    age = Factor("age", ("under30", "30to59", "60plus"), cuts=(30, 58))
    other = Decision.make(LabelSpace((*unlabelled.space.factors[:2], age)), (), method="classes")
    ask = partial(predict, unlabelled.located(root=str(tmp_path / "nowhere")), models, inference=HERE)
    with pytest.raises(MaskkitError, match="needs to know who is on the photos"):
        ask(afterwards=Afterwards(consensus="person"))
    with pytest.raises(MaskkitError, match="different label spaces"):
        ask(afterwards=Afterwards(decide=other))
    leaky = predict(unlabelled, models, inference=HERE)
    with pytest.raises(MaskkitError, match="has no labelled photo"):
        ask(afterwards=Afterwards(calibrate=leaky))
    with pytest.raises(MaskkitError, match="too few people for sets"):
        ask(afterwards=Afterwards(calibrate=oof, on=folds, promise=Promise(0.99)))


def test_a_folder_is_predicted_as_its_manifest_is(
    info_csv: Path, unlabelled: Manifest, models: list[Checkpoint]
) -> None:
    folder = folder_of_photos(info_csv.parent / "images", models)
    found = predict(folder, models, inference=HERE)
    expected = predict(unlabelled, models, inference=HERE)
    order = [unlabelled.paths.index(path) for path in found.path.to_pylist()]
    assert sorted(order) == list(range(7))
    assert np.allclose(probs_of(found), probs_of(expected)[order], atol=1e-6)


def test_photos_of_a_folder_whose_names_are_not_utf8_are_named_and_left_out(
    info_csv: Path, models: list[Checkpoint], tmp_path: Path
) -> None:
    photo = next((info_csv.parent / "images").iterdir())
    shutil.copy(photo, tmp_path / os.fsdecode("사진.jpg".encode("cp949")))
    with pytest.raises(MaskkitError, match=r"1 photos under .* have names that are not UTF-8"):
        folder_of_photos(tmp_path, models)
    faults: dict[str, str] = {}
    with pytest.raises(MaskkitError, match="names that are not UTF-8"):  # and there are no others
        folder_of_photos(tmp_path, models, faults=faults)
    shutil.copy(photo, tmp_path / "a.jpg")
    assert folder_of_photos(tmp_path, models, faults=faults).paths == ["a.jpg"]
    assert faults == {r"\xbb\xe7\xc1\xf8.jpg": "its name is not UTF-8; in CP949 it is 사진.jpg"}


def test_a_folder_for_models_of_cut_photos_is_refused_with_what_to_type(
    info_csv: Path, models: list[Checkpoint]
) -> None:
    cut = replace(models[0].preprocess, crop=Crop(0.25, (0.2, 0.2, 0.8, 0.8)))
    cutting = replace(models[0], preprocess=cut)
    with pytest.raises(MaskkitError, match="cut to the face") as caught:
        folder_of_photos(info_csv.parent, [models[1], cutting])
    assert "maskkit label" in caught.value.fix
    assert "maskkit crop" in caught.value.fix
