"""Say what an artifact is, from its header and columns alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from maskkit.artifacts.checkpoint import FACTS, StoredCheckpointFacts, checkpoint_header
from maskkit.artifacts.checks import NO_FOLD
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.exported import exported_header, is_onnx
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import Header, damaged_header, wrong_kind
from maskkit.artifacts.manifest import NOT_IN_SPLIT, Manifest
from maskkit.artifacts.parquet import read_header
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seen import Seen
from maskkit.auditing.findings import kind_of
from maskkit.imaging.surveyed import KIND as SURVEY
from maskkit.imaging.surveyed import SurveyedPhotos
from maskkit.options.model_settings import settings_text
from maskkit.reporting.stage_reports import HELD_OUT
from maskkit.splitting.quality import fold_quality

Facts = dict[str, Any]


def show(source: Source) -> Facts:
    """Return what an artifact is: kind, counts, columns, label space. Photos and weights are not read.

    Raises:
        MaskkitError: It is no artifact of maskkit, or a damaged one.
    """
    header = header_of(source)
    facts: Facts = {"file": source.name, "kind": header.kind, "sha256": source.sha256}
    if header.kind == "manifest":
        facts |= _manifest_facts(Manifest.read(source))
    elif header.kind == "checkpoint":
        facts |= _model_facts(header, source.title)
    elif header.kind == "model":
        facts |= {"form": "ONNX"} | _model_facts(header, source.title)
    elif header.kind == SURVEY:
        facts |= _survey_facts(SurveyedPhotos.read(source))
    elif header.kind == "decision":
        facts |= _decision_facts(Decision.read(source))
    else:
        facts |= _predictions_facts(Predictions.read(source))
    if header.space is not None:
        facts["classes"] = len(header.space)
        facts["factors"] = {factor.name: ", ".join(factor.levels) for factor in header.space.factors}
    facts["stages"] = " > ".join(record.stage for record in header.history)
    return facts


def header_of(source: Source) -> Header:
    """Read the header of any artifact; a CSV has none, which is a header without history."""
    if source.starts_with(b"PAR1"):
        header = read_header(source, kind=None)
        if header.kind not in ("manifest", "predictions", SURVEY):
            raise wrong_kind(source.title, header.kind, "manifest, predictions or survey")
        return header
    if bytes(memoryview(source.data)[8:9]) == b"{":  # safetensors: the header's length, then JSON
        return checkpoint_header(source, needed=FACTS)
    if is_onnx(source):
        return exported_header(source)
    if source.starts_with(b"{"):
        return Decision.read(source).header
    return Predictions.read(source).header


def _manifest_facts(manifest: Manifest) -> Facts:
    labels = manifest.labels
    facts: Facts = {
        "photos": len(manifest),
        "people": len(manifest.people) if manifest.table["person_id"].null_count == 0 else None,
        "labelled": int((labels >= 0).sum()),
        "root": str(manifest.root),
        "columns": {field.name: str(field.type) for field in manifest.table.schema},
    }
    counts = np.bincount(labels[labels >= 0], minlength=len(manifest.space))
    facts["photos per class"] = dict(zip(manifest.space.names, counts.tolist(), strict=True))
    facts |= _target_facts(manifest)
    if manifest.has("for_fold"):  # how many pseudo labels each fold may train on
        is_pseudo = pc.equal(manifest.table["origin"].cast(pa.string()), "pseudo")
        folds = Counter(manifest.table["for_fold"].filter(is_pseudo).to_pylist())
        named = {None: "all", NO_FOLD: "none"}
        facts["pseudo labels for fold"] = {
            named.get(fold, str(fold)): folds[fold] for fold in sorted(folds, key=str)
        }
    if manifest.has("flags"):
        flags = pc.drop_null(pc.list_flatten(manifest.table["flags"]))
        facts["flags"] = dict(Counter(map(kind_of, flags.to_pylist())))
    if manifest.has("fold"):
        images = np.bincount(manifest.folds - NOT_IN_SPLIT).tolist()  # of the rows outside the folds first
        names = ["not in the split", "never held out", *map(str, range(len(images)))]
        facts["photos per fold"] = {name: count for name, count in zip(names, images, strict=False) if count}
        if ((labels >= 0) & (manifest.folds >= 0)).any():
            facts[HELD_OUT] = fold_quality(manifest).to_json(manifest.space.names)
    return facts


def _target_facts(manifest: Manifest) -> Facts:
    """Say where labels come from, and in what training departs from them."""
    labels, target = manifest.labels, manifest.integers("target")
    origins = manifest.table["origin"].cast(pa.string()).value_counts().to_pylist()
    names = [*manifest.space.names, "unknown"]  # the last answers for -1
    differs = labels != target
    changed = Counter(zip(labels[differs].tolist(), target[differs].tolist(), strict=True))
    facts: Facts = {
        "origins": {item["values"]: item["counts"] for item in origins},
        "never trained on (weight 0)": int((manifest.table["weight"].to_numpy() == 0).sum()),
        "target differs from label": int(differs.sum()),
    }
    if changed:
        facts["trained as"] = {
            f"{names[truth]} > {names[trained]}": changed[truth, trained]
            for truth, trained in sorted(changed)
        }
    return facts


def _predictions_facts(predictions: Predictions) -> Facts:
    names: Sequence[str] = predictions.classes or [
        str(index) for index in range(int(predictions.answer.max(initial=0)) + 1)
    ]
    counts = np.bincount(predictions.answer, minlength=len(names))
    return {
        "photos": len(predictions),
        "form": "predictions without probabilities"
        if predictions.probs is None
        else f"{len(names)} probabilities per photo",
        "from models that had seen the people": predictions.leaked,
        **({"blend": predictions.header.facts["blend"]} if "blend" in predictions.header.facts else {}),
        **{f"changed by a {name}": fact for name, fact in predictions.adjusted.items()},
        "predictions per class": dict(zip(names, counts.tolist(), strict=True)),
    }


def _survey_facts(known: SurveyedPhotos) -> Facts:
    found = known.found
    return {
        "photos": len(found),
        "unreadable": len(found.faults),
        "incomplete or damaged": len(found.complaints),
        "at half their size": found.scale == 2,
        "formats": dict(Counter(name.decode() for name in found["format"][found.readable].tolist())),
    }


def _decision_facts(decision: Decision) -> Facts:
    """Say what is done to probabilities, and what that was seen to bring."""
    measured = dict(decision.measured)
    changes, offsets = measured.pop("changes", []), measured.pop("offsets", [])
    facts: Facts = {"tuned": decision.method, "temperature": decision.temperature}
    if offsets or any(decision.offsets):
        named = {one["name"]: one["value"] for one in offsets}
        facts["offsets"] = named or dict(zip(decision.space.names, decision.offsets, strict=True))
    for one in changes:
        facts[one["measure"]] = {name: one[name] for name in ("plain", "in_sample", "nested")} | {
            f"gain {name}".removesuffix(" value"): value for name, value in one["gain"].items()
        }
    return facts | measured


def _soup_facts(stored: StoredCheckpointFacts) -> Facts:
    if not stored.soup:
        return {}
    chosen = [one.name for one in stored.soup if one.is_in]
    return {"average of": ", ".join(chosen), "models tried": len(stored.soup)}


def _score_facts(stored: StoredCheckpointFacts) -> Facts:
    if stored.fold is None and stored.soup:
        return {"fold held out": "none in common: everybody is known to one of the models"}
    if stored.fold is None:
        return {"fold held out": "none: trained on everybody, scored by nobody", "last epoch": stored.epoch}
    return {
        "fold held out": stored.fold,
        **({} if stored.soup else {"best epoch": stored.epoch}),
        "scores on the held-out fold": stored.scores,
    }


def _model_facts(header: Header, name: str) -> Facts:
    refuse = partial(damaged_header, name)
    stored = StoredCheckpointFacts.of(header, refuse)
    settings = settings_text(stored.model_settings)
    return {
        "model": stored.model,
        "pool": stored.pool,
        **({"settings": settings} if settings else {}),
        "heads": ", ".join(stored.heads),
        "preprocess": dict(header.facts["preprocess"]),
        "precision": stored.precision,
        **_soup_facts(stored),
        **_score_facts(stored),
        "people trained on": len(Seen.from_json(stored.seen, refuse).digests),
    }
