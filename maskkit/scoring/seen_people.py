"""Whom the models behind predictions were trained on, as far as the predictions record it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maskkit.artifacts.predictions import Predictions
from maskkit.errors import RefusedError, examples


def are_seen(names: Sequence[str], predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return which people a model behind predictions was trained on, (people,).

    None where the predictions record nobody: those made out-of-fold, and a CSV.
    """
    known = [one.contains(names) for one in predictions.trained_on]
    return np.any(known, axis=0) if known else None


def is_leaking(predictions: Predictions) -> bool:
    """Whether some of the predictions were made, on demand, by models that have seen the person."""
    return predictions.leaked > 0


def refuse_leaking(given: Sequence[Predictions]) -> None:
    """Raise RefusedError if some are known to be of people whom their models have seen."""
    leaking = [one.name for one in given if is_leaking(one)]
    if leaking:
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
