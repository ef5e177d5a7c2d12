"""Add photos without labels to a manifest, with the labels that models are sure of, to be trained on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import NO_FOLD, check
from maskkit.artifacts.columns import Bools, Ints
from maskkit.artifacts.files import encoding_given
from maskkit.artifacts.header import Record, merged
from maskkit.artifacts.manifest import NEVER_HELD_OUT, NOT_IN_SPLIT, Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.imaging.cropping import same_boxes
from maskkit.imaging.roots import photo_folder
from maskkit.options.train_options import Targets
from maskkit.options.values import parse_pseudo_weight
from maskkit.pseudo_labelling.added_rows import grown, origins, paths_under
from maskkit.pseudo_labelling.ancestry import ALL_FOLDS, folds_to_train, model_folds
from maskkit.pseudo_labelling.selection import SURE, ClassTally, Selection, answers, tally, weights
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import check_same_classes

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

LOOKED_AT = 5  # photos whose files are looked for


@dataclass(frozen=True)
class Pseudo:
    """The manifest with pseudo-labelled photos, and how many of each class."""

    manifest: Manifest  # with rows of origin `pseudo`
    tallies: tuple[ClassTally, ...]  # per class
    folds: tuple[int, ...] | None  # which may train on them; None for all


def pseudo(
    manifest: Manifest,
    predictions: Predictions,
    photos: Manifest | None = None,
    *,
    which: Selection = SURE,
    targets: Targets = "hard",
    weight: str = "1",
    allow_leak: bool = False,
) -> Pseudo:
    """Add rows for confident photos: `target` is what the models answer, `label` stays unknown.

    The rows are never held out, so no score is of them. `for_fold` names the fold that may train on them,
    because its model alone has not seen the people whom it holds out; it is null if no model behind them
    has seen anyone of any fold.

    The predictions are of photos without labels, whose manifest is `photos`; None if they are in `manifest`
    itself. With `soft` targets, the probabilities are kept as `target_probs`, too. The weight is a number,
    `confidence`, or `confidence:0.5`.

    Raises:
        MaskkitError: Classes or photos do not fit, or no photo is confident enough.
        RefusedError: No fold may train on them without its score being of labels that were known, unless
            `allow_leak`.
    """
    manifest.need("fold", "label", "target", "weight")
    rule, home = parse_pseudo_weight(weight), manifest if photos is None else photos
    check_same_classes(predictions, manifest.space, of=manifest.name)
    judged = Judged.of(home, [predictions], "all", option="--unlabeled MANIFEST")
    rows, probs = judged.rows, judged.need_probs("they show which answers are sure")
    same_boxes(home, manifest)
    for_fold = folds_to_train(manifest, predictions, allow_leak=allow_leak)  # (predictions,)
    paths = paths_under(manifest, home).take(pa.array(rows))
    usable = np.flatnonzero(_is_usable(manifest, paths, home.table["person_id"].take(pa.array(rows))))

    answer, confidence = answers(probs[usable], name=predictions.name)
    labelled = _labelled(manifest, for_fold)
    is_chosen = which.of(confidence, answer, space=manifest.space, labels=labelled)
    weighed, added = weights(confidence, rule), usable[is_chosen]

    columns = _columns(answer[is_chosen], weighed[is_chosen], for_fold[added])
    if targets == "soft":
        flat = pa.array(np.ascontiguousarray(probs[added], np.float32).ravel())
        columns["target_probs"] = pa.FixedSizeListArray.from_arrays(flat, probs.shape[1])
    growing = grown(manifest, home, paths.take(pa.array(added)), rows[added]).set(columns)
    options = {
        "unlabeled": None if photos is None else photos.as_input().name,
        **which.options(),
        "targets": targets,
        "weight": weight,
        "allow_leak": allow_leak,
        **encoding_given(predictions.source),
    }
    found = {"folds": model_folds(predictions), "for_fold": _named(for_fold)}
    inputs = [one.header.input_from(one.as_input()) for one in (manifest, predictions)]
    if photos is not None:
        inputs.append(replace(photos.header.input_from(photos.as_input()), option="unlabeled"))
    record = Record("pseudo", options, tuple(inputs), found=found)
    # With the history of all that was read, so that it can be made again.
    read = [item.header.history for item in (photos, predictions, manifest) if item is not None]
    header = replace(manifest.header, history=(*merged(read), record))
    result = Manifest(growing.table, header, photos=manifest.photos)
    check(result.table, result.header, name="the result")
    photo_folder(result.select(growing.rows[:LOOKED_AT]))  # a wrong root is better found now than in training
    tallies = tuple(
        tally(name, int(count), *(values[answer == place] for values in (confidence, is_chosen, weighed)))
        for place, (name, count) in enumerate(zip(manifest.space.names, labelled, strict=True))
    )
    return Pseudo(result, tallies, _named(for_fold))


def _is_usable(manifest: Manifest, paths: pa.ChunkedArray, people: pa.ChunkedArray) -> Bools:
    """Whether a photo may be added, (rows,): it has no label, and nobody on it is ever held out."""
    place = pc.fill_null(pc.index_in(paths, value_set=manifest.table["path"]), -1).to_numpy()
    has_target = (manifest.integers("target") >= 0) | (manifest.table["weight"].to_numpy() == 0)
    is_done = np.append(has_target, False)[place]  # the last answers for -1, which is a new photo
    is_held_out = manifest.folds >= 0
    held_out = pc.drop_null(pc.unique(manifest.table["person_id"].filter(pa.array(is_held_out))))
    is_taken = pc.is_in(people, value_set=held_out).to_numpy() | np.append(is_held_out, False)[place]
    is_taken &= ~is_done
    if is_done.any():
        log.info("%d photos are left out: %s has a label of them already", is_done.sum(), manifest.name)
    if is_taken.any():
        log.info("%d photos are left out: they show people whom a fold holds out", is_taken.sum())
    return np.asarray(~is_done & ~is_taken, np.bool_)


def _labelled(manifest: Manifest, for_fold: Ints) -> Ints:
    """Count the labels of each class that the fold trains on, (classes,); what it holds out is not known."""
    folds = _named(for_fold)
    counted = (manifest.integers("target") >= 0) & (manifest.table["weight"].to_numpy() > 0)
    counted &= manifest.folds != NOT_IN_SPLIT
    if folds is not None and len(folds) == 1 and folds[0] != NO_FOLD:
        counted &= manifest.folds != folds[0]
    counted &= pc.not_equal(manifest.table["origin"].cast(pa.string()), "pseudo").to_numpy()
    return np.bincount(manifest.integers("target")[counted], minlength=len(manifest.space)).astype(np.int64)


def _named(for_fold: Ints) -> tuple[int, ...] | None:
    """Return the folds named, each once; None if all may train."""
    folds = np.unique(for_fold)
    return None if (folds == ALL_FOLDS).all() else tuple(folds.tolist())


def _columns(answer: Ints, weight: Floats, for_fold: Ints) -> dict[str, pa.Array]:
    rows = len(answer)
    return {
        "target": pa.array(answer.astype(np.int16)),
        "weight": pa.array(weight),
        "origin": origins("pseudo", rows),
        "fold": pa.array(np.full(rows, NEVER_HELD_OUT, np.int16)),
        "for_fold": pa.array(for_fold.astype(np.int16), mask=for_fold == ALL_FOLDS),
    }
