"""Blend several predictions of the same photos into one, matched by id, with weights given or found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.files import encoding_given
from maskkit.artifacts.header import Header, Record, merged
from maskkit.artifacts.predictions import Predictions
from maskkit.dry_run import work_begins
from maskkit.errors import MaskkitError, examples
from maskkit.fitting.blend import Fitted, MemberPair, NestedBlend, Plan, fit_fact, fitted
from maskkit.fitting.blend import pairs as pairs_of
from maskkit.options.train_options import Search, Vote
from maskkit.predicting.blend_rule import Rule
from maskkit.predicting.votes import agreement
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import (
    Panel,
    Rows,
    aligned,
    check_counterparts,
    check_same_classes,
    common_fold,
    facts_of,
    refuse_leaking,
)

if TYPE_CHECKING:
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.manifest import Manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """How to find the weights of a vote."""

    members: Sequence[Predictions]  # out-of-fold predictions of the members, in the members' order
    on: Manifest  # holds the truth of these, and names the people
    # `greedy` for the highest macro-F1, `weights` for the smallest log loss of the mean
    search: Search = "greedy"
    max_members: int | None = None  # at most so many members get a weight
    # Of the folds by which the blend is judged, where the manifest has none of its own
    seed: int = 0


@dataclass(frozen=True)
class AfterVote:
    """What is done to a blend; the scores of a fit are of the blend before that."""

    # Names the people whose photos agree on the factors they share; None to leave that out
    consensus: Manifest | None = None
    decision: Decision | None = None  # changes the answers; None to leave that out

    def people_of(self, members: Sequence[Predictions], *, allow_leak: bool) -> Judged | None:
        """Return who is on the photos of predictions, for the consensus; None if there is to be none.

        Raises:
            MaskkitError: The manifest has not all of the photos.
        """
        if self.consensus is None:
            return None
        judged = Judged.of(self.consensus, members, "all", option="--who MANIFEST")
        return judged.unseen(allow_leak=allow_leak)


@dataclass(frozen=True)
class Ensemble:
    """What came of a vote."""

    predictions: Predictions  # the blend
    ties: int  # photos on which a hard vote had no single winner; 0 for any other
    agreement: NDArray[np.float64]  # share of photos on which two members answer alike, (members, members)
    fitted: Fitted | None = None  # the rule that was found and what it is worth; None without a fit
    # How differently each two members answer, beside the truth; None if nobody knows that
    pairs: Sequence[MemberPair] | None = None

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self.agreement)}: {len(self.predictions)} photos>"


def ensemble(
    members: Sequence[Predictions],
    *,
    vote: Vote = "hard",
    weights: Sequence[float] | None = None,
    fit: Fit | None = None,
    truth: Manifest | None = None,
    after: AfterVote | None = None,
    allow_leak: bool = False,
    history: bool = True,
) -> Ensemble:
    """Vote on each photo; the result keeps the order of the first member.

    Args:
        members: Predictions of the same photos, in any order of rows. None of them, and a `fit`: the
            out-of-fold predictions of the fit are blended, each photo by a rule fitted without its person.
        vote: `hard`: most votes win; ties go to the larger sum of probabilities if every member has
            them, else to the tied class that the earliest member voted for. `soft`: mean of probabilities;
            `geometric`, `logit`, `rank`: see `votes.soft_vote`. `stacking`: a
            logistic regression over log-probabilities, which needs a fit.
        weights: One per member; equal if not given.
        fit: Find the weights, or the stack, on out-of-fold predictions.
        truth: Labels of the members' own photos, if known: shows which members are wrong together.
        after: Consensus and decision.
        allow_leak: Take members that were made with `--allow-leak`.
        history: Record what was read, by its digest: a tenth of the time, for which a CSV has no place.

    Raises:
        MaskkitError: Photos or classes of the members differ, or the vote lacks probabilities.
        RefusedError: A member was predicted by models that have seen the people in it.
    """
    _check(members, fit, vote, after, allow_leak=allow_leak)
    rule, found = Rule(vote, None if weights is None else tuple(weights)), None
    place = aligned(members) if members else []
    people = None if after is None or not members else after.people_of(members, allow_leak=allow_leak)
    pairs: Sequence[MemberPair] | None = None
    if fit is not None:
        from maskkit.fitting.people_parts import parts_of_people

        judged = Judged.of(fit.on, fit.members, "same").unseen(allow_leak=allow_leak)
        part = parts_of_people(judged, seed=fit.seed, fewest=3)
        work_begins()
        found = fitted(judged, Plan(vote, fit.search, fit.max_members), part, seed=fit.seed)
        rule, pairs = found.rule, found.pairs
    elif truth is not None and truth.has("label") and (truth.labels >= 0).any():
        judged = Judged.of(truth, members, "same").unseen(allow_leak=allow_leak)
        pairs = tuple(pairs_of(judged.panel.answers, judged.truth))
    own = {} if found is None else {"blend": fit_fact(found)}
    header = Header("predictions", None, (), facts_of(members or (fit.members if fit else ()), **own))
    if history:
        shares = None if weights is None else list(weights)
        options: dict[str, object] = {"vote": vote, "weights": shares, "allow_leak": allow_leak}
        header = _with_history(header, members, options, fit, truth, after)
    if found is not None and not members:
        result, ties, answers = _nested(judged, found.nested, header), found.nested.ties, judged.panel.answers
    else:
        result, ties, answers = _voted(members, place, rule, header)
    if after is not None:
        from maskkit.predicting.adjustments import with_consensus, with_decision  # Arrow's functions

        people = people or after.people_of([result], allow_leak=allow_leak)
        if people is not None:
            result = with_consensus(result, people.person, people.space)
        if after.decision is not None:
            result = with_decision(result, after.decision)
    return Ensemble(result, ties, agreement(answers), found, pairs)


def _check(
    members: Sequence[Predictions], fit: Fit | None, vote: Vote, after: AfterVote | None, *, allow_leak: bool
) -> None:
    given = [*members, *(fit.members if fit else ())]
    if not allow_leak:
        refuse_leaking(given)
    lacking = [member.name for member in given if member.probs is None]
    if vote != "hard" and lacking:
        raise MaskkitError(
            f"there are no probabilities in {examples(lacking)}",
            why=f"a {vote} vote needs probabilities, and a submission holds answers only",
            fix="use --vote hard, or give the tables of probabilities",
        )
    if fit is not None and members:
        for member in members:
            check_same_classes(member, fit.on.space, of=fit.on.name)
        check_counterparts(members, fit.members)
    if after is not None and after.decision is not None and not lacking:
        check_same_classes(given[0], after.decision.space, of=after.decision.name)


def _voted(
    members: Sequence[Predictions], place: Sequence[Rows], rule: Rule, header: Header
) -> tuple[Predictions, int, Sequence[Integers]]:
    """Return the blend, the number of ties, and what each member answers, in one order.

    Each member has the photos at a place, (rows,).
    """
    classes = next((member.classes for member in members if member.classes), None)
    count = len(classes) if classes else max(int(one.answer.max(initial=0)) for one in members) + 1
    panel = Panel.of(members, place, classes=count)
    blend = rule.blended(panel)
    degrees = blend.probs
    if degrees is None and classes:
        degrees = np.eye(count, dtype=np.float32)[blend.answer]  # a decision, not a degree
    fold = common_fold(members, place)
    result = Predictions(members[0].path, blend.answer, degrees, classes, fold, header)
    return result, blend.ties, panel.answers


def _nested(judged: Judged, nested: NestedBlend, header: Header) -> Predictions:
    names, probs = judged.space.names, nested.probs
    if probs is None:
        probs = np.eye(len(names), dtype=np.float32)[nested.answer]
    path = judged.manifest.table["path"].take(pa.array(judged.rows))
    fold = common_fold(judged.given, judged.place)
    return Predictions(path, nested.answer, probs, tuple(names), fold, header)


def _with_history(
    header: Header,
    members: Sequence[Predictions],
    options: dict[str, object],
    fit: Fit | None,
    truth: Manifest | None,
    after: AfterVote | None,
) -> Header:
    read: list[tuple[str, Predictions | Manifest | Decision | None]] = []  # option, and what it names
    if fit is not None:
        read += [("fit", one) for one in fit.members]
        options |= {"fit": [one.as_input().name for one in fit.members], "seed": fit.seed}
        options |= {"search": None if options["vote"] == "stacking" else fit.search}
        options |= {"max_members": fit.max_members}
    on = truth if fit is None else fit.on
    single: dict[str, Manifest | Decision | None] = {"on": on}
    if after is not None:
        people = after.consensus if after.consensus is not on else None
        single |= {"who": people, "decide": after.decision}
        options |= {"consensus": "person"} if after.consensus is not None else {}
    options |= encoding_given(*(one.source for one in (*members, *(fit.members if fit else ()))))
    options |= {name: one.as_input().name for name, one in single.items() if one is not None}
    beside = [(name, one) for name, one in (*read, *single.items()) if one is not None]
    inputs = [member.header.input_from(member.as_input()) for member in members]
    inputs += [replace(one.header.input_from(one.as_input()), option=name) for name, one in beside]
    sources = [*members, *(one for _, one in beside)]
    space = next((one.header.space for one in sources if one.header.space), None)
    record = Record("ensemble", options, tuple(inputs))
    return replace(header, space=space, history=(*merged(one.header.history for one in sources), record))
