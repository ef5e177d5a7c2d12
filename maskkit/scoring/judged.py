"""Predictions beside the photos of a manifest: the one place where the two meet.

Which row is of which photo, whether the classes are the same and in the same order, whether photos are
missing or foreign, and whether a model has seen the people it is judged on: all of that is found out here,
so that what one command refuses all refuse. A test over the source keeps it so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.id_matching import places_of
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.scoring.metrics import Integers, Probabilities
from maskkit.scoring.panel import Panel, are_seen, check_same_classes

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.labels import LabelSpace

log = logging.getLogger(__name__)

Rows = NDArray[np.int64]
Photos = Literal["whole folds", "common", "same", "labelled", "any", "all"]


@dataclass(frozen=True)
class Judged:
    """Photos of a manifest, and one or more predictions of each of them."""

    manifest: Manifest  # names the photos, their people and, where it is known, their class
    given: tuple[Predictions, ...]  # the predictions, P of them
    found: Rows  # which row of each of them is of each photo of the manifest, (P, rows); -1 if none is
    rows: Rows  # of the photos in the manifest, (N,)

    @classmethod
    def of(
        cls, manifest: Manifest, given: Sequence[Predictions], photos: Photos, *, option: str = "MANIFEST"
    ) -> Judged:
        """Match predictions with photos by path; `option` names the manifest in error texts.

        Which photos are judged:
            `whole folds`: labelled ones; each fold is predicted as a whole or not at all.
            `same`: labelled ones, the same in all predictions.
            `common`: labelled ones that are in all predictions; `left_out` names the others.
            `labelled`: labelled ones that are in all predictions, whatever else there is.
            `any`: all that are in all predictions, whatever else there is.
            `all`: all that are predicted, in the order of the first of the predictions.

        Raises:
            MaskkitError: Classes are others, photos are missing or foreign, or none is left.
        """
        if photos in ("whole folds", "same", "common"):
            manifest.need("label")
        for one in given:
            check_same_classes(one, manifest.space, of=manifest.name)
        found = np.stack([_places(manifest, one) for one in given])  # (P, rows)
        is_judged = (found >= 0).all(axis=0)
        if photos not in ("any", "all"):
            is_judged &= manifest.labels >= 0
        judged = cls(manifest, tuple(given), found, np.flatnonzero(is_judged))
        if photos != "common":
            judged._note_foreign(option, refused=photos in ("whole folds", "same", "all"))
        if not len(judged.rows):
            raise MaskkitError(
                f"{examples(judged.names)} {'has' if len(given) == 1 else 'have'} no labelled photo of "
                f"{manifest.name}{' in common' if len(given) > 1 else ''}",
                why="predictions and truth are matched by path",
                fix=f"give the manifest of these photos, with their truth: {option}",
            )
        if photos == "whole folds":
            judged._refuse_halves()
        if photos == "same":
            judged._refuse_differing()
            judged._warn_of_unknown()
        return judged.take(np.argsort(judged.place[0])) if photos == "all" else judged

    @property
    def space(self) -> LabelSpace:
        """The label space of all."""
        return self.manifest.space

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the predictions."""
        return tuple(one.name for one in self.given)

    @cached_property
    def place(self) -> list[Rows]:
        """Where the photos are in each of the predictions, (N,) each."""
        return list(self.found[:, self.rows])

    @property
    def foreign(self) -> list[int]:
        """Photos of each of the predictions that the manifest does not have."""
        return [len(one) - int((at >= 0).sum()) for one, at in zip(self.given, self.found, strict=True)]

    @cached_property
    def truth(self) -> Rows:
        """Class of each photo, (N,); -1 where unknown."""
        return self.manifest.labels[self.rows]

    @cached_property
    def person(self) -> Rows:
        """A code per person, (N,); negative where unknown."""
        return self.manifest.known_people[self.rows]

    @cached_property
    def fold(self) -> Rows | None:
        """The fold that holds each photo out by the manifest, (N,), negative where none; None if none is."""
        fold = self.manifest.folds[self.rows] if self.manifest.has("fold") else None
        return fold if fold is not None and (fold >= 0).any() else None

    @cached_property
    def panel(self) -> Panel:
        """What each of the predictions has for the photos."""
        return Panel.of(self.given, self.place, classes=len(self.space))

    @property
    def answer(self) -> Integers:
        """The class that the first of the predictions gives each photo, (N,)."""
        return self.panel.answers[0]

    @property
    def probs(self) -> Probabilities | None:
        """Its probabilities, (N, C); None for answers without them."""
        return None if self.panel.probs is None else self.panel.probs[0]

    def need_probs(self, why: str) -> NDArray[np.float32]:
        """Return its probabilities, (N, C), or raise MaskkitError that says why they are needed."""
        return self.given[0].need_probs(why)[self.place[0]]

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the values that the manifest has in these columns, photo by photo."""
        table = self.manifest.table.select(list(names)).take(pa.array(self.rows))
        return zip(*table.to_pydict().values(), strict=True)

    def take(self, places: NDArray[Any]) -> Judged:
        """Return some of the photos (a mask or indices)."""
        return replace(self, rows=self.rows[places])

    def left_out(self, labels: Sequence[str]) -> Iterator[str]:
        """Say which photos are not in all predictions, each of which has a label for people."""
        missing = ((self.manifest.labels >= 0) & (self.found < 0)).sum(axis=1)  # (P,)
        for label, lacking, foreign in zip(labels, missing.tolist(), self.foreign, strict=True):
            if lacking:
                yield f"{label} has no prediction of {lacking} labelled photos: they are left out for all"
            if foreign:
                yield f"{label} predicts {foreign} photos that {self.manifest.name} does not have"

    def unseen(self, *, allow_leak: bool | None = None) -> Judged:
        """Return it if no model was trained on people whom it predicts here, or raise RefusedError.

        With `allow_leak` it warns instead; None if the command has no such option.
        """
        people = self.manifest.people
        names = people.values.take(pa.array(np.unique(people.codes[self.rows]))).to_pylist()
        for one in self.given:
            known = are_seen(names, one)
            leaked = 0 if known is None else int(known.sum())
            if not leaked and not one.leaked:
                continue
            what = f"{leaked} people" if leaked else f"the people on {one.leaked} photos"
            if not allow_leak:
                raise RefusedError(
                    f"the models behind {one.name} were trained on {what} whom they predict here",
                    why="they remember these faces, and the mistakes in their labels: what is measured here "
                    "does not hold for other people",
                    fix="make the predictions with --oof"
                    + (", or use --allow-leak to go on all the same" if allow_leak is not None else ""),
                )
            log.warning("the models were trained on %s scored here: the scores are inflated", what)
        return self

    def _note_foreign(self, option: str, *, refused: bool) -> None:
        name = self.manifest.name
        for one, at, foreign in zip(self.given, self.found, self.foreign, strict=True):
            if foreign and refused:
                is_foreign = np.ones(len(one), np.bool_)
                is_foreign[at[at >= 0]] = False
                raise MaskkitError(
                    f"{one.name} has {foreign} photos that are not in {name}: "
                    + examples(one.path.filter(pa.array(is_foreign)).to_pylist()),
                    why="nothing is known of these photos",
                    fix=f"give the manifest that was predicted: {option}",
                )
            if foreign:
                log.warning("%d photos of %s are not in %s: they are left out", foreign, one.name, name)

    def _refuse_halves(self) -> None:
        manifest = self.manifest
        part = manifest.folds if manifest.has("fold") else np.zeros(len(manifest), np.int64)
        labelled, is_judged = manifest.labels >= 0, np.zeros(len(manifest), np.bool_)
        is_judged[self.rows] = True
        missing = labelled & ~is_judged
        halved = missing & np.isin(part, np.unique(part[is_judged]))
        if halved.any():
            paths = manifest.table["path"].filter(pa.array(halved)).to_pylist()
            raise MaskkitError(
                f"{len(paths)} labelled photos have no prediction: {examples(paths)}",
                why="a score over part of a fold is a score of other people than it claims",
                fix="predict all photos of the manifest, or all of a fold"
                + (", without --abstain" if any(one.left_out for one in self.given) else ""),
            )
        if missing.any():
            folds = examples(np.unique(part[is_judged]), most=20)
            log.warning(
                "scoring fold %s only: %d of %d labelled photos", folds, is_judged.sum(), labelled.sum()
            )

    def _refuse_differing(self) -> None:
        is_there = (self.found >= 0) & (self.manifest.labels >= 0)
        for one, has in zip(self.given, is_there, strict=True):
            differs = has != is_there[0]
            if differs.any():
                path = self.manifest.table["path"][int(np.flatnonzero(differs)[0])]
                raise MaskkitError(
                    f"{one.name} has other photos than {self.given[0].name}",
                    why=f"{has.sum()} labelled photos against {is_there[0].sum()}, such as {path}",
                    fix="predict the same manifest with every member, by --oof",
                )

    def _warn_of_unknown(self) -> None:
        alone = int((self.person < 0).sum())
        if alone:
            log.warning(
                "%d photos name no person and count as people of their own: photos of one person may be on "
                "both sides of a fold, and intervals are too narrow",
                alone,
            )
        unknown = [one.name for one in self.given if one.header.space is None]
        if unknown:
            log.warning("a CSV does not say whom its model has seen: %s taken on trust", examples(unknown))


def _places(manifest: Manifest, predictions: Predictions) -> Rows:
    """Return which row of the predictions is of each photo of the manifest, (rows,); -1 if none is."""
    paths = manifest.table["path"]
    if paths.equals(predictions.path):
        return np.arange(len(manifest))
    return places_of(paths, predictions.path, names=(manifest.name, predictions.name))
