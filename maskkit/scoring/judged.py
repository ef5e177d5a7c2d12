"""Predictions beside the photos of a manifest: the one place where the two meet.

Which row is of which photo, whether the classes are the same and in the same order, whether photos are
missing or foreign, and whether a model has seen the people it is judged on: all of that is found out here,
so that what one command refuses all refuse. A test over the source keeps it so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.scoring.metrics import Integers, Probabilities
from maskkit.scoring.panel import Panel, check_classes

if TYPE_CHECKING:
    from maskkit.artifacts.manifest import Manifest
    from maskkit.labels import LabelSpace

log = logging.getLogger(__name__)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """Photos of a manifest, and one or more predictions of each of them.

    Args:
        manifest: Names the photos, their people and, where it is known, their class.
        given: The predictions, P of them.
        found: Which row of each of them is of each photo of the manifest, (P, rows); -1 if none is.
        rows: Of the photos in the manifest, (N,).
    """

    manifest: Manifest
    given: tuple[Predictions, ...]
    found: Rows
    rows: Rows

    @classmethod
    def whole_folds(cls, manifest: Manifest, predictions: Predictions, *, allow_leak: bool) -> Judged:
        """Take the labelled photos, of which each fold is predicted as a whole or not at all.

        Raises:
            MaskkitError: Classes are others, a fold is predicted in part, or a photo is foreign.
            RefusedError: A model has seen people it is judged on, unless that is allowed.
        """
        manifest.need("label")
        found = _matched(manifest, [predictions], needs_label=True)
        found._refuse_foreign()
        found._refuse_halves()
        return found._unseen(allow_leak=allow_leak)

    @classmethod
    def common(cls, manifest: Manifest, given: Sequence[Predictions], *, allow_leak: bool) -> Judged:
        """Take the labelled photos that are in all predictions; `left_out` tells of the others.

        Raises:
            MaskkitError: Classes are others, or no photo is common.
            RefusedError: A model has seen people it is judged on, unless that is allowed.
        """
        manifest.need("label")
        return _matched(manifest, given, needs_label=True)._unseen(allow_leak=allow_leak)

    @classmethod
    def same(cls, manifest: Manifest, given: Sequence[Predictions], *, allow_leak: bool) -> Judged:
        """Take the labelled photos, which are the same for all members of an ensemble.

        Raises:
            MaskkitError: Classes are others, a member lacks a photo of another one, or a photo is foreign.
            RefusedError: A model has seen people it is judged on, unless that is allowed.
        """
        manifest.need("label")
        found = _matched(manifest, given, needs_label=True)
        found._refuse_foreign()
        found._refuse_differing()
        found._warn_of_unknown()
        return found._unseen(allow_leak=allow_leak)

    @classmethod
    def some(cls, manifest: Manifest, predictions: Predictions, *, needs_label: bool) -> Judged:
        """Take whichever photos are predicted; no model may have seen their people.

        Args:
            manifest: Has the photos.
            predictions: Of some of them; what is foreign is left out, with a warning.
            needs_label: Whether those without a label are left out, too.

        Raises:
            MaskkitError: Classes are others, or no photo is predicted.
            RefusedError: A model has seen their people.
        """
        found = _matched(manifest, [predictions], needs_label=needs_label)
        if found.foreign[0]:
            log.warning(
                "%d photos of %s are not in %s: they are left out",
                found.foreign[0], predictions.name, manifest.name,
            )  # fmt: skip
        return found._unseen(allow_leak=None)

    @classmethod
    def predicted(cls, manifest: Manifest, given: Sequence[Predictions], *, option: str) -> Judged:
        """Take all photos that are predicted, in the order of the first of the predictions, labelled or not.

        Whom models have seen is not looked at.

        Args:
            manifest: Has them all.
            given: Predictions of the same photos.
            option: That names the manifest, for the error.

        Raises:
            MaskkitError: Classes are others, or the manifest lacks a photo.
        """
        found = _matched(manifest, given, needs_label=False)
        found._refuse_foreign(f": {option} MANIFEST")
        return found.take(np.argsort(found.place[0]))

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
    def missing(self) -> list[int]:
        """Labelled photos that each of the predictions lacks."""
        return ((self.manifest.labels >= 0) & (self.found < 0)).sum(axis=1).tolist()  # type: ignore[no-any-return]

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
    def people(self) -> list[str]:
        """Everybody on the photos by name, a photo without a person being one of its own."""
        people = self.manifest.people
        return people.values.take(pa.array(np.unique(people.codes[self.rows]))).to_pylist()  # type: ignore[no-any-return]

    @cached_property
    def fold(self) -> Rows | None:
        """The fold that holds each photo out by the manifest, (N,), negative where none; None if none is."""
        fold = self.manifest.folds[self.rows] if self.manifest.has("fold") else None
        return fold if fold is not None and (fold >= 0).any() else None

    @cached_property
    def panel(self) -> Panel:
        """What each of the predictions says of the photos."""
        return Panel.of(self.given, self.place, classes=len(self.space))

    @property
    def answer(self) -> Integers:
        """The class that the first of the predictions gives each photo, (N,)."""
        return self.panel.answers[0]

    @property
    def probs(self) -> Probabilities | None:
        """Its probabilities, (N, C); None for answers without them."""
        return None if self.panel.probs is None else self.panel.probs[0]

    def columns(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the values that the manifest has in these columns, photo by photo."""
        table = self.manifest.table.select(list(names)).take(pa.array(self.rows))
        return zip(*table.to_pydict().values(), strict=True)

    def take(self, places: NDArray[Any]) -> Judged:
        """Return some of the photos (a mask or indices)."""
        return replace(self, rows=self.rows[places])

    def left_out(self, labels: Sequence[str]) -> Iterator[str]:
        """Say which photos are not in all predictions, each of which has a label for people."""
        for label, missing, foreign in zip(labels, self.missing, self.foreign, strict=True):
            if missing:
                yield f"{label} has no prediction of {missing} labelled photos: they are left out for all"
            if foreign:
                yield f"{label} predicts {foreign} photos that {self.manifest.name} does not have"

    def refuse_leak(self, *, allow_leak: bool | None) -> None:
        """Raise RefusedError if a model was trained on people whom it predicts here.

        Args:
            allow_leak: Warn instead; None if the command has no such option.
        """
        for one in self.given:
            known = people_seen(self.people, one)
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

    def _unseen(self, *, allow_leak: bool | None) -> Judged:
        if not len(self.rows):
            of = examples(self.names)
            raise MaskkitError(
                f"{of} has no labelled photo of {self.manifest.name}"
                if len(self.given) == 1
                else f"{of} have no labelled photo of {self.manifest.name} in common",
                why="predictions and truth are matched by path",
                fix="give the manifest of these photos, with their truth: MANIFEST, or --on MANIFEST",
            )
        self.refuse_leak(allow_leak=allow_leak)
        return self

    def _refuse_foreign(self, how: str = "") -> None:
        import pyarrow.compute as pc

        for one, foreign in zip(self.given, self.foreign, strict=True):
            if foreign:
                is_foreign = pc.invert(pc.is_in(one.path, value_set=self.manifest.table["path"]))
                named = examples(one.path.filter(is_foreign).to_pylist())
                raise MaskkitError(
                    f"{one.name} has {foreign} photos that are not in {self.manifest.name}: {named}",
                    why="nothing is known of these photos",
                    fix=f"give the manifest that was predicted{how}",
                )

    def _refuse_halves(self) -> None:
        manifest = self.manifest
        part = manifest.folds if manifest.has("fold") else np.zeros(len(manifest), np.int64)
        labelled, is_judged = manifest.labels >= 0, np.zeros(len(manifest), np.bool_)
        is_judged[self.rows] = True
        unanswered = labelled & ~is_judged
        halved = unanswered & np.isin(part, np.unique(part[is_judged]))
        if halved.any():
            missing = manifest.table["path"].filter(pa.array(halved)).to_pylist()
            raise MaskkitError(
                f"{len(missing)} labelled photos have no prediction: {examples(missing)}",
                why="a score over part of a fold is a score of other people than it claims",
                fix="predict all photos of the manifest, or all of a fold",
            )
        if is_judged.any() and unanswered.any():
            folds = examples(np.unique(part[is_judged]), most=20)
            log.warning(
                "scoring fold %s only: %d of %d labelled photos", folds, is_judged.sum(), labelled.sum()
            )

    def _refuse_differing(self) -> None:
        is_there = (self.found >= 0) & (self.manifest.labels >= 0)
        for one, has in zip(self.given, is_there, strict=True):
            differs = has != is_there[0]
            if differs.any() and has.any():
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


