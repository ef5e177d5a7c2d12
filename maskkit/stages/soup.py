"""Average the weights of several models into one, of those that make it no worse on people held out.

Wortsman et al. 2022, "Model soups", recipe 1, https://arxiv.org/abs/2203.05482.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maskkit import stopping
from maskkit.artifacts.checkpoint import Checkpoint, CheckpointFacts, Ingredient
from maskkit.artifacts.header import Header, Record, merged, same_space
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.seen import Seen
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.imaging.cropping import same_faces
from maskkit.imaging.dataset import even_parts
from maskkit.imaging.kept_photos import open_photos
from maskkit.imaging.photos import Photos
from maskkit.imaging.roots import photo_folder
from maskkit.labels import LabelSpace
from maskkit.modeling.backbone import restore
from maskkit.modeling.device import autocast, prepare, recorded_threads, resolve_device
from maskkit.modeling.mean_weights import check_alike, has_batch_norm, mean_weights
from maskkit.modeling.runtimes import classifier, predicting_precision
from maskkit.options.train_options import Device, Inference, Precision
from maskkit.predicting.eligibility import own_rows, seen_rows
from maskkit.predicting.inference import probabilities
from maskkit.training.average import measure_batch_norm
from maskkit.training.epochs import held_out_scores

log = logging.getLogger(__name__)

MEASURED = 512  # photos, at most, on which the batch norms of an average are measured
State = dict[str, Tensor]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Soup:
    """A model whose weights are the mean of those of several."""

    weights: State
    header: Header
    ingredients: tuple[Ingredient, ...]  # in the order in which they were tried


def soup(
    models: Sequence[Checkpoint],
    *,
    on: Manifest | None = None,
    uniform: bool = False,
    inference: Inference | None = None,
) -> Soup:
    """Average models greedily: from the best on, each stays if the score of the average does not fall.

    Scored is macro-F1 on all labelled photos of people whom none of the models has seen, as by training: of
    models of one fold, the fold that they held out. The score that is recorded was chosen by, as that of a
    best epoch. Averaged weights make other features than those whose statistics batch norms have, and their
    mean is not right either (Izmailov et al. 2018, section 3.2, https://arxiv.org/abs/1803.05407): they are
    measured anew, on up to 512 photos of people whom all of the models were trained on.

    Args:
        models: Of the same network, trained on the same manifest.
        on: The photos to choose on; needed unless `uniform`.
        uniform: Average all, without choosing. If `on` is None, statistics are averaged too.
        inference: Device, batch size and workers.

    Raises:
        MaskkitError: The models are none of which a mean makes sense, or photos are not found.
        RefusedError: There is nobody to choose on whom none of the models has seen.
    """
    _refuse(models, chooses=not uniform, has_photos=on is not None)
    how = inference or Inference()
    how = replace(how, device=cast(Device, resolve_device(how.device).type))
    averages = Averages.of(models, on, how, chooses=not uniform)
    work_begins()
    if uniform:
        average = averages.of_all(models)
        ingredients = [Ingredient(one.name, one.source.sha256, is_in=True) for one in models]
    else:
        average, ingredients = _greedy(models, averages)
    header = _header(models, on, how, average, ingredients, uniform=uniform)
    return Soup(average.state, header, tuple(ingredients))


@dataclass(frozen=True)
class Average:
    """The mean of the weights of some models, and how it scored, if there is anybody to score it on."""

    state: State
    scores: Mapping[str, float]  # `macro_f1`, `accuracy`, `loss` and more; empty if it is not scored

    @property
    def macro_f1(self) -> float:
        """Its macro-F1."""
        return self.scores["macro_f1"]


@dataclass(frozen=True)
class Averages:
    """What makes averages of the same models, and scores them."""

    space: LabelSpace
    model: nn.Module  # which takes their weights in turn
    precision: str  # in which it computes
    how: Inference
    photos: Photos | None  # None if there are none, so that nothing is measured
    truth: Rows  # the class of each photo, (rows,)
    unseen: Rows  # labelled photos of people whom none of the models has seen
    learnt: Rows  # some of the photos of people whom all of them were trained on

    @classmethod
    def of(
        cls, models: Sequence[Checkpoint], on: Manifest | None, how: Inference, *, chooses: bool
    ) -> Averages:
        """Prepare to average, and to choose if that is wanted.

        Raises:
            MaskkitError: Photos are not found or do not fit the models.
            RefusedError: There is nobody to choose on.
        """
        precisions = {one.precision for one in models}
        trained: Precision = precisions.pop() if len(precisions) == 1 else "float32"
        precision = predicting_precision("auto", trained, torch.device(how.device))
        none = np.empty(0, np.int64)
        if on is None:
            return cls(models[0].space, restore(models[0]), precision, how, None, none, none, none)
        same_space(on.space, models[0].space, names=(on.name, models[0].name))
        same_faces(on, models[0])
        on.need("label")
        photo_folder(on)
        seen = seen_rows(on, models)  # (models, rows)
        unseen = np.flatnonzero(own_rows(on, models, seen).all(0) & (on.labels >= 0))
        if chooses and not len(unseen):
            raise _nobody_left(models, on)
        learnt = np.random.default_rng(0).permutation(np.flatnonzero(seen.all(0)))[:MEASURED]
        model = restore(models[0])
        learnt = learnt if has_batch_norm(model) else none
        rows = np.concatenate([unseen, learnt])
        photos = open_photos(on.select(rows), models[0].preprocess)
        places = np.arange(len(rows))
        return cls(
            on.space,
            model,
            precision,
            how,
            photos,
            on.labels[rows],
            unseen=places[: len(unseen)],
            learnt=places[len(unseen) :],
        )

    def of_all(self, models: Sequence[Checkpoint]) -> Average:
        """Return the average of these models; one alone is what it is."""
        state = mean_weights(models)
        self.model.load_state_dict(state)
        device = torch.device(self.how.device)
        if len(models) > 1 and len(self.learnt):
            model = prepare(self.model, self.precision, device)
            with autocast(device, self.precision):
                measure_batch_norm(model, self._images(device))
            state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        elif len(models) > 1 and has_batch_norm(self.model):
            log.warning(
                "the statistics of batch norm are averaged like weights, which is not what the average "
                "computes: give --on the manifest of the training, to measure them"
            )
        return Average(state, self._scores(device) if len(self.unseen) else {})

    def _images(self, device: torch.device) -> Iterator[Tensor]:
        assert self.photos is not None
        for part in even_parts(len(self.learnt), self.how.batch_size):
            stopping.check()
            yield self.photos.prepare(torch.from_numpy(self.photos.take(self.learnt[part])), device)

    def _scores(self, device: torch.device) -> dict[str, float]:
        assert self.photos is not None
        size = self.photos.size
        model = classifier(self.model, runtime="torch", precision=self.precision, device=device, size=size)
        probs = probabilities(model, self.photos, self.unseen, self.how, classes=len(self.space))
        loss, scores = held_out_scores(self.truth[self.unseen], probs, self.space)
        return {**scores, "loss": loss}


def _greedy(models: Sequence[Checkpoint], averages: Averages) -> tuple[Average, list[Ingredient]]:
    """Add the models in the order of their own scores, each that does not lower that of the average."""
    alone = [averages.of_all([one]) for one in models]
    scores = [one.macro_f1 for one in alone]
    order = sorted(range(len(models)), key=lambda place: -scores[place])  # of equals, as given
    chosen, average = [models[order[0]]], alone[order[0]]
    ingredients = [_ingredient(models[order[0]], scores[order[0]], scores[order[0]], is_in=True)]
    for place in order[1:]:
        more = averages.of_all([*chosen, models[place]])
        is_in = more.macro_f1 >= average.macro_f1
        ingredients.append(_ingredient(models[place], scores[place], more.macro_f1, is_in=is_in))
        if is_in:
            chosen, average = [*chosen, models[place]], more
    return average, ingredients


def _ingredient(model: Checkpoint, alone: float, together: float, *, is_in: bool) -> Ingredient:
    return Ingredient(model.name, model.source.sha256, is_in, alone, together)


def _refuse(models: Sequence[Checkpoint], *, chooses: bool, has_photos: bool) -> None:
    """Raise a MaskkitError of models that cannot be averaged, whatever they score."""
    if chooses and not has_photos:
        raise MaskkitError(
            "there are no photos to choose on",
            why="each model stays if the average with it scores no less on people whom none has seen",
            fix="give the manifest of the training by --on, or average all by --uniform",
        )
    digests = [one.source.sha256 for one in models]
    if len(set(digests)) < max(2, len(digests)):
        raise MaskkitError(
            f"{examples(one.name for one in models)} "
            + ("is one model" if len(models) == 1 else "have the same content twice"),
            why="an average is of two models or more, each once",
            fix="give the checkpoints of several trainings, such as several seeds of one fold",
        )
    check_alike(models)
    salts = {one.seen.salt for one in models}
    if len(salts) > 1:
        raise MaskkitError(
            f"{examples(one.name for one in models)} were trained on different manifests",
            why="each keeps digests of the people it has seen that only its own manifest explains, so that "
            "the average could not say whom it has seen",
            fix="train them on the same manifest, or average their predictions: maskkit ensemble",
        )
    starts = {_start_of(one) for one in models}
    if len(starts) > 1:
        log.warning(
            "these trainings started from different weights, or from random ones: an average of such models "
            "is hardly ever a good one"
        )


def _start_of(model: Checkpoint) -> tuple[object, ...]:
    """Return what tells the weights that a training started from."""
    record = next((one for one in reversed(model.header.history) if one.stage == "train"), None)
    if record is None:
        return ()
    files = [item.sha256 for item in record.inputs if item.option == "weights"]
    word = record.options.get("weights")
    return (
        (*files,) if files else (word,) if word not in (None, "none") else (word, record.options.get("seed"))
    )


def _nobody_left(models: Sequence[Checkpoint], on: Manifest | None) -> RefusedError:
    folds = sorted({"none" if one.fold is None else str(one.fold) for one in models})
    return RefusedError(
        f"the models have seen everybody of {'' if on is None else on.name} between them: they held out the "
        f"folds {examples(folds)}",
        why="an average knows whomever one of its models knows, and a choice on them would choose what "
        "remembers best",
        fix="give models of one fold, such as several seeds; or photos of other people by --on; or average "
        "without choosing by --uniform",
    )


def _header(
    models: Sequence[Checkpoint],
    on: Manifest | None,
    how: Inference,
    average: Average,
    ingredients: Sequence[Ingredient],
    *,
    uniform: bool,
) -> Header:
    inputs = [one.header.input_from(one.source) for one in models]
    options: dict[str, object] = {"uniform": uniform}
    if on is not None:
        inputs.append(replace(on.header.input_from(on.as_input()), option="on"))
        options |= {"on": inputs[-1].path, "root": on.photos.root, "batch_size": how.batch_size}
    record = Record("soup", options, tuple(inputs), found={} if on is None else recorded_threads(how.device))
    folds = {one.fold for one in models}
    first = models[0]
    precisions = {one.precision for one in models}
    fold = folds.pop() if len(folds) == 1 else None
    facts = CheckpointFacts(
        model=first.model,
        pool=first.pool,
        model_settings=first.model_settings,
        heads=list(first.heads),
        preprocess=first.preprocess,
        precision=first.precision if len(precisions) == 1 else "float32",
        fold=fold,
        epoch=0,
        scores={} if fold is None else average.scores,
        seen=Seen.union([one.seen for one in models]),
        soup=ingredients,
    )
    histories = [*(one.header.history for one in models), () if on is None else on.header.history]
    return Header("checkpoint", first.space, (*merged(histories), record), facts.to_json())
