from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from maskkit.artifacts.checkpoint import Preprocess
from maskkit.artifacts.manifest import Manifest
from maskkit.imaging.dataset import even_parts
from maskkit.imaging.decode import load
from maskkit.imaging.photos import open_photos
from maskkit.imaging.roots import photo_files
from maskkit.modeling.backbone import build
from maskkit.modeling.runtimes import Classifier, classifier
from maskkit.options.values import parse_tta
from maskkit.predicting.averaging import average, from_average
from maskkit.predicting.inference import Answers, Asking, Speakers, answers, probabilities

SMALL = Preprocess(32, 32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models() -> list[nn.Module]:
    torch.manual_seed(0)
    return [build("test_efficientnet", classes=18).eval() for _ in range(2)]


def ask(
    models: list[nn.Module],
    manifest: Manifest,
    rows: list[int],
    *,
    batch_size: int = 64,
    workers: int = 0,
) -> NDArray[np.float32]:
    return probabilities(
        classifiers(models),
        open_photos(manifest, SMALL),
        np.array(rows, np.int64),
        classes=18,
        device=CPU,
        batch_size=batch_size,
        workers=workers,
    )


def by_hand(model: nn.Module, file: Path, *, mirrored: bool = False) -> NDArray[np.float64]:
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
    answers = ask(models, labels, rows)
    expected = np.array([[by_hand(model, files[row]) for row in rows] for model in models])
    assert np.allclose(answers, expected, atol=1e-5)


def classifiers(models: list[nn.Module]) -> list[Classifier]:
    return [
        classifier(model, runtime="torch", precision="float32", device=CPU, size=(32, 32)) for model in models
    ]


def test_hflip_is_the_mean_of_the_photo_and_its_mirror_image(
    models: list[nn.Module], labels: Manifest
) -> None:
    group = Speakers(classifiers(models), open_photos(labels, SMALL))
    asking = Asking(CPU, 64, 0, parse_tta("hflip"))
    ((_, (said,)),) = answers([group], np.array([9]), asking)
    for model, found in zip(models, said, strict=True):
        views = [by_hand(model, photo_files(labels)[9], mirrored=mirrored) for mirrored in (False, True)]
        assert not np.allclose(views[0], views[1], atol=1e-4)
        assert np.allclose(found[0], np.mean(views, axis=0), atol=1e-5)


@pytest.mark.parametrize("blend", ["geometric", "logit"])
def test_other_averages_take_the_views_as_they_take_models(
    models: list[nn.Module], labels: Manifest, blend: str
) -> None:
    group = Speakers(classifiers(models[:1]), open_photos(labels, SMALL))
    ((_, (said,)),) = answers([group], np.array([9]), Asking(CPU, 64, 0, parse_tta("hflip"), blend))
    views = [
        by_hand(models[0], photo_files(labels)[9], mirrored=mirrored)[None] for mirrored in (False, True)
    ]
    assert np.allclose(from_average(said[0], blend), average(views, blend), atol=1e-5)


def test_groups_of_other_sizes_are_asked_about_the_same_photos(
    models: list[nn.Module], labels: Manifest
) -> None:
    other = replace(SMALL, height=48, width=40)
    wider = [
        classifier(model, runtime="torch", precision="float32", device=CPU, size=(48, 40)) for model in models
    ]
    groups = [
        Speakers(classifiers(models), open_photos(labels, SMALL)),
        Speakers(wider, open_photos(labels, other)),
    ]
    rows = np.array([4, 9, 2])
    for index, group in enumerate(groups):
        alone = np.concatenate([said[0] for _, said in answers([group], rows, Asking(CPU, 2, 0))], axis=1)
        both = np.concatenate([said[index] for _, said in answers(groups, rows, Asking(CPU, 2, 2))], axis=1)
        assert both.shape == (2, 3, 18)
        assert np.array_equal(alone, both)


def test_only_some_batches_are_asked_about_and_are_what_they_are_among_all(
    models: list[nn.Module], labels: Manifest
) -> None:
    group, rows = Speakers(classifiers(models), open_photos(labels, SMALL)), np.arange(20)
    asking = Asking(CPU, 7, 0)
    every = {part.start: said[0] for part, said in answers([group], rows, asking)}
    some = dict(answers_of(answers([group], rows, asking, parts=even_parts(20, 7)[1:])))
    assert list(every) == [0, 6, 13]
    assert list(some) == [6, 13]
    assert all(np.array_equal(some[start], every[start]) for start in some)


def answers_of(found: Iterator[tuple[slice, list[Answers]]]) -> Iterator[tuple[int, Answers]]:
    return ((part.start, said[0]) for part, said in found)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_answers_for_every_row_whatever_the_batch_size(
    models: list[nn.Module], labels: Manifest, batch_size: int
) -> None:
    rows = list(range(0, 50, 2))  # 25: neither 7 nor 64 divides it
    answers = ask(models[:1], labels, rows, batch_size=batch_size)[0]
    alone = np.stack([ask(models[:1], labels, [row])[0, 0] for row in rows])
    assert np.allclose(answers, alone, atol=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_no_rows_are_no_answers(models: list[nn.Module], labels: Manifest, workers: int) -> None:
    assert ask(models, labels, [], workers=workers).shape == (2, 0, 18)


def test_a_model_left_in_training_mode_answers_as_in_evaluation(
    models: list[nn.Module], labels: Manifest
) -> None:
    before = ask(models, labels, [1, 2])
    models[0].train()
    assert np.array_equal(ask(models, labels, [1, 2]), before)
