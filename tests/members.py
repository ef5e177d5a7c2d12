"""Made-up members of an ensemble, for the tests of what blends them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, Record
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.labels import LabelSpace
from maskkit.predicting.averaging import from_average, to_average
from maskkit.scoring.judged import Judged
from maskkit.scoring.panel import Panel


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return probabilities, (..., C)."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def average(
    probs: Sequence[NDArray[np.floating]], how: str = "mean", *, weights: Sequence[float] | None = None
) -> NDArray[np.float64]:
    """Return the average of probabilities of the same photos, (N, C), as inference and votes make it."""
    each = np.stack([to_average(part, how) for part in probs])
    return from_average(np.average(each, axis=0, weights=weights), how)


def drawn_panel(
    truth: NDArray[np.int64], *, classes: int, skill: tuple[float, ...] = (2.0, 1.5, 1.0), seed: int = 0
) -> Panel:
    """Draw members that know the truth more or less well, each with mistakes of its own."""
    random = np.random.default_rng(seed)
    logits = [
        amount * np.eye(classes)[truth] + random.normal(0, 1, (len(truth), classes)) for amount in skill
    ]
    probs = [softmax(one) for one in logits]
    return Panel([part.argmax(1) for part in probs], probs, classes)


def only(panel: Panel, members: Sequence[int]) -> Panel:
    """Return the panel of some of the members."""
    assert panel.probs is not None
    return Panel(
        [panel.answers[one] for one in members], [panel.probs[one] for one in members], panel.classes
    )


def judged_of(
    panel: Panel, truth: NDArray[np.int64], person: NDArray[np.int64], *, space: LabelSpace
) -> Judged:
    """Return members beside the truth as if read from files member0, member1 and so on."""
    path = pa.chunked_array([pa.array([f"{row}.jpg" for row in range(len(truth))])])
    table = pa.table(
        {
            "path": path,
            "person_id": pa.array([str(one) if one >= 0 else None for one in person]),
            "label": truth,
        }
    )
    given = [
        Predictions(
            path,
            answer,
            None if panel.probs is None else np.asarray(panel.probs[number]),
            header=Header("predictions", space),
            source=Source(f"member{number}", pa.py_buffer(b"")),
        )
        for number, answer in enumerate(panel.answers)
    ]
    return Judged.of(Manifest(table, Header("manifest", space)), given, "same")


def out_of_fold(manifest: Manifest, *, skill: float, seed: int, name: str, **facts: object) -> Predictions:
    """Make predictions of a model that knows the labels more or less well, as read from a file.

    Args:
        manifest: Its photos; those without a label are guessed at.
        skill: How well.
        seed: Of its mistakes, and of the training it is recorded to come from.
        name: Of the file.
        **facts: Of the header.
    """
    truth = np.maximum(manifest.labels, 0)
    panel = drawn_panel(truth, classes=len(manifest.space), skill=(skill,), seed=seed)
    assert panel.probs is not None
    trained = Record("train", {"seed": seed})
    made = Predictions(
        path=manifest.table["path"],
        answer=panel.answers[0],
        probs=panel.probs[0].astype(np.float32),
        classes=tuple(manifest.space.names),
        fold=manifest.folds if manifest.has("fold") else None,
        header=Header("predictions", manifest.space, (trained, Record("predict", {"of": name})), facts),
    )
    return Predictions.read(Source(name, pa.py_buffer(made.encode("parquet"))))


def write_members(
    manifest: Manifest, folder: Path, *, skills: tuple[float, ...], suffix: str = ""
) -> list[Predictions]:
    """Write members m0.parquet, m1.parquet and so on; the same number is the same model."""
    members = []
    for number, skill in enumerate(skills):
        name = f"m{number}{suffix}.parquet"
        members.append(out_of_fold(manifest, skill=skill, seed=number, name=name))
        (folder / name).write_bytes(members[-1].encode("parquet"))
    return members
