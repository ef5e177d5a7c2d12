"""Tables: a vote against the way participants take it, and what stages cost as rows grow.

    python benchmarks/tables.py              # both, up to 1.89 million rows
    python benchmarks/tables.py --most 18900000

Data is drawn in a temporary folder, which needs 10 GB for 18.9 million rows and is removed at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from timing import Cost, commands_in_turns, medians, report, run_command

from maskkit.artifacts.header import Header
from maskkit.artifacts.predictions import Predictions
from maskkit.labels import HOME
from maskkit.reporting.plots import Chart, PlotLine, draw
from maskkit.sources.layouts import STATES

MASKKIT = (sys.executable, "-m", "maskkit")
FILES = 5
SIZES = (18_900, 189_000, 1_890_000, 18_900_000)  # the competition's training photos, and 1,000 times as many
HERE = Path(__file__).parent
COLOURS = ["#2563eb", "#dc2626", "#059669", "#9333ea", "#d97706", "#0891b2", "#be185d", "#4b5563"]

# As in participants' notebooks: merge on the id, then the mode of each row.
PARTICIPANT = """
import sys
import pandas as pd
first, *others, output = sys.argv[1:]
merged = pd.read_csv(first)
for number, name in enumerate(others, 1):
    merged = merged.merge(pd.read_csv(name), on="ImageID", suffixes=("", f"_{number}"))