def _matched(manifest: Manifest, given: Sequence[Predictions], *, needs_label: bool) -> Judged:
    """Return the photos that are in all predictions, which are of the manifest's classes."""
    for one in given:
        check_classes(one, manifest.space, of=manifest.name)
    found = np.stack([_places(manifest, one) for one in given])  # (P, rows)
    is_judged = (found >= 0).all(axis=0)
    if needs_label:
        is_judged &= manifest.labels >= 0
    return Judged(manifest, tuple(given), found, np.flatnonzero(is_judged))


def _places(manifest: Manifest, predictions: Predictions) -> Rows:
    """Return which row of the predictions is of each photo of the manifest, (rows,); -1 if none is."""
    import pyarrow.compute as pc

    paths = manifest.table["path"]
    if paths.equals(predictions.path):
        return np.arange(len(manifest))
    found = pc.index_in(paths, value_set=predictions.path)
    return np.asarray(pc.fill_null(found, -1).to_numpy(), np.int64)


def people_seen(names: Sequence[str], predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return which people a model behind predictions was trained on, (people,).

    None where the predictions do not tell: those made out-of-fold, and a CSV.
    """
    known = [one.contains(names) for one in predictions.trained_on]
    return np.any(known, axis=0) if known else None


def is_leaking(predictions: Predictions) -> bool:
    """Whether predictions say themselves that they are of people whom their models have seen."""
    return predictions.leaked > 0


def refuse_leaking(given: Sequence[Predictions], *, allow_leak: bool) -> None:
    """Raise RefusedError if predictions say that they are of people whom their models have seen."""
    leaking = [one.name for one in given if is_leaking(one)]
    if leaking and not allow_leak:
        raise RefusedError(
            f"models have seen people they answer for in {examples(leaking)}",
            why="their answers look better than they are",
            fix="predict with --oof, or use --allow-leak",
        )


def leak_facts(given: Sequence[Predictions]) -> Mapping[str, object]:
    """Return whom the models behind several predictions have seen, for the header of what is made of them."""
    unique = {(one.salt, one.digests.tobytes()): one for each in given for one in each.trained_on}
    seen = {"seen": [one.to_json() for one in unique.values()]} if unique else {}
    return {"leaked": max(one.leaked for one in given), **seen}
