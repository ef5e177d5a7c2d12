"""What reads and writes tables: label, split, ensemble, evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maskkit.artifacts.decision import Decision
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.options.train_options import Search, Vote
from maskkit.python_api.opening import opened, optional
from maskkit.python_api.refusing import refuse

if TYPE_CHECKING:
    from maskkit.scoring.evaluated import Evaluation
    from maskkit.stages.ensemble import Ensemble


def label(
    photos: Path | str,
    *,
    root: str | None = None,
    task: Path | str | None = None,
    unlabelled: bool = False,
    person_from: str | None = None,
    train_cuts: Sequence[str] = (),
    train_spread: Sequence[str] = (),
    ignore: Sequence[str] = (),
    corrections: Path | str | None = None,
    encoding: str | None = None,
    skip_bad: bool = False,
    no_check: bool = False,
) -> Manifest:
    """List photos, look at each, and give each its class, as `maskkit label`.

    Args:
        photos: The competition's `train.csv` or `info.csv`, a folder with one of them, a tree of class
            folders, or a CSV or Parquet with `path` and the factors.
        root: The folder that paths are relative to; found beside the table if not given.
        task: A TOML file with another label space than the home task's.
        unlabelled: Take the photos of a folder that are in no class folder, without a label.
        person_from: A regular expression of whole file names, whose one group is the person.
        train_cuts: Train on other cuts of a number than the label is made of, such as `["age=30,58"]`.
        train_spread: Let a number be off by so much, such as `["age=4"]`.
        ignore: Never train on these, such as `["age=57-59"]`; they are still scored.
        corrections: A CSV of corrected labels.
        encoding: That of tables which are not UTF-8.
        skip_bad: Leave out photos that cannot be used, instead of raising.
        no_check: Do not open the photos.

    Raises:
        MaskkitError: Nothing was found, a column or value does not fit, or photos are bad.
    """
    refuse("label", locals())
    from maskkit.labelling.targets import TargetRules
    from maskkit.options.values import cuts_of, ignored_of, spreads_of
    from maskkit.stages.label import label as stage

    targets = TargetRules(cuts_of(train_cuts), ignored_of(ignore), spreads_of(train_spread))
    return stage(
        photos, root=root, task=task, unlabelled=unlabelled, person_from=person_from, targets=targets,
        corrections=corrections, encoding=encoding, skip_bad=skip_bad, no_check=no_check,
    )  # fmt: skip


def split(
    manifest: Manifest | Path | str,
    *,
    by: str = "person",
    folds: int = 5,
    holdout: float | None = None,
    stratify: Sequence[str] = (),
    keep_with: Sequence[str] = (),
    seed: int = 0,
) -> Manifest:
    """Assign photos to folds, keeping each person in one fold, as `maskkit split`.

    Args:
        manifest: With labels.
        by: What must not be divided: `person`, `image`, or a column.
        folds: How many folds.
        holdout: Hold out this share as fold 0 instead of making folds.
        stratify: Balance these columns too.
        keep_with: Keep photos that share a value of these columns in one fold.
        seed: Same seed, same folds.

    Raises:
        MaskkitError: There are fewer groups than folds, or no such column.
    """
    refuse("split", locals())
    from maskkit.stages.split import split as stage

    return stage(
        opened(Manifest, manifest),
        by=by,
        folds=folds,
        holdout=holdout,
        stratify=stratify,
        keep_with=keep_with,
        seed=seed,
    )


def ensemble(
    predictions: Sequence[Predictions | Path | str] = (),
    *,
    vote: Vote | Literal["weighted"] = "hard",
    weights: Sequence[float] | None = None,
    fit: Sequence[Predictions | Path | str] = (),
    on: Manifest | Path | str | None = None,
    search: Search | None = None,
    max_members: int | None = None,
    consensus: Literal["person"] | None = None,
    who: Manifest | Path | str | None = None,
    decide: Decision | Path | str | None = None,
    seed: int = 0,
    allow_leak: bool = False,
) -> Ensemble:
    """Blend predictions of the same photos, matched by id and never by position, as `maskkit ensemble`.

    Args:
        predictions: Of the same photos, in any order of rows. None of them, with `fit`: the out-of-fold
            predictions of the fit are blended.
        vote: `hard`, `soft` (also `weighted`), `geometric`, `logit`, `rank` or `stacking`.
        weights: One per member; equal if not given.
        fit: Out-of-fold predictions of the members, in their order, to find weights on.
        on: The manifest with the truth, of `fit` if that is given.
        search: How weights are found.
        max_members: At most so many members get a weight.
        consensus: Let the photos of each person agree on what they share.
        who: The manifest that names the people, for `consensus`, if not that of `on`.
        decide: A decision from `maskkit evaluate --tune`.
        seed: Of the parts by which the blend is judged.
        allow_leak: Take members that were made with a leak.

    Returns:
        The blend, as `.predictions`, and how its members agree.

    Raises:
        MaskkitError: Photos or classes of the members differ, or the vote lacks probabilities.
        RefusedError: A member was predicted by models that have seen the people in it.
    """
    texts = {"weights": None if weights is None else ",".join(map(str, weights))}
    refuse("ensemble", {**locals(), **texts})
    from maskkit.stages.ensemble import AfterVote, Fit
    from maskkit.stages.ensemble import ensemble as stage

    members = [opened(Predictions, one) for one in predictions]
    truth = optional(Manifest, on)
    found = None
    if fit and truth is not None:
        fitted = [opened(Predictions, one) for one in fit]
        found = Fit(fitted, truth, search=search or "greedy", max_members=max_members, seed=seed)
    people = None if consensus is None else truth if who is None else opened(Manifest, who)
    decision = optional(Decision, decide)
    after = None if people is None and decision is None else AfterVote(people, decision)
    return stage(
        members, vote="soft" if vote == "weighted" else vote, weights=weights, fit=found,
        truth=None if fit else truth, after=after, allow_leak=allow_leak,
    )  # fmt: skip


def evaluate(
    manifest: Manifest | Path | str,
    predictions: Predictions | Path | str,
    *,
    by: Sequence[str] = (),
    against: Predictions | Path | str | None = None,
    worst: int = 20,
    sets: float | None = None,
    sets_per: str | None = None,
    root: str | None = None,
    allow_leak: bool = False,
) -> Evaluation:
    """Score predictions, with 95 % intervals over people, as `maskkit evaluate`.

    Args:
        manifest: Holds the truth.
        predictions: Of all of its photos, or of whole folds.
        by: Also score slices, such as `["age:2", "gender,mask"]`.
        against: Other predictions to compare with.
        worst: How many of the worst mistakes to name.
        sets: Score sets of classes that hold the truth of this share of the photos of new people.
        sets_per: What keeps the promise of `sets` by itself: `class`, or a factor.
        root: Where the photos are, if slices need them.
        allow_leak: Score people whom the models have seen.

    Raises:
        MaskkitError: Photos or classes do not match; nothing is dropped silently.
        RefusedError: The models have seen people they are scored on.
    """
    refuse("evaluate", locals())
    from maskkit.artifacts.answer_sets import Promise
    from maskkit.stages.evaluate import evaluate as stage

    return stage(
        opened(Manifest, manifest).located(root=root), opened(Predictions, predictions), by=by,
        against=optional(Predictions, against), worst=worst,
        promise=None if sets is None else Promise(sets, sets_per), allow_leak=allow_leak,
    )  # fmt: skip