answers = merged.drop(columns="ImageID")
merged["ans"] = answers.apply(lambda row: row.mode()[0], axis=1)
merged[["ImageID", "ans"]].to_csv(output, index=False)
"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--most", type=int, default=SIZES[2], help="rows of the largest table")
    words.add_argument("--least", type=int, default=0, help="rows of the smallest")
    words.add_argument("--model", type=Path, help="a checkpoint, for a shard of predict")
    words.add_argument("--photos", type=Path, help="a folder of photos, which stand for those of the tables")
    words.add_argument("--runs", type=int, default=5, help="of each vote up to 12,600 rows")
    words.add_argument("--save", type=Path, help="JSON lines to append the figures to")
    words.add_argument("--only", choices=["votes", "growth"])
    given = words.parse_args()
    if given.only != "growth":
        lines = [vote_line(12_600, runs=given.runs), vote_line(1_000_000, runs=max(1, given.runs // 3))]
        report("ensemble --vote hard of 5 submissions, CPU seconds of the process", lines, save=given.save)
    if given.only != "votes":
        sizes = [rows for rows in SIZES if given.least <= rows <= given.most]
        lines = [line for rows in sizes for line in growth_lines(rows, given.model, given.photos)]
        report("cost as rows grow", lines, save=given.save)
        (HERE / "growth.svg").write_text(plot(lines))


def vote_line(rows: int, *, runs: int) -> dict[str, object]:
    """Compare a vote over five submissions with participants' way, each a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "participant.py"
        script.write_text(PARTICIPANT)
        files = submissions(folder, rows)
        voted, expected = folder / "voted.csv", folder / "expected.csv"
        ways = {
            "maskkit": [*MASKKIT, "ensemble", *files, "--vote", "hard", "-o", voted, "--force", "--quiet"],
            "pandas": [sys.executable, script, *files, expected],
        }
        costs = medians(commands_in_turns(ways, runs=runs))
        check_agreement(files, voted, expected)
    ours, theirs = costs["maskkit"], costs["pandas"]
    return {
        "rows": rows,
        "maskkit s": ours.cpu_seconds,
        "pandas s": theirs.cpu_seconds,
        "ratio": theirs.cpu_seconds / ours.cpu_seconds,
        "maskkit MB": ours.peak_mb,
        "pandas MB": theirs.peak_mb,
        "runs": runs,
    }


def check_agreement(files: Sequence[Path], voted: Path, expected: Path) -> None:
    """Stop if the two ways differ where one class has the most votes; a tie they break differently."""
    answers = np.stack([answers_of(file) for file in files])
    votes = np.stack([(answers == row).sum(axis=0) for row in answers])
    differs = answers_of(voted) != answers_of(expected)
    won = votes.max(axis=0) > FILES // 2
    if (differs & won).any():
        raise SystemExit(f"the two ways differ on {(differs & won).sum()} rows with a majority")


def answers_of(file: Path) -> np.ndarray:
    return pacsv.read_csv(file)["ans"].to_numpy()


def growth_lines(rows: int, model: Path | None, photos: Path | None) -> list[dict[str, object]]:
    """Run each stage once over tables of so many rows; `predict` on as many photos as the competition has."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, labels, folds = photo_table(folder, rows), folder / "labels.parquet", folder / "folds.parquet"
        ways: dict[str, list[object]] = {
            "label --no-check": ["label", table, "--no-check", "-o", labels],
            "show": ["show", labels],
            "split": ["split", labels, "-o", folds],
        }
        costs = {title: run_command([*MASKKIT, *words]) for title, words in ways.items()}
        oof = probabilities(folder, folds)
        ways = {
            "evaluate": ["evaluate", folds, oof, "-o", folder / "scores.json"],
            "audit --no-photos": ["audit", folds, oof, "--no-photos", "-o", folder / "audit.parquet"],
            "ensemble of 2, soft": ["ensemble", oof, oof, "-o", folder / "soft.parquet"],
        }
        if model is not None and photos is not None:
            parts = max(1, rows // SIZES[0])
            root = linked(folder / "root", labels, sorted(photos.rglob("*.jpg")))
            where = ["--root", root, "--shard", f"1/{parts}", "-o", folder / "part.parquet"]
            ways["a shard of predict"] = ["predict", labels, model, *where]
        costs |= {title: run_command([*MASKKIT, *words]) for title, words in ways.items()}
        oof.unlink()
        files = submissions(folder, rows)
        costs["ensemble of 5, hard"] = run_command([*MASKKIT, "ensemble", *files, "-o", folder / "voted.csv"])
    lines = [growth_line(stage, rows, cost) for stage, cost in costs.items()]
    print(*lines, sep="\n", file=sys.stderr)
    return lines


def linked(root: Path, labels: Path, photos: Sequence[Path]) -> Path:
    """Give the first photos of a manifest's rows contents, those of other photos in turn."""
    import pyarrow.parquet as pq

    first = next(pq.ParquetFile(labels).iter_batches(batch_size=2 * SIZES[0], columns=["path"]))
    for place, path in enumerate(first["path"].to_pylist()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(photos[place % len(photos)].resolve())
    return root


def growth_line(stage: str, rows: int, cost: Cost) -> dict[str, object]:
    return {
        "stage": stage,
        "rows": rows,
        "seconds": cost.seconds,
        "CPU s": cost.cpu_seconds,
        "peak MB": cost.peak_mb,
        "CPU us per row": cost.cpu_seconds / rows * 1e6,
    }


def submissions(folder: Path, rows: int) -> list[Path]:
    """Write five submissions of the same ids, each right on about 0.7 of them."""
    random = np.random.default_rng(0)
    ids = hexadecimal(random, rows, ".jpg")
    truth = random.integers(0, 18, rows)
    files = []
    for number in range(FILES):
        answer = np.where(random.random(rows) < 0.7, truth, random.integers(0, 18, rows))
        files.append(folder / f"submission{number}.csv")
        files[-1].write_bytes(Predictions(ids, answer).encode("submission"))
    return files


def hexadecimal(random: np.random.Generator, rows: int, suffix: str) -> pa.ChunkedArray:
    """Return ids of 40 hexadecimal digits, as the competition's."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    chunks = []
    for start in range(0, rows, 1_000_000):
        text = np.empty((min(1_000_000, rows - start), 40 + len(suffix)), np.uint8)
        text[:, :40] = digits[random.integers(0, 16, (len(text), 40), dtype=np.uint8)]
        text[:, 40:] = np.frombuffer(suffix.encode(), np.uint8)
        ends = np.arange(0, text.size + 1, text.shape[1], dtype=np.int32)
        chunks.append(pa.StringArray.from_buffers(len(text), pa.py_buffer(ends), pa.py_buffer(text.ravel())))
    return pa.chunked_array(chunks)


def photo_table(folder: Path, rows: int) -> Path:
    """Write a table of people with seven photos each, as a CSV that `label` reads."""
    random = np.random.default_rng(0)
    people = rows // len(STATES)
    person = pc.utf8_lpad(pa.array(np.arange(people)).cast(pa.string()), width=8, padding="0")
    gender = pa.array(["male", "female"]).take(pa.array(random.integers(0, 2, people)))
    age = pa.array(random.choice([19, 25, 33, 47, 58, 60], people, p=[0.25, 0.2, 0.15, 0.2, 0.13, 0.07]))
    row = np.arange(people * len(STATES))
    of_person, state = pa.array(row // len(STATES)), pa.array(row % len(STATES))
    person, gender, age = (column.take(of_person) for column in (person, gender, age))
    names = pa.array([f"{name}.jpg" for name in STATES]).take(state)
    path = pc.binary_join_element_wise(person, gender, "Asian", age.cast(pa.string()), "_")
    table = pa.table(
        {
            "path": pc.binary_join_element_wise(path, names, "/"),
            "person_id": person,
            "mask": pa.array(list(STATES.values())).take(state),
            "gender": gender,
            "age": age,
        }
    )
    pacsv.write_csv(table, folder / "photos.csv", pacsv.WriteOptions(quoting_style="none"))
    return folder / "photos.csv"


def probabilities(folder: Path, manifest: Path) -> Path:
    """Write predictions that are wrong as a model is: on a person's age or gender, rarely on the mask."""
    import pyarrow.parquet as pq

    table = pq.read_table(manifest, columns=["path", "label"])
    random = np.random.default_rng(1)
    label = table["label"].to_numpy()
    mask, gender, age = np.unravel_index(label, HOME.shape)
    people = len(label) // len(STATES)
    for factor, share in ((gender, 0.07), (age, 0.2)):
        mistaken = np.repeat(random.random(people) < share, len(STATES)) & (random.random(len(label)) < 0.8)
        factor[mistaken] = (factor[mistaken] + 1) % (factor.max() + 1)
    answer = np.ravel_multi_index((mask, gender, age), HOME.shape)
    probs = np.full((len(label), 18), 0.2 / 17, np.float32)
    probs[np.arange(len(label)), answer] = 0.8
    given = Predictions(
        table["path"].combine_chunks() if table["path"].nbytes < 2**31 else table["path"],
        answer, probs, tuple(HOME.names), None, Header("predictions", HOME),
    )  # fmt: skip
    (folder / "oof.parquet").write_bytes(given.encode("parquet"))
    return folder / "oof.parquet"


def plot(lines: Sequence[Mapping[str, object]]) -> str:
    """Return an SVG of CPU seconds against rows, both as powers of ten."""
    stages = dict.fromkeys(str(line["stage"]) for line in lines)
    curves = []
    for stage in stages:
        own = [line for line in lines if line["stage"] == stage]
        x = [float(np.log10(float(str(line["rows"])))) for line in own]
        y = [float(np.log10(float(str(line["CPU s"])))) for line in own]
        curves.append(PlotLine(stage, x, y))
    drawing = draw(Chart("CPU seconds, power of ten", "rows, power of ten", tuple(curves)))
    return jinja2.Template(SVG).render(drawing=drawing, colours=COLOURS)


SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -16 480 240" font-family="sans-serif" font-size="9">
<rect y="-16" width="480" height="240" fill="white"/>
<text x="{{ drawing.left }}" y="-4">{{ drawing.chart.title }}</text>
{%- for tick in drawing.y_ticks %}
<path d="M{{ drawing.left }} {{ tick.at }}H{{ drawing.right }}" stroke="#ddd"/>
<text x="{{ drawing.left - 4 }}" y="{{ tick.at + 3 }}" text-anchor="end">{{ tick.label }}</text>
{%- endfor %}
{%- for tick in drawing.x_ticks %}
<text x="{{ tick.at }}" y="{{ drawing.bottom + 14 }}" text-anchor="middle">{{ tick.label }}</text>
{%- endfor %}
<text x="{{ drawing.right }}" y="{{ drawing.bottom + 28 }}" text-anchor="end">
{{- drawing.chart.x_label }}</text>
{%- for path in drawing.paths %}
<path d="{{ path }}" fill="none" stroke="{{ colours[loop.index0] }}" stroke-width="1.5"/>
<text x="{{ drawing.right + 10 }}" y="{{ 20 + 14 * loop.index0 }}" fill="{{ colours[loop.index0] }}">
{{- drawing.chart.lines[loop.index0].name }}</text>
{%- endfor %}
</svg>
"""

if __name__ == "__main__":
    main()
