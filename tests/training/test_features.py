from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from maskkit.artifacts.checkpoint import Checkpoint, Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.cache.records import Cache
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.photos import Photos
from maskkit.modeling.backbone import build
from maskkit.modeling.constructor import typed
from maskkit.modeling.device import threads_of
from maskkit.modeling.frozen import backbone_digest, divide
from maskkit.options.model_settings import for_constructor
from maskkit.options.train_options import Inference, TrainOptions
from maskkit.stages.predict import predict
from maskkit.stages.train import train
from maskkit.training.features import DrawnView, FeatureMaker, Features
from maskkit.training.fold_rows import FoldRows

SMALL = Preprocess(32, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build("test_efficientnet", classes=18)


@pytest.fixture
def photos(labels: Manifest) -> Photos:
    return open_photos(labels, SMALL)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**8)


def maker(model: nn.Module, augment: str = "light") -> FeatureMaker:
    backbone = divide(model, size=(32, 32), dropout=0.0)
    return FeatureMaker(backbone, "test", backbone_digest(model), torch.device("cpu"), augment)


def made_by(text: str, photos: Photos) -> FeatureMaker:
    built = TrainOptions(model=text, head="joint").one("model")
    torch.manual_seed(0)
    model = build(
        built.name,
        classes=18,
        pool=str(built.settings["pool"]),
        settings=typed(built.name, for_constructor(built)),
    )
    return FeatureMaker.of(
        model, photos, built=built, device=torch.device("cpu"), augment="none", dropout=0.0
    )


def all_of(features: Features) -> np.ndarray:
    return features.take(np.arange(len(features)))


def test_the_first_view_is_the_photo_itself(model: nn.Module, photos: Photos) -> None:
    features = all_of(maker(model).features_of(photos))
    assert features.shape == (len(photos), 4, model.num_features)
    images = photos.prepare(torch.from_numpy(photos.take(np.arange(5))), torch.device("cpu"))
    with torch.inference_mode():
        expected = model.eval().forward_head(model.forward_features(images), pre_logits=True)  # type: ignore[operator]
    assert np.allclose(features[:5, 0], expected.numpy(), atol=1e-5)
    assert (np.abs(np.diff(features, axis=1)).max((0, 2)) > 1e-2).all()  # the other views are others


def test_without_augmentation_there_is_one_view(model: nn.Module, photos: Photos) -> None:
    assert all_of(maker(model, "none").features_of(photos)).shape[1] == 1


def test_the_cache_and_the_company_of_other_photos_change_nothing(
    model: nn.Module, photos: Photos, cache: Cache
) -> None:
    plain = all_of(maker(model).features_of(photos))
    few = replace(photos, files=photos.files[10:40])
    assert np.array_equal(all_of(maker(model).features_of(replace(few, cache=cache))), plain[10:40])
    assert np.array_equal(all_of(maker(model).features_of(replace(photos, cache=cache))), plain)


