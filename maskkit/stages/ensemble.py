"""Blend several predictions of the same images into one, matched by id, with weights given or found."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.columns import Integers
from maskkit.artifacts.header import Header, Record, merged
from maskkit.artifacts.predictions import Predictions
from maskkit.errors import MaskkitError, RefusedError, examples
from maskkit.options.train_options import Search, Vote
from maskkit.predicting.aligning import aligned, common_fold
from maskkit.predicting.blend_rule import Rule
from maskkit.predicting.votes import agreement
from maskkit.scoring.panel import Panel

if TYPE_CHECKING:
    from maskkit.artifacts.decision import Decision
    from maskkit.artifacts.manifest import Manifest
    from maskkit.fitting.blend import Fitted, NestedBlend
    from maskkit.fitting.diversity import MemberPair
    from maskkit.predicting.adjustments import AfterVote
    from maskkit.scoring.judged import Trial

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """How to find the weights of a vote.

    Args:
        members: Out-of-fold predictions of the members, in the members' order.
        on: Holds the truth of these, and names the people.
        search: `greedy` for the highest macro-F1, `weights` for the smallest log loss of the mean.
        max_members: At most so many members get a weight.
        seed: Of the folds of people by which the blend is judged, and of the bootstrap.
        replicates: Bootstrap replicates over people.
    """

    members: Sequence[Predictions]
    on: Manifest
    search: Search = "greedy"
    max_members: int | None = None
    seed: int = 0
    replicates: int = 1000


@dataclass(frozen=True)
class Ensemble:
    """What came of a vote.

    Args:
        predictions: The blend.
        ties: Images on which a hard vote had no single winner; 0 for any other.
        agreement: Share of images on which two members answer alike, (members, members).
        fitted: The rule that was found and what it is worth; None if none was asked for.
        pairs: How differently each two members answer, beside the truth; None if nobody knows that.
    """

    predictions: Predictions
    ties: int
    agreement: NDArray[np.float64]
    fitted: Fitted | None = None
    pairs: Sequence[MemberPair] | None = None


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
    """Vote on each image; the result keeps the order of the first member.

    Args:
        members: Predictions of the same images, in any order of rows. None of them, and a `fit`: the
            out-of-fold predictions of the fit are blended, each image by a rule fitted without its person.
        vote: `hard`: most votes win; ties go to the larger sum of probabilities if every member has
            them, else to the tied class that the earliest member voted for. `soft`: mean of probabilities,
            and `weighted` too; `geometric`, `logit`, `rank`: see `blending.soft_vote`. `stacking`: a
            logistic regression over log-probabilities, which needs a fit.
        weights: One per member; equal if not given.
        fit: Find the weights, or the stack, on out-of-fold predictions.
        truth: Labels of the members' own images, if known: tells which members are wrong together.
        after: Consensus and decision.
        allow_leak: Take members that were made with `--allow-leak`.
        history: Record what was read, by its digest: a tenth of the time, for which a CSV has no place.

    Raises:
        MaskkitError: Images or classes of the members differ, or the vote lacks probabilities.
        RefusedError: A member was predicted by models that have seen the people in it.
    """
    given = [*members, *(fit.members if fit else ())]
    _refuse_leaking(given, allow_leak=allow_leak)
    if vote != "hard":
        _need_probabilities(given, vote)
    rule, found = Rule(vote, None if weights is None else tuple(weights)), None
    pairs: Sequence[MemberPair] | None = None
    if fit is not None:
        trial, found = _fitted(members, fit, vote, allow_leak=allow_leak)
        rule, pairs = found.rule, found.pairs
    elif truth is not None:
        pairs = _pairs(members, truth, allow_leak=allow_leak)
    header = Header("predictions", None)
    if history:
        shares = None if weights is None else list(weights)
        options: dict[str, object] = {"vote": vote, "weights": shares, "allow_leak": allow_leak}
        header = _header(members, options, fit, truth, after, found)
    if found is not None and not members:
        said: Sequence[Integers] = trial.panel.answers
        result, ties = _nested(trial, found.nested, header), found.nested.ties
    else:
        result, ties, said = _voted(members, rule, header)
    if after is not None:
        result = after.applied(result)
    return Ensemble(result, ties, agreement(said), found, pairs)


def _refuse_leaking(given: Sequence[Predictions], *, allow_leak: bool) -> None:
    leaking = [member.name for member in given if member.leaked]
    if leaking and not allow_leak:
        raise RefusedError(
            f"models have seen people they answer for in {examples(leaking)}",
            why="their answers look better than they are",
            fix="predict with --oof, or use --allow-leak",
        )


def _need_probabilities(given: Sequence[Predictions], vote: Vote) -> None:
    lacking = [member.name for member in given if member.probs is None]
    if lacking:
        raise MaskkitError(
            f"there are no probabilities in {examples(lacking)}",
            why=f"a {vote} vote needs probabilities, and a submission holds answers only",
            fix="use --vote hard, or give the tables of probabilities",
        )


def _fitted(
    members: Sequence[Predictions], fit: Fit, vote: Vote, *, allow_leak: bool
) -> tuple[Trial, Fitted]:
    """Find a rule on out-of-fold predictions, and judge it on people it was not fitted to."""
    from maskkit.fitting.blend import Plan, fitted
    from maskkit.fitting.people_parts import parts_of_people
    from maskkit.scoring.judged import Trial, check_answers, check_counterparts

    for member in members:
        check_answers(fit.on, member)
    if members:
        check_counterparts(members, fit.members)
    trial = Trial.of(fit.on, fit.members, allow_leak=allow_leak)
    plan = Plan(vote, fit.search, fit.max_members)
    part = parts_of_people(trial.truth, trial.person, classes=len(trial.space), seed=fit.seed, fewest=3)
    return trial, fitted(trial, plan, part, replicates=fit.replicates, seed=fit.seed)


def _pairs(
    members: Sequence[Predictions], truth: Manifest, *, allow_leak: bool
) -> Sequence[MemberPair] | None:
    from maskkit.fitting.diversity import pairs
    from maskkit.scoring.judged import Trial

    if not truth.has("label") or not (truth.labels >= 0).any():
        return None
    trial = Trial.of(truth, members, allow_leak=allow_leak)
    return tuple(pairs(trial.panel.answers, trial.truth))


def _voted(
    members: Sequence[Predictions], rule: Rule, header: Header
) -> tuple[Predictions, int, Sequence[Integers]]:
    """Return the blend, the number of ties, and what each member answered, in one order."""
    rows = aligned(members)
    answers = [member.answer for member in rows]
    probs = [member.probs for member in rows if member.probs is not None]
    classes = next((member.classes for member in members if member.classes), None)
    count = len(classes) if classes else max(int(answer.max(initial=0)) for answer in answers) + 1
    blend = rule.blended(Panel(answers, probs if len(probs) == len(rows) else None, count))
    degrees = blend.probs
    if degrees is None and classes:
        degrees = np.eye(count, dtype=np.float32)[blend.answer]  # a decision, not a degree
    result = Predictions(members[0].path, blend.answer, degrees, classes, common_fold(rows), header)
    return result, blend.ties, answers


def _nested(trial: Trial, nested: NestedBlend, header: Header) -> Predictions:
    probs = (
        np.eye(len(trial.space), dtype=np.float32)[nested.answer] if nested.probs is None else nested.probs
    )
    return Predictions(trial.path, nested.answer, probs, tuple(trial.space.names), trial.fold, header)


def _header(
    members: Sequence[Predictions],
    options: dict[str, object],
    fit: Fit | None,
    truth: Manifest | None,
    after: AfterVote | None,
    found: Fitted | None,
) -> Header:
    from maskkit.predicting.adjustments import joined

    beside: dict[str, Sequence[Predictions | Manifest | Decision]] = {}
    if fit is not None:
        beside["fit"] = fit.members
        options |= {"fit": [one.as_input().name for one in fit.members], "seed": fit.seed}
        options |= {"search": None if options["vote"] == "stacking" else fit.search}
        options |= {"max_members": fit.max_members}
    on = truth if fit is None else fit.on
    single: dict[str, Manifest | Decision | None] = {"on": on}
    if after is not None:
        people = after.consensus if after.consensus is not on else None
        single |= {"who": people, "decide": after.decision}
        options |= {"consensus": "person"} if after.consensus is not None else {}
    for name, one in single.items():
        if one is not None:
            beside[name] = [one]
            options[name] = one.as_input().name
    inputs = [member.header.input_from(member.as_input()) for member in members]
    inputs += [
        replace(one.header.input_from(one.as_input()), option=name)
        for name, several in beside.items()
        for one in several
    ]
    speaking = members or (fit.members if fit else ())
    sources = [*members, *(one for several in beside.values() for one in several)]
    space = next((one.header.space for one in sources if one.header.space), None)
    facts: dict[str, object] = {"leaked": max(member.leaked for member in speaking)}
    unique = {(one.salt, one.digests.tobytes()): one for member in speaking for one in member.seen}
    if unique:
        facts["seen"] = [one.to_json() for one in unique.values()]
    if found is not None:
        from maskkit.fitting.blend import fit_fact

        facts["blend"] = fit_fact(found)
    record = Record("ensemble", options, tuple(inputs))
    history = (*merged(one.header.history for one in sources), record)
    return Header("predictions", space, history, facts | joined(speaking))
