"""An evaluation as rows of scope, name, measure, value, low, high, for pipes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskkit.scoring.boundary import Boundary
    from maskkit.scoring.calibration import Calibration
    from maskkit.scoring.changed_answers import Against
    from maskkit.scoring.evaluated import Evaluation
    from maskkit.scoring.noise import Noise
    from maskkit.scoring.results import ClassScore, Estimate
    from maskkit.scoring.slice_scores import Slicing

Measure = tuple[str, str, str, object, object, object]
HEADER = ("scope", "name", "measure", "value", "low", "high")


def measures(evaluation: Evaluation) -> Iterator[Measure]:
    """Flatten an evaluation."""
    scores = evaluation.scores
    yield "all", "", "photos", scores.rows, None, None
    yield "all", "", "people", scores.people, None, None
    yield _row("all", "", "macro_f1", scores.macro_f1)
    yield _row("all", "", "accuracy", scores.accuracy)
    yield "all", "", "log_loss", evaluation.log_loss, None, None
    for factor in scores.factors:
        yield _row("factor", factor.name, "macro_f1", factor.macro_f1)
        yield _row("factor", factor.name, "accuracy", factor.accuracy)
        for level in factor.levels:
            yield from _class_rows(f"factor {factor.name}", level)
    for one in scores.classes:
        yield from _class_rows("class", one)
    for fold in scores.folds.each if scores.folds else ():
        yield "fold", str(fold.fold), "macro_f1", fold.macro_f1, None, None
        yield "fold", str(fold.fold), "accuracy", fold.accuracy, None, None
    yield from _details(evaluation)
    for line in evaluation.warnings:
        yield "adjusted", line.partition(":")[0], "sentence", line, None, None
    if evaluation.against is not None:
        yield from _against_rows(evaluation.against)


def _details(evaluation: Evaluation) -> Iterator[Measure]:
    for slicing in evaluation.slices:
        yield from _slice_rows(slicing)
    yield from _noise_rows("class", evaluation.classes_noise)
    yield from _noise_rows("fold", evaluation.folds_noise)
    for beside in evaluation.boundaries:
        yield from _boundary_rows(beside)
    if evaluation.calibration is not None:
        yield from _calibration_rows(evaluation.calibration)
    for mistake in evaluation.mistakes:
        for name in ("truth", "answer", "confidence", "truth_probability", "loss"):
            yield "mistake", mistake.path, name, getattr(mistake, name), None, None


def _slice_rows(slicing: Slicing) -> Iterator[Measure]:
    scope = f"slice {slicing.by}"
    for one in slicing.slices:
        yield scope, one.name, "photos", one.rows, None, None
        yield scope, one.name, "people", one.people, None, None
        yield _row(scope, one.name, "macro_f1", one.macro_f1)
        yield _row(scope, one.name, "accuracy", one.accuracy)
        for name, estimate in one.factors.items():
            yield _row(scope, one.name, f"{name}_accuracy", estimate)
    yield from _noise_rows(scope, slicing.noise)


def _boundary_rows(beside: Boundary) -> Iterator[Measure]:
    scope = f"boundary {beside.factor}" + ("" if beside.cut is None else f" {beside.cut:g}")
    for step in beside.steps:
        yield scope, step.label, "photos", step.rows, None, None
        yield scope, step.label, "people", step.people, None, None
        yield _row(scope, step.label, "error", step.error)


def _calibration_rows(found: Calibration) -> Iterator[Measure]:
    for name in ("ece", "max_error", "brier"):
        yield "calibration", "", name, getattr(found, name), None, None
    for part in found.bins:
        for name in ("count", "confidence", "accuracy"):
            yield "calibration", f"{part.low:.4g}-{part.high:.4g}", name, getattr(part, name), None, None


def _against_rows(found: Against) -> Iterator[Measure]:
    scope = f"less {found.versus.first}"
    for name, estimate in (found.versus.difference or {}).items():
        yield _row(scope, "", name, estimate)
    for name, count in vars(found.versus.only).items() if found.versus.only else ():
        yield f"beside {found.versus.first}", "", name, count, None, None
    for name, value in found.facts().items():
        yield scope, "", name, value, None, None
    for one in found.changed:
        yield "changed", one.path, "now right" if one.is_right else "now wrong", one.answer, None, None


def _noise_rows(scope: str, found: Noise | None) -> Iterator[Measure]:
    if found is not None:
        yield scope, "", "noise", found.sentence, None, None


def _class_rows(scope: str, one: ClassScore) -> Iterator[Measure]:
    yield scope, one.name, "photos", one.rows, None, None
    yield scope, one.name, "people", one.people, None, None
    yield scope, one.name, "precision", one.precision, None, None
    yield scope, one.name, "recall", one.recall, None, None
    yield _row(scope, one.name, "f1", one.f1)


def _row(scope: str, name: str, measure: str, estimate: Estimate) -> Measure:
    return scope, name, measure, estimate.value, estimate.low, estimate.high