def test_are_computed_once_for_the_same_backbone(
    model: nn.Module, photos: Photos, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    inner = FeatureMaker.make

    def count(self: FeatureMaker, photos: Photos, keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append(len(rows))
        return inner(self, photos, keys, rows)

    monkeypatch.setattr(FeatureMaker, "make", count)
    maker(model).features_of(replace(photos, cache=cache))
    maker(model).features_of(replace(photos, cache=cache))
    different = len(np.unique(photos.keys(), axis=0))  # the drawn people look alike in all masks
    assert sum(seen) == different
    other = replace(maker(model), weights="of other weights")
    other.features_of(replace(photos, cache=cache))
    replace(maker(model), augment="medium").features_of(replace(photos, cache=cache))
    assert sum(seen) == 3 * different


def test_features_that_are_lost_while_they_are_used_are_the_same_again(
    model: nn.Module, photos: Photos, cache: Cache
) -> None:
    features = maker(model).features_of(replace(photos, cache=cache))
    whole = all_of(features)
    (data,) = cache.folder.glob("features-*/data")
    os.truncate(data, data.stat().st_size // 3)
    parts = np.array_split(np.random.default_rng(0).permutation(len(photos)), 7)
    with ThreadPoolExecutor(3) as pool:  # as the threads that load batches
        found = list(pool.map(features.take, parts))
    assert np.array_equal(np.concatenate(found), whole[np.concatenate(parts)])


def test_each_photo_is_shown_in_the_view_drawn_for_it() -> None:
    values = np.arange(24, dtype=np.float32).reshape(3, 4, 2)
    drawn = DrawnView(4).draw(np.arange(3000), np.random.default_rng(0))
    assert np.bincount(drawn, minlength=4).min() > 650
    assert DrawnView(4)(values, np.array([3, 0, 1])).tolist() == [[6, 7], [8, 9], [18, 19]]


@pytest.fixture
def frozen(quick: TrainOptions) -> TrainOptions:
    return replace(quick, freeze="all", epochs=3, augment="light")


def test_a_frozen_training_changes_the_last_layer_alone(
    folds: Manifest, frozen: TrainOptions, tmp_path: Path, cache: Cache
) -> None:
    weights = {}
    for rate in (1e-3, 1e-2):
        options = replace(frozen, epochs=1, optimizer=f"adamw:head={rate:g}")
        path = train(
            FoldRows.of(folds.located(cache=cache), 0), tmp_path / f"{rate}.safetensors", options=options
        )
        weights[rate] = Checkpoint.read(path).weights()
    different = {name for name in weights[1e-3] if not torch.equal(weights[1e-3][name], weights[1e-2][name])}
    assert different == {
        f"classifier.parts.factors.factors.{place}.last.{kind}"
        for place in range(3)
        for kind in ("weight", "bias")
    }


def test_its_checkpoint_predicts_as_it_was_scored(
    folds: Manifest, frozen: TrainOptions, tmp_path: Path
) -> None:
    path = train(FoldRows.of(folds, 1), tmp_path / "fold1.safetensors", options=frozen)
    checkpoint = Checkpoint.read(path)
    told = checkpoint.header.facts["scores"]["accuracy"]
    held_out = folds.select(folds.folds == 1)
    predictions = predict(held_out, [checkpoint], inference=Inference("cpu", 50, 0))
    assert (predictions.answer == held_out.labels).mean() == pytest.approx(told)


def test_the_cache_does_not_change_a_frozen_training(
    folds: Manifest, frozen: TrainOptions, tmp_path: Path, cache: Cache
) -> None:
    paths = [
        train(FoldRows.of(folds.located(cache=kept), 0), tmp_path / f"{number}.safetensors", options=frozen)
        for number, kept in enumerate([None, cache, cache])
    ]
    assert len({path.read_bytes() for path in paths}) == 1


@pytest.mark.parametrize("settings", ["pad_type=same", "pool=max"])
def test_the_same_weights_in_another_model_have_features_of_their_own(
    photos: Photos, cache: Cache, settings: str
) -> None:
    cached = replace(photos, cache=cache)
    plain, other = (made_by(f"test_efficientnet:{text}", photos) for text in ("pool=avg", settings))
    assert plain.weights == other.weights
    plain.features_of(cached)
    assert np.array_equal(all_of(other.features_of(cached)), all_of(other.features_of(photos)))


def test_what_is_drawn_in_training_alone_does_not_divide_the_features(photos: Photos) -> None:
    plain, other = (
        made_by(f"test_efficientnet:{text}", photos)
        for text in ("drop_path=0", "drop_path=0.1,drop_rate=0.5")
    )
    assert plain.store(photos) == other.store(photos)


def test_features_of_other_numbers_of_threads_are_kept_apart(photos: Photos) -> None:
    plain = made_by("test_efficientnet", photos)
    names = set()
    for number in (1, 2):
        with threads_of(number):
            names.add(plain.store(photos).name)
    assert len(names) == 2
