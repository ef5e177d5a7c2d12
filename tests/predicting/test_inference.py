from dataclasses import replace

import numpy as np
import pytest
import torch
from members import average
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.dataset import even_parts
from maskkit.imaging.decode import load
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.roots import photo_files
from maskkit.modeling.backbone import build
from maskkit.modeling.runtimes import Classifier, classifier
from maskkit.options.train_options import Blend, Inference
from maskkit.predicting.averaging import from_average
from maskkit.predicting.inference import MemberGroup, predict_batches, probabilities
from maskkit.storage.address import PathOrAddress

SMALL = Preprocess(32, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models() -> list[nn.Module]:
    torch.manual_seed(0)
    return [build("test_efficientnet", classes=18).eval() for _ in range(2)]


def predicted(
    models: list[nn.Module], manifest: Manifest, rows: list[int], *, batch_size: int = 64, workers: int = 0
) -> NDArray[np.float32]:
    photos, how = open_photos(manifest, SMALL), Inference("cpu", batch_size, workers)
    return np.stack(
        [
            probabilities(model, photos, np.array(rows, np.int64), how, classes=18)
            for model in classifiers(models)
        ]
    )


def by_hand(model: nn.Module, file: PathOrAddress, *, mirrored: bool = False) -> NDArray[np.float64]:
    pixels = load(file, SMALL) / 255
    if mirrored:
        pixels = pixels[:, ::-1]
    image = ((pixels - SMALL.mean) / SMALL.std).transpose(2, 0, 1)  # (3, H, W)
    with torch.inference_mode():
        logits = model(torch.tensor(image[None].copy(), dtype=torch.float32))
    return np.asarray(logits.double().softmax(1).numpy()[0])


def test_gives_the_softmax_of_each_model_for_each_photo_in_order(
    models: list[nn.Module], labels: Manifest
) -> None:
    files = photo_files(labels)
    rows = [30, 2, 17]
    answers = predicted(models, labels, rows)
    expected = np.array([[by_hand(model, files[row]) for row in rows] for model in models])
    assert np.allclose(answers, expected, atol=1e-5)


def classifiers(models: list[nn.Module]) -> list[Classifier]:
    return [
        classifier(model, runtime="torch", precision="float32", device=CPU, size=(32, 32)) for model in models
    ]


def test_hflip_is_the_mean_of_the_photo_and_its_mirror_image(
    models: list[nn.Module], labels: Manifest
) -> None:
    group = MemberGroup(classifiers(models), open_photos(labels, SMALL))
    how = Inference("cpu", 64, 0, tta="hflip")
    ((_, (found,)),) = predict_batches([group], np.array([9]), how)
    for model, probs in zip(models, found, strict=True):
        views = [by_hand(model, photo_files(labels)[9], mirrored=mirrored) for mirrored in (False, True)]
        assert not np.allclose(views[0], views[1], atol=1e-4)
        assert np.allclose(probs[0], np.mean(views, axis=0), atol=1e-5)


@pytest.mark.parametrize("blend", ["geometric", "logit"])
def test_other_averages_take_the_views_as_they_take_models(
    models: list[nn.Module], labels: Manifest, blend: Blend
) -> None:
    group = MemberGroup(classifiers(models[:1]), open_photos(labels, SMALL))
    ((_, (found,)),) = predict_batches(
        [group], np.array([9]), Inference("cpu", 64, 0, tta="hflip", blend=blend)
    )
    views = [
        by_hand(models[0], photo_files(labels)[9], mirrored=mirrored)[None] for mirrored in (False, True)
    ]
    assert np.allclose(from_average(found[0], blend), average(views, blend), atol=1e-5)


def test_groups_of_other_sizes_predict_the_same_photos(models: list[nn.Module], labels: Manifest) -> None:
    other = replace(SMALL, height=48, width=40)
    wider = [
        classifier(model, runtime="torch", precision="float32", device=CPU, size=(48, 40)) for model in models
    ]
    groups = [
        MemberGroup(classifiers(models), open_photos(labels, SMALL)),
        MemberGroup(wider, open_photos(labels, other)),
    ]
    rows = np.array([4, 9, 2])
    one, two = Inference("cpu", 2, 0), Inference("cpu", 2, 2)
    for index, group in enumerate(groups):
        alone = np.concatenate([found[0] for _, found in predict_batches([group], rows, one)], axis=1)
        both = np.concatenate([found[index] for _, found in predict_batches(groups, rows, two)], axis=1)
        assert both.shape == (2, 3, 18)
        assert np.array_equal(alone, both)


def test_some_batches_alone_are_what_they_are_among_all(models: list[nn.Module], labels: Manifest) -> None:
    group, rows = MemberGroup(classifiers(models), open_photos(labels, SMALL)), np.arange(20)
    how = Inference("cpu", 7, 0)
    every = {part.start: found[0] for part, found in predict_batches([group], rows, how)}
    parts = even_parts(20, 7)[1:]
    some = {part.start: found[0] for part, found in predict_batches([group], rows, how, parts=parts)}
    assert list(every) == [0, 6, 13]
    assert list(some) == [6, 13]
    assert all(np.array_equal(some[start], every[start]) for start in some)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_answers_for_every_row_whatever_the_batch_size(
    models: list[nn.Module], labels: Manifest, batch_size: int
) -> None:
    rows = list(range(0, 50, 2))  # 25: neither 7 nor 64 divides it
    answers = predicted(models[:1], labels, rows, batch_size=batch_size)[0]
    alone = np.stack([predicted(models[:1], labels, [row])[0, 0] for row in rows])
    assert np.allclose(answers, alone, atol=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_rows_are_no_answers(models: list[nn.Module], labels: Manifest, workers: int) -> None:
    assert predicted(models, labels, [], workers=workers).shape == (2, 0, 18)


def test_a_model_left_in_training_mode_answers_as_in_evaluation(
    models: list[nn.Module], labels: Manifest
) -> None:
    before = predicted(models, labels, [1, 2])
    models[0].train()
    assert np.array_equal(predicted(models, labels, [1, 2]), before)
