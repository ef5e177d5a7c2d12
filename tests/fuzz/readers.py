"""What is read from files, each with a maker of inputs, and what reading them has to come to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pyarrow as pa
from seals import seals_of

from fuzz import seeds
from fuzz.mutations import changed_bytes, changed_value
from maskkit.artifacts.checkpoint import Checkpoint, Preprocess
from maskkit.artifacts.files import Source
from maskkit.artifacts.manifest import Manifest
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.progress_file import ProgressFile
from maskkit.artifacts.script import script
from maskkit.artifacts.trained import Trained
from maskkit.cache.digests import content_digests, digest_of
from maskkit.errors import MaskkitError
from maskkit.imaging import each_photo
from maskkit.imaging.checking import check_photos
from maskkit.imaging.decode import load
from maskkit.imaging.each_photo import look_at_each
from maskkit.imaging.faces import SearchedPhoto
from maskkit.imaging.surveyed import SurveyedPhotos
from maskkit.labelling.correction_lines import read_lines
from maskkit.labelling.corrections import corrected
from maskkit.labels import HOME
from maskkit.modeling.face_weights import KNOWN, members
from maskkit.modeling.hub_layout import read_config
from maskkit.modeling.state_files import read_state_file
from maskkit.plain_text import ODD
from maskkit.predicting.finished_rows import FinishedRows
from maskkit.reviewing.decisions import Decisions
from maskkit.reviewing.desk import Desk
from maskkit.reviewing.label_studio import annotated_values
from maskkit.reviewing.questions import lines_of, questions_of
from maskkit.sources.given_photos import task_space
from maskkit.sources.manifest_columns import listed
from maskkit.sources.reading import photo_table
from maskkit.stages.show import header_of, show
from maskkit.training.saved_state import SavedState

Make = Callable[[Random], bytes]
PREPROCESS = Preprocess(16, 16, (0.5,) * 3, (0.25,) * 3, "bilinear")
RESUMED = seeds.RECORDS[2]


@dataclass(frozen=True)
class Reader:
    """One way in for a file from anywhere."""

    name: str
    make: Make  # an input
    read: Callable[[bytes, Path], object]  # in a folder of its own; raises MaskkitError


def _source(data: bytes, name: str = "x") -> Source:
    return Source(name, pa.py_buffer(data))


def _written(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _bytes_of(*good: bytes) -> Make:
    return lambda random: changed_bytes(random.choice(good), random)


def _mixed(*makes: Make) -> Make:
    return lambda random: random.choice(makes)(random)


def _json_of(value: Any, put: Callable[[bytes], bytes] = bytes) -> Make:
    return _mixed(
        lambda random: put(seeds.text_of(changed_value(value, random))),
        lambda random: put(changed_bytes(seeds.text_of(value), random)),
    )


def _toml_of(value: dict[str, Any]) -> Make:
    """Make tables, and lists of tables, of values as JSON writes them."""

    def lines(random: Random) -> Iterator[str]:
        found = changed_value(value, random)
        for name, tables in found.items() if isinstance(found, dict) else ():
            for table in tables if isinstance(tables, list) else [tables]:
                yield f"[[{name}]]" if isinstance(tables, list) else f"[{name}]"
                for key, one in table.items() if isinstance(table, dict) else ():
                    yield f"{json.dumps(key)} = {json.dumps(one)}"

    def made(random: Random) -> bytes:
        return "\n".join(lines(random)).encode("utf-8", "surrogatepass")

    return _mixed(made, made, lambda random: changed_bytes(made(random), random))


def _checkpoint(random: Random) -> bytes:
    parts, rest = seeds.checkpoint_parts()
    return seeds.joined_checkpoint(changed_value(parts, random), rest)


def _table_of(table: pa.Table, kind: str, facts: dict[str, Any]) -> Make:
    header = seeds.header(kind, facts)
    text = seeds.text_of(header)
    return _mixed(
        lambda random: seeds.parquet(seeds.changed_table(table, random), text),
        lambda random: seeds.parquet(table, seeds.text_of(changed_value(header, random))),
        _bytes_of(seeds.parquet(table, text)),
    )


def _csv_of(rows: list[list[str]], **how: Any) -> Make:
    def made(random: Random) -> bytes:
        text = io.StringIO()
        table = [list(row) for row in rows]
        for _ in range(random.choice((0, 1, 2))):
            row = random.choice(table)
            row[random.randrange(len(row))] = random.choice(CELLS)
        csv.writer(text, **how).writerows(table)
        encoding = random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp949"))
        return text.getvalue().encode(encoding, "replace")

    return _mixed(made, lambda random: changed_bytes(made(random), random))


CELLS = (
    "", " ", "0", "-1", "1.0", "1e999", "nan", "2_5", "a\nb", 'a"b', "x" * 5000, "\0", "=1+1", "000001",
    "1",
    "마스크", "path", "../x", "None", "15.0", "0.333", "1,5", "\x1b[2J",
)  # fmt: skip
PATHS = [f"{row}/마스크.jpg" for row in range(seeds.ROWS)]
LABELS = [
    ["path", "person_id", "mask", "gender", "age"],
    *([path, f"{row:03d}", "wear", "female", "25"] for row, path in enumerate(PATHS)),
]
TRAIN = [
    ["id", "gender", "race", "age", "path"],
    ["000001", "female", "Asian", "45", "000001_female_Asian_45"],
]
CORRECTIONS = [
    ["path", "person_id", "column", "value", "from"],
    [PATHS[0], "", "mask", "none", ""],
    ["", "000002", "age", "61", ""],
    [PATHS[3], "", "gender", "male", ""],
]
REVIEWED = [
    ["path", "person_id", "column", "value", "from", "reviewed", "proposed", "note"],
    [PATHS[0], "", "mask", "none", "wear", "confirmed", "none", "x"],
    ["", "000002", "age", "61", "20", "changed", "60plus", ""],
    ["", "000003", "gender", "female", "female", "struck", "male", ""],
]
CHOSEN = {"from_name": "age", "to_name": "photos", "type": "choices", "value": {"choices": ["60plus"]}}
ANNOTATED = [
    {
        "id": 1,
        "data": {"path": "", "person_id": "000002", "photos": ["/data/local-files/?d=x.jpg"]},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {
                        "from_name": "age",
                        "to_name": "photos",
                        "type": "choices",
                        "value": {"choices": ["60plus"]},
                    }
                ],
            }
        ],
    }
]
SUBMISSION = [["ImageID", "ans"], *([f"{row}.jpg", str(row)] for row in range(seeds.ROWS))]
HISTORY = [
    ["epoch", "train_loss", "held_out_macro_f1", "held_out_accuracy", "is_best"],
    ["1", "0.5", "0.25", "0.5", "1"],
    ["2", "0.4", "0.35", "0.5", "1"],
]
RECIPE = {
    "split": {"folds": 4, "by": "person", "stratify": "site", "seed": 3},
    "train": {
        "model": "resnet18:drop_rate=0.1", "epochs": 3, "loss": "ce:smoothing=0.1+f1",
        "learning-rate": 1e-3,
        "size": "64x48", "compile": False,
    },
}  # fmt: skip
CONFIG = {
    "architecture": "resnet18",
    "pretrained_cfg": {"mean": [0.5, 0.4, 0.3], "std": [1.0], "interpolation": "bicubic"},
}
PICKLES = {
    "zip": seeds.torch_file(seeds.state_content()),
    "legacy": seeds.torch_file(seeds.state_content(), is_zip=False),
}
RECORD = seeds.text_of(RESUMED.to_json())
STATE = (100, 2, 3, 4)  # of the file of a photo
LOOKS = [
    [STATE, SearchedPhoto(None, (0.25, 0.5, 0.75, 1.0))],
    [None, None],
    [STATE, SearchedPhoto(misplaced=True)],
]
FINISHED = np.array([0, 2, 1], "<i8").tobytes(), np.full((3, 4), 0.25, "<f8").tobytes()


def _read_predictions(data: bytes, folder: Path) -> object:
    return Predictions.read(_source(data)).trained_on


def _read_labels(data: bytes, folder: Path) -> object:
    given = photo_table(_source(data, str(folder / "labels.csv")))
    return listed(given.listing(HOME), HOME, name="labels.csv")


def _read_corrections(data: bytes, folder: Path) -> object:
    return corrected(MANIFEST.table, HOME, _source(data))


def _read_reviewed(data: bytes, folder: Path) -> object:
    """Check that what was decided comes back as it was saved."""
    source, path = _source(data), folder / "reviewed.csv"
    lines = lines_of(source)
    questions = questions_of(MANIFEST, lines, source)
    first, again = Decisions(questions, path), Decisions(questions)
    first.take(MANIFEST, [line for line in lines if line.reviewed], source)
    first.save()
    saved = Source.open(path)
    again.take(MANIFEST, read_lines(saved), saved)
    assert again.values == first.values, "other decisions than were saved"
    return Desk(MANIFEST, questions, again).to_json(saved_as="x")


def _read_annotated(data: bytes, folder: Path) -> object:
    return annotated_values(QUESTIONS, _source(data))


MANIFEST = Manifest.read(
    _source(seeds.parquet(seeds.manifest_table(), seeds.text_of(seeds.header("manifest"))))
)


PROPOSED = _source(b"person_id,column,value\n000002,age,60plus\n")
QUESTIONS = questions_of(MANIFEST, lines_of(PROPOSED), PROPOSED)


def _read_recipe(data: bytes, folder: Path) -> object:
    import typer
    import typer.main

    from maskkit.cli import app

    group: Any = typer.main.get_command(app)
    path = str(_written(data, folder, "recipe.toml"))
    with group.make_context("maskkit", ["split", "--help"], resilient_parsing=True) as parent:
        for name in ("split", "train"):
            words = ["m.parquet", "--recipe", path, "--dry-run", "-o", str(folder / "x")]
            try:
                group.commands[name].make_context(name, words, parent=parent)
            except typer.BadParameter as error:
                raise AssertionError(f"what a recipe says is refused as what is typed: {error}") from error
    return None


def _read_weights(data: bytes, folder: Path, name: str) -> object:
    return read_state_file(_written(data, folder, name))


def _read_script(data: bytes, folder: Path) -> object:
    """Check what `show --history` prints, too: one command a line, and nothing that a terminal acts on."""
    text = script(header_of(_source(data)).history, output="x")
    lines = text.split("\n")
    assert not any(map(ODD.search, lines)), "a control character in the script"
    assert all(line.startswith(("#", "set -e", "newline=", "maskkit ")) for line in lines), "an odd line"
    return text


def _read_show(data: bytes, folder: Path) -> object:
    from maskkit.cli.shell.show_report import renderables, tsv
    from maskkit.reporting.stage_reports import artifact_report

    report = artifact_report(show(_source(data)))
    return [tsv(report), list(renderables(report)), json.dumps(report.data)]


def _read_sealed(data: bytes, folder: Path) -> object:
    """Check that a changed artifact is none of its kind that can be read, unless it has lost its seal."""
    good = data in SEALED
    found = _read_show(data, folder)
    assert good or not seals_of(data), "a changed artifact was read"
    return found


def _read_checkpoint(data: bytes, folder: Path) -> object:
    return [Checkpoint.read(_source(data)).weights(), _read_show(data, folder)]


def _read_like(data: bytes, folder: Path) -> object:
    import typer.main

    from maskkit.cli import app

    group: Any = typer.main.get_command(app)
    words = ["m.parquet", "--fold", "none", "--like", str(_written(data, folder, "x.safetensors"))]
    with group.make_context("maskkit", ["train", "--help"], resilient_parsing=True) as parent:
        return group.commands["train"].make_context("train", [*words, "-o", "y"], parent=parent).params


def _read_history(data: bytes, folder: Path) -> object:
    return Trained.from_history(_source(data, str(folder / "fold0.history.csv")))


def _read_resume(data: bytes, folder: Path) -> object:
    return SavedState.read(_written(data, folder, "fold1.resume")).state_for(RESUMED)


def _read_progress(data: bytes, folder: Path) -> object:
    sums = np.zeros((3, 4))
    with ProgressFile(_written(data, folder, "kept"), RESUMED) as kept:
        done = FinishedRows(kept, every=1).read(sums)
    assert np.isfinite(sums[done]).all(), "sums that are not finite"
    return sums


def _read_looks(data: bytes, folder: Path) -> object:
    """Check that a look at a photo that is kept is one that could have been."""
    kept = ProgressFile(_written(data, folder, "kept"), RESUMED)
    look = look_at_each([folder] * 3, lambda _: SearchedPhoto(), total=3, kind=SearchedPhoto, kept=kept)
    with patch.object(each_photo, "_state", return_value=STATE), kept, look as looks:
        found = list(looks)
    shares = [share for photo in found for share in photo.box or ()]
    assert len(found) == 3, "other photos than there are"
    assert all(0 <= share <= 1 for share in shares), "a box outside of the photo"
    return found


def _read_book(data: bytes, folder: Path) -> object:
    """Check that whatever is remembered, the digests are right."""
    photo = _written(b"photo", folder, "photo.jpg")
    if not BOOK:
        content_digests([photo], folder)
        BOOK.append(next(folder.glob("digests-*")).name)
    _written(data, folder, BOOK[0])
    found = content_digests([photo], folder)
    assert found.tobytes() == digest_of(b"photo"), "a digest of another content"
    return found


BOOK: list[str] = []
SEALED = seeds.sealed()


def _read_photo(data: bytes, folder: Path, name: str) -> object:
    """Check the law of readers: what `label` accepts, all others read."""
    path = _written(data, folder, name)
    faults = check_photos(folder, pa.chunked_array([[name]])).faults
    if faults:
        raise MaskkitError(name, why=faults[name], fix="")
    return load(path, PREPROCESS)


def _book(random: Random) -> bytes:
    from maskkit.cache.digests import BOOK as SCHEMA
    from maskkit.cache.digests import STATE

    state = [[number] for number, _ in enumerate(STATE)]
    table = pa.table([["x"], *state, pa.array([[0] * 32], SCHEMA.field("digest").type)], schema=SCHEMA)
    data = seeds.parquet(seeds.changed_table(table, random), None)
    if random.random() < 0.5:
        data = changed_bytes(data, random)
    return digest_of(data) + data if random.random() < 0.8 else changed_bytes(digest_of(data) + data, random)


def _changed(*parts: bytes) -> Callable[[Random], list[bytes]]:
    return lambda random: [changed_bytes(part, random) for part in parts]


def _of_artifacts() -> Iterator[Reader]:
    """Yield the readers of what maskkit writes."""
    table, model = seeds.manifest_table(), seeds.header("model", seeds.FACTS)
    manifests = _table_of(table, "manifest", {"left_out": {"b.jpg": "it is empty"}})
    yield Reader("manifest", manifests, lambda data, _: Manifest.read(_source(data)))
    facts = {"seen": [seeds.SEEN.to_json()], "leaked": 0, "blend": {"weights": [1.0]}}
    facts["sets"] = {"coverage": 0.9, "per": "age", "abstain": 3, "left_out": 2}
    predictions = _table_of(seeds.predictions_table(), "predictions", facts)
    yield Reader("predictions-parquet", predictions, _read_predictions)
    text = seeds.predictions().encode("csv").to_pybytes()
    rows = [line.split(",") for line in text.decode().splitlines()]
    yield Reader("predictions-csv", _mixed(_bytes_of(text), _csv_of(rows)), _read_predictions)
    yield Reader("submission-csv", _csv_of(SUBMISSION), _read_predictions)
    checkpoints = _mixed(_checkpoint, _bytes_of(seeds.joined_checkpoint(*seeds.checkpoint_parts())))
    yield Reader("checkpoint", checkpoints, _read_checkpoint)
    yield Reader("like", checkpoints, _read_like)
    models = _mixed(_json_of(model, seeds.onnx), _bytes_of(seeds.onnx(seeds.text_of(model))))
    yield Reader("onnx", models, _read_show)
    decisions = _json_of(seeds.decision())
    yield Reader("decision", decisions, _read_show)
    surveys = _table_of(seeds.survey_table(), "survey", {})
    yield Reader("survey", surveys, lambda data, _: SurveyedPhotos.read(_source(data)))
    artifacts = _mixed(manifests, predictions, checkpoints, models, decisions, surveys)
    yield Reader("show", artifacts, _read_show)
    yield Reader("show-history", artifacts, _read_script)
    yield Reader("sealed", _bytes_of(*SEALED), _read_sealed)
    yield Reader("history-csv", _csv_of(HISTORY), _read_history)


def _of_what_is_kept() -> Iterator[Reader]:
    """Yield the readers of what maskkit keeps for itself."""
    content = seeds.resume_content()
    resumes = _mixed(
        lambda random: seeds.torch_file(changed_value(content, random)), _bytes_of(seeds.torch_file(content))
    )
    yield Reader("resume", resumes, _read_resume)
    finished = _changed(*FINISHED)
    progress = _mixed(
        _json_of(RESUMED.to_json(), lambda text: seeds.progress(text, *FINISHED)),
        lambda random: seeds.progress(RECORD, *finished(random)),
        _bytes_of(seeds.progress(RECORD, *FINISHED)),
    )
    yield Reader("progress", progress, _read_progress)
    looks = _bytes_of(msgspec.msgpack.encode(LOOKS))
    yield Reader("looks", lambda random: seeds.progress(RECORD, looks(random), b""), _read_looks)
    yield Reader("digest-book", _book, _read_book)


def _of_others() -> Iterator[Reader]:
    """Yield the readers of what people and other programs write."""
    labels = _mixed(_csv_of(LABELS), _csv_of(LABELS, delimiter=";"), _csv_of(TRAIN))
    yield Reader("labels-csv", labels, _read_labels)
    table = seeds.manifest_table()
    tables = _mixed(
        lambda random: seeds.parquet(seeds.changed_table(table, random), None),
        _bytes_of(seeds.parquet(table, None)),
        _bytes_of(*seeds.parquet_forms(table)),
    )
    yield Reader("labels-parquet", tables, _read_labels)
    yield Reader("corrections", _csv_of(CORRECTIONS), _read_corrections)
    yield Reader("reviewed", _mixed(_csv_of(REVIEWED), _csv_of(REVIEWED, delimiter=";")), _read_reviewed)
    yield Reader("label-studio", _json_of(ANNOTATED), _read_annotated)
    yield Reader("task-toml", _toml_of(HOME.to_json()), lambda data, _: task_space(_source(data)))
    yield Reader("recipe-toml", _toml_of(RECIPE), _read_recipe)
    configs = _json_of(CONFIG)
    yield Reader("hub-config", configs, lambda data, folder: read_config(_written(data, folder, "config")))
    yield Reader("face-package", _bytes_of(seeds.package()), _read_package)
    plain, both = seeds.weights(), PICKLES["zip"]
    archives = _mixed(_bytes_of(both), lambda random: seeds.rezipped(both, random, changed_bytes))
    weights = {
        "safetensors": _bytes_of(plain), "zip": archives, "legacy": _bytes_of(PICKLES["legacy"]),
        "any-name": _bytes_of(*PICKLES.values(), plain),
    }  # fmt: skip
    for kind, make in weights.items():
        name = "w.safetensors" if kind in ("safetensors", "any-name") else "w.pth"
        yield Reader(f"weights-{kind}", make, partial(_read_weights, name=name))
    for form, good in seeds.photos().items():
        photos = _bytes_of(*good)
        made = partial(_fixed_png, photos) if form == "PNG" else photos
        yield Reader(f"photo-{form.lower()}", made, partial(_read_photo, name=f"x.{form.lower()}"))


def _read_package(data: bytes, folder: Path) -> object:
    return members(_written(data, folder, "faces.tgz"), KNOWN)


def _fixed_png(make: Make, random: Random) -> bytes:
    return seeds.fixed_png(make(random)) if random.random() < 0.5 else make(random)


READERS = {one.name: one for one in (*_of_artifacts(), *_of_what_is_kept(), *_of_others())}
