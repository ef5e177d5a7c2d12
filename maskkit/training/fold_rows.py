"""Which rows of a manifest a fold trains on and which it is scored on, and what may come beside them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from maskkit.artifacts.checks import NO_FOLD
from maskkit.artifacts.header import Record, merged, same_space
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.cache.digests import content_digests
from maskkit.dry_run import counted_as_check
from maskkit.errors import MaskkitError, RefusedError, examples, reason
from maskkit.imaging.cropping import same_boxes
from maskkit.imaging.photo_file import read_photo
from maskkit.imaging.roots import chosen_root, photo_files, recorded_root
from maskkit.options.train_options import TrainOptions, parse_teacher
from maskkit.scoring.panel import are_seen
from maskkit.storage.address import Address

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldRows:
    """A manifest with labels, and which of its rows are for what."""

    manifest: Manifest
    fold: int | None  # that is held out; None if all are trained on
    training: NDArray[np.int64]  # indices of the rows trained on
    held_out: NDArray[np.int64]  # and of those scored on, never trained on; none if no fold is held out
    unlabeled: Manifest | None = None  # more photos, to learn from without labels
    allow_leak: bool = False  # whether people may be on both sides
    teacher: Predictions | None = None  # of the rows trained on, to learn from beside the labels

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        fold: int | None,
        *,
        unlabeled: Manifest | None = None,
        teacher: Predictions | None = None,
        allow_leak: bool = False,
    ) -> FoldRows:
        """Choose the rows to train on when one fold is held out, and that fold's; None holds nobody out.

        A pseudo label whose `for_fold` is another fold is left out, unless leaks are allowed: the models
        behind it were trained on people whom this fold holds out. Where nobody is held out, all are for it.

        Raises:
            MaskkitError: There is no such fold, nothing to train on or to score, or the unlabelled photos
                are of other classes, none, or their faces were found otherwise.
            RefusedError: People are on both sides, or all pseudo labels are for other folds, or people or
                photos that are held out are among the unlabelled, or known to the teacher's models.
        """
        manifest.need("fold", "label", "target", "weight")
        folds = manifest.fold_numbers
        if fold is not None and fold not in folds:
            raise MaskkitError(
                f"there is no fold {fold}",
                why=f"{manifest.name} has the folds {examples(folds, most=20)}",
                fix="use one of them, --fold all for each in turn, or --fold none for a model of everybody",
            )
        refuse_foreign(manifest, [] if fold is None else [fold], allow_leak=allow_leak)
        usable = _usable(manifest)
        foreign = usable & _is_foreign(manifest, fold)
        if foreign.any() and not allow_leak:
            log.info("%d pseudo labels are left out: other folds' models made them", foreign.sum())
            usable &= ~foreign
        is_held_out = np.zeros(len(manifest), np.bool_) if fold is None else manifest.folds == fold
        training = np.flatnonzero(usable & ~is_held_out)
        held_out = np.flatnonzero((manifest.labels >= 0) & is_held_out)
        rows = cls(manifest, fold, training, held_out, unlabeled, allow_leak, teacher)
        rows._refuse_empty()
        if foreign.any() and allow_leak:
            log.warning(
                "%d pseudo labels come from models that were trained on people of fold %d; the held-out "
                "score is inflated",
                *(foreign.sum(), fold),
            )
        rows._refuse_leak()
        rows._refuse_teacher()
        if unlabeled is not None:
            rows._check_unlabeled(unlabeled)
            rows._refuse_unlabeled(unlabeled)
        return rows

    @property
    def options(self) -> dict[str, object]:
        """What a record says of where photos are and of leaks."""
        return {"root": self.manifest.photos.root, "allow_leak": self.allow_leak}

    @property
    def history(self) -> tuple[Record, ...]:
        """Every stage run that led to what is trained on, that of unlabelled photos first."""
        beside = [one.header.history for one in (self.unlabeled, self.teacher) if one is not None]
        return merged([*beside, self.manifest.header.history])

    def _known_to_teacher(self) -> str:
        """Say how the teacher knows people who are held out, or may; empty if it does not.

        Out-of-fold predictions come from models that know all folds but the photo's own, and a CSV from who
        knows whom: neither records people.
        """
        if self.teacher is None or self.fold is None:
            return ""
        people = self.manifest.people
        held_out = [people.names[code] for code in np.unique(people.codes[self.held_out])]
        known = are_seen(held_out, self.teacher)
        if known is None:
            return f"it is not known whom the models behind {self.teacher.name} were trained on"
        models = f"the models behind {self.teacher.name} were trained on"
        return f"{models} {known.sum()} people whom fold {self.fold} holds out" if known.any() else ""

    def people_seen(self) -> Seen:
        """Return digests of the people whose labels are learnt from, salted by the manifest.

        A photo with a pseudo label, or without any, adds nobody: its truth is not used, so models that
        learnt from it may still predict it. But a pseudo label, or a teacher's answer, that came, on demand,
        from models which know the people held out passes their labels on, and so these people have been seen.
        """
        people, training = self.manifest.people, self.training
        learnt = people.codes[training[~_is_pseudo(self.manifest)[training]]]
        if self._known_to_teacher() or _is_foreign(self.manifest, self.fold)[training].any():
            learnt = np.concatenate([learnt, people.codes[self.held_out]])
        return Seen.of(
            [people.names[code] for code in np.unique(learnt)], salt=self.manifest.as_input().sha256
        )

    def _refuse_empty(self) -> None:
        trained, scored = len(self.training), len(self.held_out)
        if not trained or (self.fold is not None and not scored):
            of_fold = f"fold {self.fold} has {trained} photos to train on and {scored} labelled ones held out"
            raise MaskkitError(
                f"{self.manifest.name} has no photo to train on" if self.fold is None else of_fold,
                why="no row has a class, a weight above 0 and a fold"
                if self.fold is None
                else "both are needed",
                fix="look at the folds with `maskkit show`, and split again",
            )

    def _refuse_leak(self) -> None:
        people = self.manifest.people
        both = np.intersect1d(people.codes[self.training], people.codes[self.held_out])
        if len(both):
            self._refuse(
                f"{len(both)} people are on both sides of fold {self.fold}: "
                + examples(people.names[code] for code in both),
                why="the score would measure how well the model remembers faces",
                fix="split with --by person",
            )

    def _check_unlabeled(self, unlabeled: Manifest) -> None:
        """Raise unless the photos fit."""
        manifest = self.manifest
        same_space(manifest.space, unlabeled.space, names=(manifest.name, unlabeled.name))
        if not len(unlabeled):
            raise MaskkitError(
                f"{unlabeled.name} has no photos",
                why="they are to be learnt from",
                fix="give another --unlabeled",
            )
        same_boxes(unlabeled, manifest)

    def _refuse_unlabeled(self, unlabeled: Manifest) -> None:
        """Raise if the photos show people who are held out."""
        if not len(self.held_out):
            return  # there is nobody to look for among photos that would all have to be read
        manifest = self.manifest
        codes = manifest.known_people[self.held_out]
        names = {manifest.people.names[code] for code in np.unique(codes[codes >= 0])}
        groups = unlabeled.people
        is_held_out = np.array([name in names for name in groups.names], np.bool_)
        same_person = is_held_out[groups.codes] & (unlabeled.known_people >= 0)  # (photos,)
        files = photo_files(manifest)
        same_photo = _of_content(unlabeled, [files[row] for row in self.held_out])
        leaked = np.flatnonzero(same_person | same_photo)
        if len(leaked):
            self._refuse(
                f"{len(leaked)} photos of {unlabeled.name} are of people whom fold {self.fold} holds out, or "
                f"held out themselves: {examples(unlabeled.paths[row] for row in leaked)}",
                why="the fold's score would be of photos that were trained on, though without their labels",
                fix="give --unlabeled a manifest of other people",
            )

    def _refuse_teacher(self) -> None:
        """Raise if a teacher passes on what it knows of people held out, with its answers about others."""
        if leak := self._known_to_teacher():
            self._refuse(
                leak,
                why=f"what they know of the people of fold {self.fold} would reach its model by way of their "
                "answers about others, as with out-of-fold predictions, and its score would be of that",
                fix=f"let models that held fold {self.fold} out answer for the photos they were trained on: "
                f"maskkit predict MANIFEST fold{self.fold}*.safetensors --allow-leak; or use --fold none, "
                "for which out-of-fold predictions are right",
            )

    def _refuse(self, leak: str, *, why: str, fix: str) -> None:
        if not self.allow_leak:
            fix = f"{fix}, or use --allow-leak to see by how much the score is inflated"
            raise RefusedError(leak, why=why, fix=fix)
        log.warning("%s; the held-out score is inflated", leak)


def rows_of_folds(
    manifest: Manifest, folds: Sequence[int | None], options: TrainOptions, *, allow_leak: bool = False
) -> list[FoldRows]:
    """Choose the rows of each training that holds one of these folds out, with what is learnt from beside.

    Raises:
        MaskkitError: Of any of them, as `FoldRows.of`: better before the hours of the first.
    """
    refuse_foreign(manifest, [one for one in folds if one is not None], allow_leak=allow_leak)
    more, teacher = read_unlabeled(options.unlabeled, manifest), read_teacher(options.teacher)
    return [
        FoldRows.of(manifest, one, unlabeled=more, teacher=teacher, allow_leak=allow_leak) for one in folds
    ]


def refuse_foreign(manifest: Manifest, folds: Iterable[int], *, allow_leak: bool = False) -> None:
    """Raise a RefusedError if there are pseudo labels, and one of these folds may train on none of them."""
    if not manifest.has("for_fold") or allow_leak:
        return
    pseudo = _usable(manifest) & _is_pseudo(manifest)
    barred = [fold for fold in folds if pseudo.any() and _is_foreign(manifest, fold)[pseudo].all()]
    if not barred:
        return
    made_for = np.unique(manifest.integers("for_fold")[pseudo])
    alone = made_for[made_for != NO_FOLD]
    names = examples(alone, most=20)
    whose = f"for fold {names}" if len(alone) else "for no fold"
    raise RefusedError(
        f"the {pseudo.sum()} pseudo labels of {manifest.name} are {whose}, not for fold "
        + examples(barred, most=20),
        why="models that were trained on people whom this fold holds out made them, so its score would be "
        "of labels that were known",
        fix=(f"use --fold {names}; " if len(alone) else "")
        + f"for fold {barred[0]}, let its own model alone make them: maskkit predict PHOTOS "
        f"fold{barred[0]}.safetensors, then maskkit pseudo; or use --allow-leak",
    )


def read_unlabeled(name: str | None, manifest: Manifest) -> Manifest | None:
    """Read the manifest of `--unlabeled`, whose decoded photos are kept where those of `manifest` are.

    If somebody gave an address as the root of those, the others may be elsewhere in its bucket.
    """
    if name is None:
        return None
    unlabeled, given = Manifest.read(name), chosen_root(manifest)
    root = unlabeled.root
    if not (isinstance(root, Address) and isinstance(given, Address) and root.is_in_bucket_of(given)):
        root = recorded_root(unlabeled)
    return unlabeled.located(root=str(root), cache=manifest.photos.cache)


def read_teacher(text: str | None) -> Predictions | None:
    """Read the predictions of `--teacher`."""
    return None if text is None else Predictions.read(parse_teacher(text).name)


def _usable(manifest: Manifest) -> NDArray[np.bool_]:
    """Whether a row is for training at all, (rows,)."""
    usable = (manifest.integers("target") >= 0) & (manifest.table["weight"].to_numpy() > 0)
    return np.asarray(usable & (manifest.folds != NOT_IN_SPLIT), np.bool_)


def _is_pseudo(manifest: Manifest) -> NDArray[np.bool_]:
    origin = manifest.table["origin"].cast(pa.string())
    return np.asarray(pc.equal(origin, "pseudo").to_numpy(), np.bool_)


def _is_foreign(manifest: Manifest, fold: int | None) -> NDArray[np.bool_]:
    """Whether a row's label may come from people of this fold by way of other models, (rows,)."""
    if fold is None or not manifest.has("for_fold"):
        return np.zeros(len(manifest), np.bool_)
    return np.asarray(manifest.integers("for_fold", null=fold) != fold, np.bool_)


def _of_content(unlabeled: Manifest, others: list[Path]) -> NDArray[np.bool_]:
    """Return which photos hold the same as one of the others, (photos,)."""
    files, cache = photo_files(unlabeled), unlabeled.photos.cache
    memory = None if cache is None else cache.folder
    try:
        with counted_as_check():
            digests, known = (content_digests(each, memory, read=read_photo) for each in (files, others))
    except OSError as error:
        raise MaskkitError(
            f"cannot read {error.filename}",
            why=reason(error),
            fix="make the manifest anew from the photos that are there",
        ) from error
    held_out = {digest.tobytes() for digest in known}
    return np.array([digest.tobytes() in held_out for digest in digests], np.bool_)
